"""What peers send who do not keep to the letter: it works, or is refused in so many words."""

from __future__ import annotations

import asyncio

import pytest
from sip_carriers import sip_of
from sip_ends import sip
from sip_peer import SDP, field, invite, sender

from offhook import testing
from offhook.carriers import sip_parties
from offhook.sip import sdp
from offhook.sip.hop import Hop
from offhook.sip.message import Request, fault, parse
from offhook.sip.sdp import BadSdp, Ours

OURS, PEER = Ours("192.0.2.1", 10000, 77), "127.0.0.3"
HEAD = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
AUDIO = "m=audio 4000 RTP/AVP 0\n"


async def test_names_in_latin_1_reach_the_application_as_they_are_meant(offhook: testing.Offhook):
    """Old PBXs write their directory's names so; the rest of the message is UTF-8 as always."""
    heard: list[dict[str, str]] = []

    def voice(request: testing.Request) -> str:
        heard.append(dict(request.params))
        return "<Response><Pause length='1'/></Response>"

    offhook.number("+15550001111", voice=voice)
    async with sip_of(offhook) as opened:
        peer = await sender(PEER)
        data = invite(PEER, None, "X-Name: Jose'", "X-Town: Zu:rich")
        for plain, written in (
            (b"From: <", b'From: "M\xfcller" <'), (b"Jose'", b"Jos\xe9"),
            (b"Zu:rich", "Zürich".encode()), (b"raw@", b"r\xe4w@"),
        ):  # fmt: skip
            data = data.replace(plain, written)
        peer.says(data, *opened.address)
        answer = await peer.hears("SIP/2.0 200")
        assert 'From: "M\udcfcller" <' in answer  # byte for byte
    [params] = heard
    assert params["SipHeader_X-Name"] == "José"
    assert params["SipHeader_X-Town"] == "Zürich"
    assert params["SipCallId"] == f"räw@{PEER}"


@pytest.mark.parametrize("says", ["the answer and the end", "the end alone"])
async def test_who_answers_and_hangs_up_at_once_has_answered(offhook: testing.Offhook, says: str):
    """An answer may be lost; nobody who was called sends a BYE before it (RFC 3261 section 15)."""
    offhook.number("+15550001111")
    async with sip_of(offhook) as opened:
        peer = await sender(PEER)
        document = "<Response><Pause length='60'/></Response>"
        await offhook.post("Calls.json", To=f"sip:b@{PEER}", From="+15550001111", Twiml=document)
        asked = await peer.hears("INVITE")
        copied = [f"{name}: {field(asked, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        head = "\n".join([*copied, f"To: <sip:b@{PEER}>;tag=b", f"Contact: <sip:{PEER}>"])
        if says == "the answer and the end":
            answer = f"SIP/2.0 200 OK\n{head}\n\n{SDP.format(host=PEER)}"
            peer.says(sip(answer), *opened.address)
        end = f"""
BYE sip:{opened.address[0]} SIP/2.0
Via: SIP/2.0/UDP {PEER};rport;branch=z9hG4bKbye
From: <sip:b@{PEER}>;tag=b
To: {field(asked, "From")}
Call-ID: {field(asked, "Call-ID")}
CSeq: 1 BYE

"""
        peer.says(sip(end), *opened.address)
        await asyncio.sleep(1)
        [call] = offhook.calls
    assert (call.status, call.duration, call.sip_response_code) == ("completed", 0, 200)
    assert offhook.notifications == []


def test_a_callers_name_in_latin_1_is_legible():
    request = parse(invite(PEER).replace(b"From: <", b'From: "M\xfcller" <'))
    assert isinstance(request, Request)
    assert sip_parties.about_call(request, Hop("UDP", PEER, 5060), None).caller_name == "Müller"


def test_the_reason_of_a_refusal_is_legible_whatever_it_is_written_in():
    for reason in (b"Belegt \xfc", "Belegt ü".encode()):
        response = parse(b"SIP/2.0 486 " + reason + b"\r\nCall-ID: 1\r\n\r\n")
        assert response.reason == "Belegt ü"  # type: ignore[union-attr]


def test_the_version_in_a_via_may_be_in_lower_case():
    read = parse(invite(PEER).replace(b"Via: SIP/2.0/UDP", b"via: sip/2.0/udp"))
    assert fault(read) is None
    assert read.via.transport == "UDP"


class TestDescriptions:
    @pytest.mark.parametrize(
        "offered",
        [
            "m=audio  4000  RTP/AVP  0  101\na=rtpmap:101 telephone-event/8000\n",
            "m=audio 4000 RTP/AVP 0 101\na=rtpmap: 101 TELEPHONE-event/8000/1\n",
            "m=audio 4000 RTP/AVP 0 101\na=rtpmap:101\ttelephone-event/8000 \na=rtpmap:9\n",
            "c=IN  IP4  10.0.0.1\nm=audio 4000 RTP/AVP 0 101\na=rtpmap:101  telephone-event/8000\n",
        ],
    )
    def test_blanks_may_be_anywhere(self, offered: str):
        head = HEAD.replace("c=IN IP4 10.0.0.1\n", "") if "c=" in offered else HEAD
        _, agreed = sdp.answer(sdp.parse((head + offered).encode()), OURS)
        assert (agreed.host, agreed.port, agreed.codec, agreed.keys_type) == (
            "10.0.0.1", 4000, "PCMU", 101,
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("other", "refused"),
        [
            ("m=video 5000 RTP/AVP 31\nc=IN IP4 video.example\n", "m=video 0 RTP/AVP 31"),
            ("m=video 5000 RTP/AVP 31\nc=nonsense\n", "m=video 0 RTP/AVP 31"),
            ("m=video 0 RTP/AVP\n", "m=video 0 RTP/AVP 0"),
        ],
    )
    def test_what_is_wrong_with_another_section_does_not_cost_the_call(
        self, other: str, refused: str
    ):
        made, agreed = sdp.answer(sdp.parse((HEAD + AUDIO + other).encode()), OURS)
        assert refused in made.decode().split("\r\n")
        assert agreed.codec == "PCMU"

    def test_an_answer_may_refuse_a_section_without_a_format(self):
        answer = sdp.parse((HEAD + AUDIO + "m=video 0 RTP/AVP\n").encode())
        assert sdp.accepted(answer, OURS).codec == "PCMU"

    @pytest.mark.parametrize("place", ["IN IP4 224.2.1.1/127", "IN IP6 ff02::1", "IN IP4 1.2.3"])
    def test_sound_goes_to_one_address_and_never_to_a_group(self, place: str):
        offered = f"{HEAD}{AUDIO}c={place}\n".encode()  # nor to the session's in its stead
        with pytest.raises(BadSdp, match="connection address"):
            sdp.parse(offered)

    def test_its_place_may_be_a_name(self):
        """RFC 4566 section 5.7."""
        [media] = sdp.parse(f"{HEAD}{AUDIO}c=IN IP4 media.a.test\n".encode())
        assert sdp.answer([media], OURS)[1].host == "media.a.test"

    def test_reports_go_to_no_group_either(self):
        [media] = sdp.parse(f"{HEAD}{AUDIO}a=rtcp:4001 IN IP4 224.2.1.1\n".encode())
        assert media.reports is None

    def test_what_browsers_say_is_read_past_where_it_is_said_in_the_clear(self):
        lines = (
            "a=group:BUNDLE audio\na=ice-options:trickle\na=msid-semantic: WMS *\n"
            "m=audio 4000 RTP/AVP 96 0 101\na=mid:audio\na=rtcp-mux\na=ice-ufrag:abcd\n"
            "a=ice-pwd:abcdefghijklmnopqrstuv\na=candidate:1 1 UDP 1 10.0.0.1 4000 typ host\n"
            "a=rtpmap:96 OPUS/48000/2\na=fmtp:96 useinbandfec=1; stereo=1;maxptime=60\n"
            "a=rtpmap:0 pcmu/8000\na=rtpmap:101 Telephone-Event/8000\na=fmtp:101 0-15,66,70\n"
            "a=ssrc:1 cname:x\na=setup:actpass\na=sendrecv\n"
        )
        made, agreed = sdp.answer(sdp.parse((HEAD + lines).encode()), OURS)
        assert (agreed.codec, agreed.keys_type, agreed.mux, agreed.web) == ("PCMU", 101, True, None)
        assert "m=audio 10000 RTP/AVP 0 101" in made.decode().split("\r\n")
