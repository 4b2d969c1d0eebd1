"""Where a URI leads, from what DNS says.  RFC 3263 sections 4.1 to 4.3, RFC 2782, RFC 3403."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from offhook.sip.hop import Hop
from offhook.sip.location import (
    Kind,
    Means,
    Naptr,
    Question,
    Record,
    Srv,
    by_priority,
    locate,
    servers,
)
from offhook.sip.uri import parse_uri

ALL = ("UDP", "TCP", "TLS")
ZONE: dict[tuple[str, str], Sequence[Record]] = {
    ("NAPTR", "example.com"): (
        Naptr(50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(90, 20, "S", "sip+d2u", "_sip._udp.example.com."),
        Naptr(90, 10, "s", "SIP+D2T", "_sip._tcp.example.com."),
        Naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com."),
        Naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:a@b!"),
        Naptr(10, 10, "a", "SIP+D2U", "near.example.com."),
    ),
    ("NAPTR", "both.com"): (
        Naptr(1, 20, "s", "SIP+D2U", "_sip._udp.plain.com"),
        Naptr(1, 10, "s", "SIP+D2T", "_sip._tcp.plain.com"),
    ),
    ("SRV", "_sips._tcp.example.com."): (Srv(1, 0, 5071, "tls.example.com."),),
    ("SRV", "_sip._tcp.example.com."): (
        Srv(2, 0, 5060, "far.example.com."),
        Srv(1, 0, 5072, "near.example.com."),
    ),
    ("SRV", "_sip._udp.plain.com"): (Srv(1, 0, 5073, "near.example.com."),),
    ("SRV", "_sip._tcp.plain.com"): (Srv(1, 0, 5074, "far.example.com."),),
    ("SRV", "_sips._tcp.plain.com"): (Srv(1, 0, 5075, "tls.example.com."),),
    ("SRV", "_sip._udp.closed.com"): (Srv(0, 0, 0, "."),),
    ("A", "closed.com"): ("10.0.0.9",),
    ("A", "tls.example.com"): ("10.0.0.1",),
    ("A", "near.example.com"): ("10.0.0.2", "10.0.0.3"),
    ("AAAA", "near.example.com"): ("2001:db8::2",),
    ("A", "far.example.com"): ("10.0.0.4",),
    ("A", "alone.com"): ("10.0.0.5",),
    ("A", "plain.com"): ("10.0.0.6",),
}


def hops(
    where: str | Hop,
    transports: Sequence[str] = ALL,
    families: Sequence[Kind] = ("A",),
    asked: list[Question] | None = None,
) -> list[Hop]:
    means = Means(transports, families, lambda: 0.0)
    locating = servers(where, means) if isinstance(where, Hop) else locate(parse_uri(where), means)
    try:
        question = next(locating)
        while True:
            if asked is not None:
                asked.append(question)
            question = locating.send(ZONE.get((question.kind, question.name), ()))
    except StopIteration as done:
        found: list[Hop] = done.value
        return found


def found(
    where: str | Hop,
    transports: Sequence[str] = ALL,
    families: Sequence[Kind] = ("A",),
) -> list[str]:
    return [str(hop) for hop in hops(where, transports, families)]


@pytest.mark.parametrize(
    ("uri", "leads_to"),
    [
        # Addresses are taken as they are, the port by the transport.
        ("sip:10.0.0.7", ["UDP 10.0.0.7:5060"]),
        ("sips:10.0.0.7", ["TLS 10.0.0.7:5061"]),
        ("sip:[2001:db8::7]:5080;transport=tcp", ["TCP [2001:db8::7]:5080"]),
        ("sip:alone.com;maddr=10.0.0.7", ["UDP 10.0.0.7:5060"]),
        # With a port there is neither NAPTR nor SRV.
        ("sip:plain.com:5090", ["UDP 10.0.0.6:5090"]),
        ("sips:plain.com:5090", ["TLS 10.0.0.6:5090"]),
        # With a transport there is no NAPTR.
        ("sip:plain.com;transport=tcp", ["TCP 10.0.0.4:5074"]),
        ("sip:plain.com;transport=tls", ["TLS 10.0.0.1:5075"]),
        ("sip:plain.com;secure=true", ["TLS 10.0.0.1:5075"]),
        ("sips:plain.com;transport=tcp", ["TLS 10.0.0.1:5075"]),
        # Without NAPTR, the first of our transports that has SRV records.
        ("sip:plain.com", ["UDP 10.0.0.2:5073", "UDP 10.0.0.3:5073"]),
        ("sips:plain.com", ["TLS 10.0.0.1:5075"]),
        # Without either, its addresses.
        ("sip:alone.com", ["UDP 10.0.0.5:5060"]),
        ("sips:alone.com", ["TLS 10.0.0.5:5061"]),
        ("sip:alone.com;transport=tcp", ["TCP 10.0.0.5:5060"]),
        ("sip:nobody.com", []),
    ],
)
def test_a_uri_leads_to_servers(uri: str, leads_to: list[str]):
    assert found(uri) == leads_to


class TestNaptr:
    """Section 4.1."""

    def test_the_lowest_order_that_we_can_use_decides(self):
        assert found("sip:example.com") == ["TLS 10.0.0.1:5071"]

    def test_of_one_order_it_is_the_preference(self):
        tcp = ["TCP 10.0.0.2:5072", "TCP 10.0.0.3:5072", "TCP 10.0.0.4:5060"]
        assert found("sip:example.com", ("UDP", "TCP")) == tcp
        assert found("sip:both.com") == ["TCP 10.0.0.4:5074"]

    def test_sips_leads_to_nothing_but_tls(self):
        assert found("sips:example.com") == ["TLS 10.0.0.1:5071"]
        assert found("sips:example.com", ("UDP", "TCP")) == []

    def test_a_rule_that_leads_nowhere_is_passed_over(self):
        """Its own SRV records are missing; there are none for UDP at all."""
        assert found("sip:example.com", ("UDP",)) == []

    def test_what_needs_no_question_asks_none(self):
        asked: list[Question] = []
        hops("sip:10.0.0.7", asked=asked)
        assert asked == []
        hops("sip:plain.com:5090", asked=asked)
        assert asked == [Question("plain.com", "A")]


class TestSrv:
    """Section 4.2, RFC 2782."""

    def test_the_certificate_must_be_of_the_name_that_was_asked_for(self):
        """RFC 5922 section 4: not of the name that DNS gave us for it."""
        assert [hop.name for hop in hops("sips:plain.com")] == ["plain.com"]

    def test_a_service_that_is_decidedly_not_there_is_not_looked_for_elsewhere(self):
        assert found("sip:closed.com;transport=udp") == []
        assert found("sip:closed.com") == []
        asked: list[Question] = []
        hops("sip:closed.com", asked=asked)
        assert {question.kind for question in asked} == {"NAPTR", "SRV"}

    def test_a_hop_of_a_dialog_has_its_transport_and_asks_for_its_port(self):
        assert found(Hop("UDP", "plain.com", 0))[0] == "UDP 10.0.0.2:5073"
        assert found(Hop("UDP", "plain.com", 5062)) == ["UDP 10.0.0.6:5062"]

    def test_lower_priorities_come_first(self):
        records = [Srv(3, 0, 1, "c"), Srv(1, 0, 1, "a"), Srv(2, 0, 1, "b")]
        assert [each.target for each in by_priority(records, lambda: 0.5)] == ["a", "b", "c"]

    def test_equal_ones_share_the_load_by_weight(self):
        """Every chance in steps of one hundredth: the first is drawn as often as it weighs."""
        records = [Srv(1, 60, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 10, 1, "c"), Srv(1, 0, 1, "d")]
        first = [by_priority(records, lambda at=at: at / 100)[0].target for at in range(100)]
        assert {name: first.count(name) for name in "abcd"} == {"a": 60, "b": 30, "c": 10, "d": 0}

    def test_all_of_them_are_tried_in_the_end(self):
        records = [Srv(1, weight, 1, str(weight)) for weight in (0, 5, 95)]
        drawn = itertools.cycle((0.99, 0.0))
        assert {each.weight for each in by_priority(records, lambda: next(drawn))} == {0, 5, 95}


class TestAddresses:
    def test_each_server_has_all_kinds_of_addresses_that_we_have(self):
        six = found("sip:near.example.com:5060", families=("A", "AAAA"))
        assert six == ["UDP 10.0.0.2:5060", "UDP 10.0.0.3:5060", "UDP [2001:db8::2]:5060"]
        assert found("sip:near.example.com:5060", families=("AAAA",)) == six[2:]

    def test_a_zone_cannot_make_us_try_for_ever(self):
        ZONE["A", "many.com"] = tuple(f"10.1.0.{n}" for n in range(200))
        assert len(found("sip:many.com")) == 10
