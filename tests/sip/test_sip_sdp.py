"""Session descriptions: offers and answers.  RFC 4566, RFC 3264, RFC 4733."""

from __future__ import annotations

from dataclasses import replace

import pytest

from offhook.sip import sdp
from offhook.sip.sdp import Agreed, BadSdp, Ours

OURS = Ours("192.0.2.1", 10000, 77)
HEAD = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"


NOISE = """a=rtcp-mux
a=rtcp:4001
a=ice-ufrag:x
a=candidate:1 1 udp 1 10.0.0.1 4000 typ host
b=AS:80
k=clear:x
a=ptime:30
a=nonsense
"""


def body(text: str, head: str = HEAD) -> bytes:
    return (head + text).replace("\n", "\r\n").encode()


def answered(text: str, head: str = HEAD) -> tuple[list[str], Agreed]:
    made, agreed = sdp.answer(sdp.parse(body(text, head)), OURS)
    return made.decode().split("\r\n"), agreed


def media_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("m=")]


def test_our_offer_is_g711_first_and_keys_by_either_clock():
    assert sdp.offer(OURS).decode().split("\r\n") == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 10000 RTP/AVP 0 8 9 111 101 110",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-15",
        "a=ptime:20",
        "a=maxptime:120",
        "a=sendrecv",
        "",
    ]


@pytest.mark.parametrize(
    ("offered", "codec", "number", "keys"),
    [
        ("m=audio 4000 RTP/AVP 0\n", "PCMU", 0, None),
        ("m=audio 4000 RTP/AVP 8 0\n", "PCMA", 8, None),
        ("m=audio 4000 RTP/AVP 0 8 101\na=rtpmap:101 telephone-event/8000\n", "PCMU", 0, 101),
        (
            "m=audio 4000 RTP/AVP 96 8 97\n"
            "a=rtpmap:96 opus/48000/2\na=rtpmap:97 TELEPHONE-event/8000\n",
            "PCMA",
            8,
            97,
        ),
        (
            "m=audio 4000 RTP/AVP 111 96\na=rtpmap:111 opus/48000/2\na=rtpmap:96 pcmu/8000/1\n",
            "PCMU",
            96,
            None,
        ),
        ("m=audio 4000/2 RTP/AVP 18 0 101\na=rtpmap:101 telephone-event/16000\n", "PCMU", 0, None),
        ("m=audio 4000 RTP/AVP 0\n" + NOISE, "PCMU", 0, None),
    ],
)
def test_the_offerers_first_codec_that_we_have_is_taken(
    offered: str, codec: str, number: int, keys: int | None
):
    lines, agreed = answered(offered)
    assert (agreed.codec, agreed.payload_type, agreed.keys_type) == (codec, number, keys)
    types = f"{number} {keys}" if keys else str(number)
    assert media_lines(lines) == [f"m=audio 10000 RTP/AVP {types}"]
    assert f"a=rtpmap:{number} {codec}/8000" in lines
    assert (agreed.host, agreed.port) == ("10.0.0.1", 4000)


@pytest.mark.parametrize(
    ("theirs", "ours", "send", "receive"),
    [
        ("sendrecv", "sendrecv", True, True),
        ("sendonly", "recvonly", False, True),
        ("recvonly", "sendonly", True, False),
        ("inactive", "inactive", False, False),
    ],
)
def test_hold_is_answered_in_kind(theirs: str, ours: str, send: bool, receive: bool):
    """RFC 3264 sections 6.1 and 8.4."""
    lines, agreed = answered(f"m=audio 4000 RTP/AVP 0\na={theirs}\n")
    assert f"a={ours}" in lines
    assert (agreed.send, agreed.receive, agreed.nowhere) == (send, receive, False)


def test_a_direction_of_the_session_holds_unless_the_media_says_otherwise():
    lines, agreed = answered("m=audio 4000 RTP/AVP 0\n", HEAD + "a=sendonly\n")
    assert not agreed.send
    lines, agreed = answered("m=audio 4000 RTP/AVP 0\na=sendrecv\n", HEAD + "a=sendonly\n")
    assert agreed.send
    assert "a=sendrecv" in lines


@pytest.mark.parametrize("place", ["IN IP4 0.0.0.0", "IN IP6 ::"])
def test_hold_in_the_old_way_is_an_address_of_none(place: str):
    lines, agreed = answered(f"m=audio 4000 RTP/AVP 0\nc={place}\n")
    assert (agreed.send, agreed.receive, agreed.nowhere) == (False, True, True)
    assert "a=recvonly" in lines


def test_the_medias_own_address_comes_before_the_sessions():
    _, agreed = answered("m=audio 4000 RTP/AVP 0\nc=IN IP4 10.0.0.9\n")
    assert agreed.host == "10.0.0.9"
    _, agreed = answered("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:db8::9\n", "v=0\ns=-\n")
    assert agreed.host == "2001:db8::9"


def test_an_address_is_known_again_however_it_is_written():
    """Packets are told to come from there by what sockets call it (RFC 5952)."""
    _, agreed = answered("m=audio 4000 RTP/AVP 0\nc=IN IP6 2001:DB8:0:0::09\na=rtcp:4001\n")
    assert (agreed.host, agreed.reports) == ("2001:db8::9", ("2001:db8::9", 4001))


@pytest.mark.parametrize(
    ("line", "reports"),
    [
        ("a=rtcp:53020", ("10.0.0.1", 53020)),
        ("a=rtcp:53020 IN IP4 126.16.64.4", ("126.16.64.4", 53020)),
        ("a=rtcp:53020 IN IP6 2001:db8::1", ("2001:db8::1", 53020)),
        ("a=rtcp:53020 IN IP4 host.example", None),
        ("a=rtcp:53020 IN IP4 0.0.0.0", None),
        ("a=rtcp:53020 IN IP6 fe80::1%\0", None),
        ("a=rtcp:0", None),
        ("a=rtcp:99999", None),
        ("a=rtcp:x", None),
        ("a=sendrecv", None),
    ],
)
def test_reports_go_where_they_are_wanted(line: str, reports: tuple[str, int] | None):
    """RFC 3605 section 2.1; what leads nowhere counts as not said."""
    _, agreed = answered(f"m=audio 4000 RTP/AVP 0\n{line}\n")
    assert agreed.reports == reports
    assert sdp.accepted(sdp.parse(body(f"m=audio 4000 RTP/AVP 0\n{line}\n")), OURS) == agreed


def test_what_we_do_not_speak_is_refused_in_its_place():
    """RFC 3264 section 6: as many sections, in the same order, port 0."""
    lines, _ = answered(
        "m=video 5000 RTP/AVP 31\nm=audio 4002 RTP/SAVP 0\nm=audio 0 RTP/AVP 0\n"
        "m=audio 4004 RTP/AVP 0\nm=audio 4006 RTP/AVP 0\nm=application 9 UDP/BFCP *\n"
    )
    assert media_lines(lines) == [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=audio 10000 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=application 0 UDP/BFCP *",
    ]


def test_of_two_sections_that_are_the_same_one_is_taken():
    lines, _ = answered("m=audio 4000 RTP/AVP 0\nm=audio 4000 RTP/AVP 0\n")
    assert media_lines(lines) == ["m=audio 10000 RTP/AVP 0", "m=audio 0 RTP/AVP 0"]


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "m=audio 4000 RTP/AVP 18 4\n",
        "m=audio 0 RTP/AVP 0\n",
        "m=audio 4000 RTP/SAVP 0\n",
        "m=video 4000 RTP/AVP 0\n",
        "m=audio 4000 RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n",
        "m=audio 4000 RTP/AVP 0\na=rtpmap:0 G729/8000\n",
    ],
)
def test_nothing_in_common_is_an_error(offered: str):
    assert not sdp.speakable(sdp.parse(body(offered)))
    with pytest.raises(BadSdp):
        answered(offered)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"v=1\r\n", b"hello", b"v=0\r\nm=audio\r\n", b"v=0\r\nm=audio x RTP/AVP 0\r\n",
        b"v=0\r\nm=audio 99999 RTP/AVP 0\r\n", b"v=0\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP4 999.1.1.1\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=nonsense\r\nm=audio 4000 RTP/AVP 0\r\n", b"v=0\r\nnonsense\r\n",
        b"v=0\r\nc=IN IP6 fe80::1%a\0b\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\nc=IN IP6 fe80::1%\xc3\xa9\r\nm=audio 4000 RTP/AVP 0\r\n",
        b"v=0\r\n" + b"m=audio 0 RTP/AVP 0\r\n" * 40, b"v=0\r\nm=audio 4000 RTP/AVP\r\n",
    ],
)  # fmt: skip
def test_what_is_no_description_is_refused(data: bytes):
    with pytest.raises(BadSdp):
        sdp.parse(data)


def test_line_feeds_alone_are_read():
    [media] = sdp.parse(body("m=audio 4000 RTP/AVP 0\n").replace(b"\r\n", b"\n"))
    assert media.port == 4000


@pytest.mark.parametrize(
    ("answer", "agreed"),
    [
        (
            "m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\n",
            Agreed("10.0.0.1", 4000, "PCMA", 8, 101, True, True),
        ),
        (
            "m=audio 4000 RTP/AVP 0\na=sendonly\n",
            Agreed("10.0.0.1", 4000, "PCMU", 0, None, False, True),
        ),
        (
            "m=audio 4000 RTP/AVP 0\na=recvonly\n",
            Agreed("10.0.0.1", 4000, "PCMU", 0, None, True, False),
        ),
    ],
)
def test_the_answer_to_our_offer_is_taken(answer: str, agreed: Agreed):
    assert sdp.accepted(sdp.parse(body(answer)), OURS) == agreed


def test_an_answer_may_hold_us_in_the_old_way():
    """RFC 3264 section 8.4."""
    agreed = sdp.accepted(sdp.parse(body("m=audio 4000 RTP/AVP 0\nc=IN IP4 0.0.0.0\n")), OURS)
    assert (agreed.send, agreed.receive, agreed.nowhere) == (False, True, True)


def test_an_address_of_ipv6_is_said_to_be_one():
    """RFC 4566 section 5.7."""
    said = sdp.offer(replace(OURS, host="2001:db8::1")).decode().split("\r\n")
    assert "c=IN IP6 2001:db8::1" in said
    assert said[1].endswith(" IN IP6 2001:db8::1")


TAKEN = """m=audio 4000 RTP/AVP 9 0 96 97 98
a=rtpmap:96 opus/48000/2
a=rtpmap:97 telephone-event/8000
a=rtpmap:98 telephone-event/48000
"""


def test_everything_that_an_answer_takes_may_come():
    """RFC 3264 section 7: under the numbers that we offered; some use those of their answer."""
    agreed = sdp.accepted(sdp.parse(body(TAKEN)), OURS)
    assert (agreed.codec, agreed.payload_type, agreed.keys_type) == ("PCMU", 0, 97)
    opus, keys = {96: "opus", 111: "opus"}, {98: "keys", 101: "keys", 110: "keys"}
    assert dict(agreed.others) == {9: "G722", **opus, **keys}


def test_nothing_else_comes_than_the_one_that_we_take():
    assert answered(TAKEN)[1].others == ()


PICTURES = "m=video 5000 RTP/AVP 31\na=mid:v\n"
SOUND = "m=audio 4002 RTP/AVP 0\na=mid:s\n"
FAX = "m=image 0 udptl t38\n"


def test_our_next_offer_has_as_many_sections_in_the_same_order():
    """RFC 3264 section 8; RFC 8843 section 7.2.1: by the same names."""
    ours = sdp.keeping(OURS, sdp.parse(body(PICTURES + SOUND + FAX)))
    offered = sdp.offer(ours).decode().split("\r\n")
    assert media_lines(offered) == [
        "m=video 0 RTP/AVP 31",
        "m=audio 10000 RTP/AVP 0 8 9 111 101 110",
        "m=image 0 udptl t38",
    ]
    assert [line for line in offered if line.startswith("a=mid")] == ["a=mid:v", "a=mid:s"]
    refusing = PICTURES.replace("5000", "0")
    assert sdp.accepted(sdp.parse(body(refusing + SOUND + FAX)), ours).port == 4002
    with pytest.raises(BadSdp):
        sdp.accepted(sdp.parse(body(SOUND)), ours)


@pytest.mark.parametrize("answer", ["", "m=audio 0 RTP/AVP 0\n", "m=audio 4000 RTP/AVP 18\n"])
def test_an_answer_that_refuses_the_sound_is_an_error(answer: str):
    with pytest.raises(BadSdp):
        sdp.accepted(sdp.parse(body(answer)), OURS)


def test_both_sides_of_this_project_understand_each_other():
    made, theirs = sdp.answer(sdp.parse(sdp.offer(OURS)), Ours("2001:db8::2", 20000, 5))
    assert theirs == Agreed("192.0.2.1", 10000, "PCMU", 0, 101, True, True)
    assert sdp.accepted(sdp.parse(made), OURS) == Agreed(
        "2001:db8::2", 20000, "PCMU", 0, 101, True, True
    )


OPUS = "a=rtpmap:96 opus/48000/2\n"
EVENTS = "a=rtpmap:97 telephone-event/8000\na=rtpmap:98 telephone-event/48000\n"


@pytest.mark.parametrize(
    ("offered", "codec", "number", "keys", "clock"),
    [
        ("m=audio 4000 RTP/AVP 9 96\n" + OPUS, "G722", 9, None, 8000),
        ("m=audio 4000 RTP/AVP 96 9 97 98\n" + OPUS + EVENTS, "opus", 96, 98, 48000),
        ("m=audio 4000 RTP/AVP 9 97 98\n" + EVENTS, "G722", 9, 97, 8000),
        ("m=audio 4000 RTP/AVP 96 97\n" + OPUS + EVENTS, "opus", 96, 97, 8000),
        ("m=audio 4000 RTP/AVP 96 9 8 97 98\n" + OPUS + EVENTS, "PCMA", 8, 97, 8000),
    ],
)
def test_what_costs_more_is_agreed_on_only_without_g711(
    offered: str, codec: str, number: int, keys: int | None, clock: int
):
    """Keys go by the clock of the codec where they can (RFC 4733 section 2.1)."""
    lines, agreed = answered(offered)
    assert (agreed.codec, agreed.payload_type, agreed.keys_type) == (codec, number, keys)
    assert agreed.keys_clock == clock
    types = f"{number}" if keys is None else f"{number} {keys}"
    assert media_lines(lines) == [f"m=audio 10000 RTP/AVP {types}"]


def test_an_answer_names_what_it_agrees_on():
    lines, _ = answered("m=audio 4000 RTP/AVP 96 98\n" + OPUS + EVENTS)
    assert "a=rtpmap:96 opus/48000/2" in lines
    assert "a=rtpmap:98 telephone-event/48000" in lines


def test_comfort_noise_is_taken_where_it_is_offered():
    lines, agreed = answered("m=audio 4000 RTP/AVP 0 13 97\n" + EVENTS)
    assert media_lines(lines) == ["m=audio 10000 RTP/AVP 0 97 13"]
    assert "a=rtpmap:13 CN/8000" in lines
    assert agreed.noise_type == 13
    assert answered("m=audio 4000 RTP/AVP 0\n")[1].noise_type is None
    assert answered("m=audio 4000 RTP/AVP 96 13\n" + OPUS)[1].noise_type is None


def test_what_a_phone_says_again_is_read_as_before_but_for_whose_it_is_and_the_port():
    said = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    said += b"m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
    [first] = sdp.parse(said)
    [again] = sdp.parse(said.replace(b"o=- 1", b"o=me 2").replace(b" 4000 ", b" 4002 "))
    assert again == replace(first, port=4002)
    [moved] = sdp.parse(said.replace(b"c=IN IP4 192.0.2.1", b"c=IN IP4 192.0.2.2"))
    assert moved == replace(first, host="192.0.2.2")
    [held] = sdp.parse(said + b"a=sendonly\r\n")
    assert held == replace(first, direction="sendonly")
    with pytest.raises(BadSdp):
        sdp.parse(said.replace(b"c=IN IP4 192.0.2.1\r\n", b""))
