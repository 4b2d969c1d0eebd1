"""RTP packets, RFC 3550 section 5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import rtp

PLAIN = rtp.Packet(0, False, 1, 160, 7, b"sound")


@pytest.mark.parametrize("packet", [PLAIN, rtp.Packet(101, True, 65535, 2**32 - 1, 2**32 - 1, b"")])
def test_what_is_written_is_read(packet):
    assert rtp.read(rtp.write(packet)) == packet


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("two contributing sources", b"\x82" + rtp.write(PLAIN)[1:12] + b"\1" * 8 + b"sound"),
        ("a header extension", b"\x90" + rtp.write(PLAIN)[1:12] + b"\0\0\0\1xxxx" + b"sound"),
        ("padding", b"\xa0" + rtp.write(PLAIN)[1:] + b"\0\0\3"),
    ],
)
def test_what_surrounds_the_payload_is_taken_off(name, data):
    assert rtp.read(data) == PLAIN


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\0",
        b"\x40" + rtp.write(PLAIN)[1:],
        b"\x8f" + rtp.write(PLAIN)[1:],
        b"\x90" + rtp.write(PLAIN)[1:12] + b"\0\0\0\7",
        b"\xa0" + rtp.write(PLAIN)[1:12] + b"\x09",
    ],
    ids=["nothing", "short", "version", "sources missing", "extension missing", "padding"],
)
def test_what_is_not_rtp_is_nothing(data):
    assert rtp.read(data) is None


@given(st.binary(max_size=300))
def test_no_datagram_is_too_strange_to_read(data):
    packet = rtp.read(data)
    assert packet is None or len(packet.payload) <= len(data) - rtp.HEADER


def test_packets_of_one_leg_never_share_a_batch():
    arrived = [(slot, rtp.write(PLAIN), ("a", 1), 0.0) for slot in (3, 5, 3, 3, 5)]
    assert [batch.slots for batch in rtp.batches(arrived)] == [[3, 5], [3, 5], [3]]
