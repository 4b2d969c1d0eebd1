"""Who is let in, and by which trunk a number goes out.  The admission table of `[[trunk]]`."""

from __future__ import annotations

import pytest

from offhook.carriers.trunks import Admitted, Door, Trunk, routes
from offhook.sip.grammar import BadSip

OPEN = Trunk("open", allow=("198.51.100.0/24", "2001:db8::/32"))
LOGIN = Trunk("login", peer_username="ann", peer_password="secret")
BOTH = Trunk("both", allow=("203.0.113.7",), peer_username="bob", peer_password="other")
PLAIN = Trunk("plain", address="192.0.2.8:5070")
SIX = Trunk("six", address="[2001:DB8:0::8]")
NAMED = Trunk("named", address="sip.example.com")
BEHIND = Trunk("behind", address="sip.example.com", proxy="192.0.2.7:5070")


@pytest.mark.parametrize(
    ("trunks", "local", "source", "seen"),
    [
        # Bound to loopback, loopback peers need no trunk.
        ((), True, "127.0.0.1", Admitted(None)),
        ((LOGIN,), True, "127.0.0.9", Admitted(None)),
        ((), True, "::1", Admitted(None)),
        ((), True, "198.51.100.1", None),
        # Bound publicly, loopback is a source like any other.
        ((), False, "127.0.0.1", None),
        ((OPEN,), False, "127.0.0.1", None),
        ((LOGIN,), False, "127.0.0.1", [LOGIN]),
        # Networks.
        ((OPEN,), False, "198.51.100.200", Admitted(OPEN)),
        ((OPEN,), False, "198.51.101.1", None),
        ((OPEN,), False, "2001:db8::5", Admitted(OPEN)),
        ((OPEN,), False, "::ffff:198.51.100.3", Admitted(OPEN)),
        ((PLAIN,), False, "192.0.2.8", Admitted(PLAIN)),
        ((PLAIN,), False, "192.0.2.9", None),
        ((NAMED,), False, "192.0.2.9", None),
        ((BEHIND,), False, "192.0.2.7", Admitted(BEHIND)),
        ((SIX,), False, "2001:db8::8", Admitted(SIX)),
        # Logins.
        ((LOGIN,), False, "192.0.2.9", [LOGIN]),
        ((BOTH,), False, "203.0.113.7", [BOTH]),
        ((BOTH,), False, "192.0.2.9", []),
        ((OPEN, LOGIN, BOTH), False, "198.51.100.1", Admitted(OPEN)),
        ((OPEN, LOGIN, BOTH), False, "203.0.113.7", [BOTH]),
        ((OPEN, LOGIN, BOTH), False, "192.0.2.9", [LOGIN]),
        # A trunk that lists loopback decides about it, also when we are bound there.
        ((Trunk("t", allow=("127.0.0.0/8",), peer_username="u"),), True, "127.0.0.1", ["t"]),
    ],
)
def test_who_is_let_in(trunks: tuple[Trunk, ...], local: bool, source: str, seen: object):
    found = Door(trunks, local).look(source)
    if seen == ["t"]:
        found = [trunk.name for trunk in found]  # type: ignore[union-attr]
    assert found == seen


DE = Trunk("de", address="a", prefixes=("+49", "+43"))
BERLIN = Trunk("berlin", address="b", prefixes=("4930",))
WORLD = Trunk("world", address="c")
RESCUE = Trunk("rescue", address="d", prefixes=("+1",), emergency=True)
INWARD = Trunk("inward", prefixes=("+4930123",))


@pytest.mark.parametrize(
    ("number", "trunk"),
    [
        ("+4930123456", BERLIN),
        ("+4989123456", DE),
        ("+4312345678", DE),
        ("+15550001111", RESCUE),
        ("+33123456789", WORLD),
        ("112", RESCUE),
        ("911", RESCUE),
    ],
)
def test_the_longest_prefix_takes_a_number(number: str, trunk: Trunk):
    assert routes((WORLD, DE, BERLIN, RESCUE, INWARD), number)[0] is trunk


def test_shorter_prefixes_are_the_way_when_the_longest_fails():
    assert routes((WORLD, DE, BERLIN, RESCUE, INWARD), "+4930123456") == (BERLIN, DE, WORLD)


def test_an_emergency_number_goes_to_emergency_trunks_alone():
    other = Trunk("other", address="e", emergency=True)
    assert routes((WORLD, RESCUE, other), "112") == (RESCUE, other)


def test_of_equal_prefixes_the_first_trunk_is_taken():
    other = Trunk("other", address="e")
    assert routes((WORLD, other), "+33123456789") == (WORLD, other)


def test_of_a_trunks_own_prefixes_the_longest_counts():
    both = Trunk("both", address="e", prefixes=("+4", "+4930"))
    assert routes((DE, both), "+4930123456") == (both, DE)


@pytest.mark.parametrize("number", ["+33123456789", "112", "55555", "", "client:tommy"])
def test_what_no_trunk_takes_has_no_way(number: str):
    assert routes((DE, INWARD), number) == ()


@pytest.mark.parametrize("to", ["", "client:tommy", "sip:a@b", "49 30"])
def test_what_is_no_number_has_none_by_one_that_takes_every_number(to: str):
    assert routes((WORLD,), to) == ()


@pytest.mark.parametrize("to", ["client:tommy", "", "sip:a@b", "+"])
def test_only_numbers_go_to_the_emergency_trunk(to: str):
    assert routes((RESCUE,), to) == ()


@pytest.mark.parametrize("address", ["", "a b", "user@host", "host:port", "host;x y"])
def test_an_address_that_is_none_is_said_so(address: str):
    with pytest.raises(BadSip):
        _ = Trunk("bad", address=address).uri
