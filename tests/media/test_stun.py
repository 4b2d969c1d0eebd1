"""Binding requests and their answers.  RFC 5389 section 15, RFC 5769 test vectors, RFC 8445 7.3."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_browser import mapped

from offhook.media import stun
from offhook.media.rtp import Address

# RFC 5769 section 2.1: a request by evtj:h6vY with the password VOkJxbRl1RmTxUk/WvJxBt.
SAMPLE = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
PASSWORD = "VOkJxbRl1RmTxUk/WvJxBt"
FROM = ("192.0.2.1", 32853)


def code(answer: bytes) -> int:
    """The class and number of an error's first attribute."""
    assert answer[:2] == b"\x01\x11"
    return answer[26] * 100 + answer[27]


def test_the_sample_request_is_read_and_believed():
    request = stun.read(SAMPLE)
    assert request is not None
    assert request.attributes[stun.USERNAME] == b"evtj:h6vY"
    assert request.by("evtj", PASSWORD)
    assert not request.by("evtj", "another")
    assert not request.by("h6vY", PASSWORD)


def test_a_right_check_is_told_where_it_came_from():
    request = stun.read(stun.ask(b"t" * 12, "us:them", "secret", (stun.CONTROLLING, bytes(8))))
    assert request is not None
    answer, right = stun.answer(request, "secret", FROM)
    assert right
    assert answer[:2] == b"\x01\x01"
    assert answer[8:20] == b"t" * 12
    assert mapped(answer) == FROM


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (FROM, "0001a147e112a643"),
        (("::ffff:192.0.2.1", 32853, 0, 0), "0001a147e112a643"),
        (
            ("2001:db8:1234:5678:11:2233:4455:6677", 32853, 0, 0),
            "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
    ],
)
def test_an_address_is_told_as_the_samples_do(source: Address, told: str):
    """RFC 5769 sections 2.2 and 2.3; one of IPv4 on a socket of both kinds is of IPv4."""
    request = stun.read(stun.ask(SAMPLE[8:20], "evtj:h6vY", PASSWORD))
    assert request is not None
    answer, _ = stun.answer(request, PASSWORD, source)
    value = bytes.fromhex(told)
    assert b"\x00\x20" + len(value).to_bytes(2) + value in answer


def test_our_answers_end_in_a_checksum_of_all_of_them():
    request = stun.read(stun.ask(b"t" * 12, "us:them", "secret"))
    assert request is not None
    six = ("2001:db8:1234:5678:11:2233:4455:6677", 32853)
    answer, _ = stun.answer(request, "secret", six)
    as_request = b"\x00\x01" + answer[2:]
    assert stun.read(as_request) is None  # the checksum covers the first byte as well
    assert answer[-8:-4] == b"\x80\x28\x00\x04"


@pytest.mark.parametrize(
    ("more", "status"), [((0x7777, b"x"), 420), ((stun.CONTROLLED, bytes(8)), 487)]
)
def test_what_is_not_right_is_refused(more: tuple[int, bytes], status: int):
    request = stun.read(stun.ask(b"t" * 12, "us:them", "secret", more))
    assert request is not None
    assert request.by("us", "secret")
    answer, right = stun.answer(request, "secret", FROM)
    assert not right
    assert code(answer) == status


BARE = b"\x00\x01\x00\x00" + stun.COOKIE.to_bytes(4) + b"t" * 12


def bare(*attributes: bytes) -> bytes:
    return BARE[:2] + len(b"".join(attributes)).to_bytes(2) + BARE[4:] + b"".join(attributes)


def test_who_only_asks_where_he_is_seen_is_told_that_and_nothing_else():
    """RFC 5626 section 8: without credentials."""
    request = stun.read(BARE)
    assert request is not None
    answer = stun.reflect(request, FROM)
    assert answer == b"\x01\x01\x00\x0c" + BARE[4:] + bytes.fromhex("002000080001a147e112a643")


def test_he_gets_a_checksum_if_he_gives_one():
    """RFC 5389 section 8."""
    checksum = zlib.crc32(bare(bytes(8))[:20]) ^ 0x5354554E
    request = stun.read(bare(b"\x80\x28\x00\x04" + checksum.to_bytes(4)))
    assert request is not None
    answer = stun.reflect(request, FROM)
    assert mapped(answer) == FROM
    assert answer[-8:-4] == b"\x80\x28\x00\x04"
    assert int.from_bytes(answer[-4:]) == zlib.crc32(answer[:-8]) ^ 0x5354554E


def test_he_may_not_ask_for_what_we_do_not_understand():
    request = stun.read(bare(b"\x00\x03\x00\x04" + bytes(4)))
    assert request is not None
    assert code(stun.reflect(request, FROM)) == 420


def test_a_request_without_credentials_is_by_nobody():
    request = stun.read(BARE)
    assert request is not None
    assert not request.by("us", "secret")
    assert not request.by("", "secret")


def test_what_stands_behind_the_integrity_does_not_count():
    """RFC 5389 section 15.4: anybody on the way may have put it there."""
    asked = stun.ask(b"t" * 12, "us:them", "secret")[:-8]
    longer = asked + b"\x00\x25\x00\x00"
    request = stun.read(longer[:2] + (len(longer) - 20).to_bytes(2) + longer[4:])
    assert request is not None
    assert request.by("us", "secret")
    assert not request.nominates


@pytest.mark.parametrize("at", range(0, len(SAMPLE), 7))
def test_a_changed_bit_is_no_request_any_more(at: int):
    changed = bytearray(SAMPLE)
    changed[at] ^= 4
    request = stun.read(bytes(changed))
    assert request is None or not request.by("evtj", PASSWORD)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_no_bytes_break_the_reader(noise: bytes, at: int):
    changed = SAMPLE[:at] + noise + SAMPLE[at + len(noise) :]
    for data in (noise, changed, changed[:at]):
        request = stun.read(data)
        if request:
            assert not request.by("evtj", "another")
            stun.answer(request, "secret", FROM)
            stun.reflect(request, FROM)
