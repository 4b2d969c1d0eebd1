"""Session descriptions of browsers.  RFC 8839 (ICE), RFC 8842 (DTLS), RFC 9143, RFC 5761."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from web_browser import OURS as IDENTITY
from web_browser import THEIRS, described

from offhook.sip import ice, sdp
from offhook.sip.sdp import Agreed, BadSdp, Ours

OURS = Ours(
    "192.0.2.1", 10000, 77, secret=b"s" * 64, fingerprint=IDENTITY.fingerprint,
    nearby=("10.0.0.1",),
)  # fmt: skip
USER, PASSWORD = "4ZcD", "2/1muCWoOi3uLifh0NuRHlAb"
VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:1
a=rtpmap:96 VP8/90000
"""


def offer(more: str = "", **said: str) -> bytes:
    return described(USER, PASSWORD, THEIRS.fingerprint, **said).encode() + more.encode()


def answered(body: bytes, ours: Ours = OURS) -> tuple[list[str], Agreed]:
    made, agreed = sdp.answer(sdp.parse(body), ours)
    return made.decode().split("\r\n"), agreed


def changed(old: str, new: str) -> bytes:
    body = offer()
    assert old.encode() in body
    return body.replace(old.encode(), new.encode())


def test_an_offer_of_a_browser_is_answered_as_a_lite_agent():
    lines, agreed = answered(offer())
    side = OURS.side
    assert lines == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 10000 UDP/TLS/RTP/SAVPF 0 126 13",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:126 telephone-event/8000",
        "a=fmtp:126 0-15",
        "a=rtpmap:13 CN/8000",
        "a=rtcp-mux",
        f"a=ice-ufrag:{side.user}",
        f"a=ice-pwd:{side.password}",
        f"a=fingerprint:{IDENTITY.fingerprint}",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 10000 typ host",
        "a=candidate:2 1 udp 2130706175 10.0.0.1 10000 typ host",
        "a=end-of-candidates",
        "a=mid:0",
        "a=ptime:20",
        "a=maxptime:120",
        "a=sendrecv",
        "",
    ]
    assert len(side.password) >= 22
    assert agreed.web is not None
    theirs = agreed.web[1]
    assert (theirs.user, theirs.password) == (USER, PASSWORD)
    assert theirs.fingerprint == THEIRS.fingerprint
    assert (agreed.send, agreed.receive, agreed.mux, agreed.nowhere) == (True, True, True, False)


def test_opus_is_taken_with_keys_on_its_own_clock():
    lines, agreed = answered(offer(codecs="111 63 110 126"))
    assert "m=audio 10000 UDP/TLS/RTP/SAVPF 111 110" in lines
    assert "a=rtpmap:110 telephone-event/48000" in lines
    assert (agreed.codec, agreed.keys_type) == ("opus", 110)


def test_pictures_are_refused_and_leave_the_bundle():
    lines, _ = answered(offer(VIDEO).replace(b"BUNDLE 0", b"BUNDLE 0 1"))
    assert "a=group:BUNDLE 0" in lines
    assert lines[-3:] == ["m=video 0 UDP/TLS/RTP/SAVPF 96", "a=mid:1", ""]


def test_who_does_not_bundle_is_not_answered_with_one():
    lines, _ = answered(changed("a=group:BUNDLE 0\n", ""))
    assert not [line for line in lines if line.startswith("a=group")]
    assert "a=mid:0" in lines


@pytest.mark.parametrize(
    ("theirs", "before", "ours"),
    [
        ("actpass", False, "passive"),
        ("actpass", True, "active"),
        ("active", False, "passive"),
        ("active", True, "passive"),
        ("passive", False, "active"),
    ],
)
def test_who_begins_the_handshake_stays_who_it_was(theirs: str, before: bool, ours: str):
    """RFC 8842 section 5.3: the browser that lets us choose; section 5.5: later offers."""
    lines, agreed = answered(offer(setup=theirs), replace(OURS, active=before))
    assert f"a=setup:{ours}" in lines
    assert agreed.web is not None
    assert ice.begins(*agreed.web) == (ours == "active")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=rtcp-mux\n", ""),
        ("a=ice-ufrag:4ZcD\n", ""),
        ("a=ice-ufrag:4ZcD", "a=ice-ufrag:4Zc"),
        (PASSWORD, PASSWORD[:21]),
        ("a=setup:actpass\n", ""),
        ("a=setup:actpass", "a=setup:holdconn"),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
        pytest.param(THEIRS.fingerprint[-3:], "FG", id="no hexadecimal fingerprint"),
        ("a=msid-semantic", "a=ice-lite\na=msid-semantic"),
    ],
)
def test_an_offer_that_lacks_something_is_refused(old: str, new: str):
    assert not sdp.speakable(sdp.parse(changed(old, new)))
    with pytest.raises(BadSdp):
        answered(changed(old, new))


def test_what_is_said_for_the_whole_session_counts_for_the_section():
    """RFC 8839 section 5.4, RFC 8842 section 5.1."""
    body = offer().decode()
    said = [line for line in body.splitlines() if line[:6] in ("a=ice-", "a=fing", "a=setu")]
    for line in said:
        body = body.replace(f"{line}\n", "")
    body = body.replace("t=0 0\n", "t=0 0\n" + "".join(f"{line}\n" for line in said))
    _, agreed = answered(body.encode())
    assert agreed.web is not None
    assert agreed.web[1].user == USER


def test_several_certificates_may_be_the_browsers():
    """RFC 8122 section 5; a hash that is broken says nothing."""
    second = "sha-512 " + ":".join(["AB"] * 64)
    weak = "sha-1 " + ":".join(["00"] * 20)
    said = f"a=fingerprint:{THEIRS.fingerprint}"
    _, agreed = answered(changed(said, f"a=fingerprint:{weak}\n{said}\na=fingerprint:{second}"))
    assert agreed.web is not None
    assert agreed.web[1].fingerprint == f"{THEIRS.fingerprint},{second}"


@pytest.mark.parametrize(
    ("direction", "send", "receive"),
    [("sendonly", False, True), ("recvonly", True, False), ("inactive", False, False)],
)
def test_a_browser_puts_us_on_hold(direction: str, send: bool, receive: bool):
    _, agreed = answered(offer(direction=direction))
    assert (agreed.send, agreed.receive) == (send, receive)


def test_each_restart_has_a_name_and_a_password_of_its_own():
    """RFC 8839 section 4.4.1.1.1; the same one has the same."""
    first, again, second = (answered(offer(), replace(OURS, restarts=n))[1].web for n in (0, 0, 1))
    assert first is not None
    assert first == again
    assert second is not None
    assert second[0].user != first[0].user
    assert second[0].password != first[0].password


def test_our_offer_to_a_browser_and_its_answer():
    body = sdp.offer(replace(OURS, web=True)).decode()
    lines = body.split("\r\n")
    assert "m=audio 10000 UDP/TLS/RTP/SAVPF 0 8 9 111 101 110" in lines
    assert {"a=ice-lite", "a=group:BUNDLE 0", "a=mid:0", "a=setup:actpass"} <= set(lines)
    assert {"a=rtcp-mux", "a=end-of-candidates"} <= set(lines)
    answer = sdp.parse(offer(setup="active", codecs="0 101"))
    agreed = sdp.accepted(answer, replace(OURS, web=True))
    assert agreed.web is not None
    assert agreed.web[0] == OURS.side
    assert not ice.begins(*agreed.web)


def test_a_browser_may_leave_the_beginning_to_us():
    agreed = sdp.accepted(sdp.parse(offer(setup="passive")), replace(OURS, web=True))
    assert agreed.web is not None
    assert ice.begins(*agreed.web)


@pytest.mark.parametrize(
    "answer",
    [
        offer(setup="actpass"),
        b"v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVP 0\n",
        b"v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/SAVP 0\n"
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"\n",
    ],
)
def test_an_answer_that_is_not_one_to_our_offer_is_refused(answer: bytes):
    with pytest.raises(BadSdp):
        sdp.accepted(sdp.parse(answer), replace(OURS, web=True))


def test_an_offer_in_the_clear_is_not_answered_by_a_browser():
    with pytest.raises(BadSdp):
        sdp.accepted(sdp.parse(offer(setup="active")), OURS)


def test_others_may_have_their_reports_on_one_port_and_give_feedback():
    """RFC 5761 section 5.1.1, RFC 4585: as they offer it, so it is answered."""
    body = b"v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/AVPF 0\na=rtcp-mux\n"
    lines, agreed = answered(body)
    assert "m=audio 10000 RTP/AVPF 0" in lines
    assert "a=rtcp-mux" in lines
    assert agreed.mux
    assert agreed.web is None
    lines, agreed = answered(body.replace(b"a=rtcp-mux\n", b""))
    assert "a=rtcp-mux" not in lines
    assert not agreed.mux


def test_keys_in_the_description_do_with_feedback_as_well():
    key = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + b"A" * 40 + b"\n"
    lines, agreed = answered(b"v=0\nc=IN IP4 10.0.0.1\nm=audio 4000 RTP/SAVPF 0\n" + key)
    assert "m=audio 10000 RTP/SAVPF 0" in lines
    assert agreed.keys is not None


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_line_breaks_the_reader(data: st.DataObject):
    lines = offer(VIDEO).decode().split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    begun = lines[at][: data.draw(st.integers(0, 20))]
    lines[at] = begun + data.draw(st.text(max_size=40))
    lines[at:at] = data.draw(st.lists(st.sampled_from(lines), max_size=3))
    try:
        said, agreed = answered("\n".join(lines).encode())
    except BadSdp:
        return
    assert sdp.parse("\r\n".join(said).encode())
    assert agreed.web


def test_a_password_is_not_shown():
    assert OURS.side.password not in repr(OURS.side)
