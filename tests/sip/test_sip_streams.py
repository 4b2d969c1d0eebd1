"""Messages in a TCP stream.  RFC 3261 section 18.3, RFC 5626 section 3.5.1."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.sip.grammar import BadSip
from offhook.sip.stream import Stream

ONE = b"INFO sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 8\r\n\r\na\r\n\r\nbcd"
TWO = b"SIP/2.0 200 OK\r\nl : 0\r\nX: Content-Length: 7\r\n\r\n"


def test_messages_that_arrive_together_come_apart():
    assert list(Stream().feed(ONE + TWO + ONE)) == [ONE, TWO, ONE]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=30))
def test_a_message_is_whole_however_it_was_cut(cuts: list[int]):
    stream, data, found = Stream(), ONE + b"\r\n" + TWO + ONE, []
    for cut in cuts:
        found += stream.feed(data[:cut])
        data = data[cut:]
    assert [*found, *stream.feed(data)] == [ONE, TWO, ONE]


def test_a_keep_alive_asks_for_an_answer_and_a_single_line_end_does_not():
    stream = Stream()
    assert list(stream.feed(b"\r\n\r\n" + ONE + b"\r\n")) == [ONE]
    assert stream.pings == 1
    assert list(stream.feed(TWO)) == [TWO]
    assert list(stream.feed(b"\r\n")) == []
    assert list(stream.feed(b"\r\n")) == []
    assert stream.pings == 2


@pytest.mark.parametrize(
    "data",
    [
        b"INFO sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n",
        b"INFO sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n",
        b"INFO sip:a SIP/2.0\r\nContent-Length: x\r\n\r\n",
        b"INFO sip:a SIP/2.0\r\nContent-Length: 999999999\r\n\r\n",
        b"X" * 40000,
    ],
)
def test_a_stream_that_has_lost_its_boundaries_is_closed(data: bytes):
    with pytest.raises(BadSip):
        list(Stream().feed(data))
