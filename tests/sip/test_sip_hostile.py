"""What somebody would send who means harm: to break a line, a parser, or the memory.

RFC 3261 section 26.1; each of these is grammatical, or nearly so.
"""

from __future__ import annotations

import tracemalloc
from urllib.parse import quote

import pytest
from sip_ends import End, Talk, lose, sip, word

from offhook.sip import digest, sdp
from offhook.sip.core import Over
from offhook.sip.enrolment import Enrolment
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, hop_of, is_ip
from offhook.sip.message import Request, Response, fault, parse, respond
from offhook.sip.session import Offered, Reanswered, Session
from offhook.sip.uri import parse_address, parse_uri

PEER = Hop("UDP", "192.0.2.66", 4444)
FAR_TOO_LONG = "9" * 5000  # digits: more than Python makes a number of


def in_dialog(talk: Talk, session: Session, method: str, *fields: str, cseq: int = 9) -> bytes:
    """A request of the caller that its endpoint would never make."""
    dialog = session.dialog
    return sip(
        "\n".join(
            [
                f"{method} {dialog.target} SIP/2.0",
                f"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKevil{method}{cseq};rport",
                f"From: {dialog.local}",
                f"To: {dialog.remote}",
                f"Call-ID: {dialog.call_id}",
                f"CSeq: {cseq} {method}",
                *fields,
            ]
        )
    )


@pytest.mark.parametrize("host", ["fe80::1%\0", "fe80::1%é", "::1%" + "x" * 40, "10.0.0.1\0"])
def test_an_address_that_no_socket_takes_is_a_name(host: str):
    """`ipaddress` takes anything behind a percent sign; sockets raise errors of all kinds at it."""
    uri = parse_uri(f"sip:a@10.0.0.1;maddr={quote(host, safe='')}")
    assert hop_of(uri).host == host
    assert not is_ip(host)
    assert is_ip("fe80::1%eth0.5")


def options(
    *fields: str, via: str = "SIP/2.0/UDP 192.0.2.66;branch=z9hG4bKa", to: str = ""
) -> bytes:
    lines = [
        "OPTIONS sip:b@10.0.0.2 SIP/2.0",
        f"Via: {via}",
        "From: <sip:e@192.0.2.66>;tag=e",
        f"To: {to or '<sip:b@10.0.0.2>'}",
        "Call-ID: evil",
        "CSeq: 1 OPTIONS",
        *fields,
    ]
    return sip("\n".join(lines))


def sends(data: bytes, hop: Hop = PEER) -> list[Send]:
    end = End("bob", "10.0.0.2")
    end.endpoint.receive(data, hop, 0.0)
    return [each for each in end.endpoint.take() if isinstance(each, Send)]


class TestWhatIsRepeated:
    """What came from them and goes out again from us."""

    def test_a_via_cannot_become_two(self):
        evil = 'SIP/2.0/UDP 192.0.2.66;x="a, SIP/2.0/UDP 10.9.9.9;y=";branch=z9hG4bKa;rport'
        [send] = sends(options(via=evil))
        response = parse(send.data)
        assert len(response.all("via")) == 1
        assert response.via.param("x") == "a, SIP/2.0/UDP 10.9.9.9;y="
        assert response.via.branch == "z9hG4bKa"
        assert (response.via.param("rport"), response.via.param("received")) == ("4444", PEER.host)

    @pytest.mark.parametrize("port", ["65536", "99999"])
    def test_a_port_that_is_none_is_not_sent_to(self, port: str):
        assert sends(options(via=f"SIP/2.0/UDP 192.0.2.66:{port};branch=z9hG4bKa")) == []

    def test_even_a_refusal_goes_to_where_it_was_heard_from(self):
        """RFC 3261 section 18.2.1: received is stamped whatever else is wrong."""
        data = options(via="SIP/2.0/UDP 10.77.0.1;branch=z9hG4bKa;rport").replace(b"1 OPT", b"1 X")
        [send] = sends(data)
        assert send.hop == PEER
        assert parse(send.data).via.param("received") == PEER.host

    def test_blanks_that_are_none_are_kept(self):
        """Only SP and HTAB surround a value: others are part of what the peer compares."""
        [send] = sends(options().replace(b"Call-ID: evil", b"Call-ID:  \xc2\xa0evil\x1f\x0b "))
        assert b"\r\nCall-ID: \xc2\xa0evil\x1f\x0b\r\n" in send.data

    def test_bytes_that_are_no_utf8_come_back_as_they_were(self):
        [send] = sends(options(to='"x" <sip:b:%ff\x7e@10.0.0.2>').replace(b'"x"', b'"\xff\xfe"'))
        assert b'To: "\xff\xfe" <sip:b:%ff\x7e@10.0.0.2>;tag=' in send.data

    @pytest.mark.parametrize("nul", [b"\0", b"a\0b", b'"\0"'])
    def test_a_nul_that_is_no_quoted_pair_goes_nowhere(self, nul: bytes):
        assert sends(options().replace(b"Call-ID: evil", b"Call-ID: " + nul)) == []


class TestUris:
    @pytest.mark.parametrize(
        "raw",
        [
            b"sip:a:\xff@h",
            b"sip:\xff:\xfe@h;x=\xff?\xff=\xff",
            b"sip:%ff%00:%fe@h",
            b"tel:%0d%0aX:1",
            b"tel:\xff%20",
            b"sip:a%0d%0aX-Evil:%201@h",
        ],
    )
    def test_whatever_was_read_can_be_written_on_one_line(self, raw: bytes):
        uri = parse_uri(raw.decode("utf-8", "surrogateescape"))
        written = str(uri)
        assert parse_uri(written) == uri
        Request((), b"", "INVITE", written).encode()

    def test_what_is_remembered_of_addresses_is_bounded(self):
        """A stranger may send a different one each time."""
        tracemalloc.start()
        try:
            for number in range(2000):
                parse_address(f"<sip:a@h>;p={number}{'x' * 20_000}")
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 5_000_000


class TestTags:
    @pytest.mark.parametrize("to", ["<sip:b@h>;tag", "<sip:b@h>;tag=", '<sip:b@h>;TAG=""'])
    def test_an_empty_tag_is_400(self, to: str):
        """It would be a dialog that nobody can name."""
        [send] = sends(options(to=to))
        assert word(parse(send.data)) == "400"


class TestNumbers:
    @pytest.mark.parametrize("field", ["Content-Length", "Max-Forwards", "l"])
    def test_one_that_is_too_long_is_400(self, field: str):
        wrong = fault(parse(options(f"{field}: {FAR_TOO_LONG}")))
        assert wrong
        assert wrong.status == 400

    def test_a_registrar_cannot_grant_an_eternity(self):
        fields = [("Contact", f"<sip:me@h>;expires={FAR_TOO_LONG}"), ("Expires", FAR_TOO_LONG)]
        ours = Enrolment(
            "sip:h", "h", "me", Hop("UDP", "h", 5060), digest.Credentials("me", "secret")
        )
        assert ours.granted(Response(tuple(fields), b"", 200), 600) == 600

    def test_nor_a_description_have_such_types(self):
        body = f"v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0 {FAR_TOO_LONG}\r\n"
        [media] = sdp.parse(f"{body}a=rtpmap:{FAR_TOO_LONG} PCMU/8000\r\n".encode())
        assert media.codecs == {0: "PCMU/8000"}

    @pytest.mark.parametrize("count", ["f" * 9, "0x1", " 1", "1_0", "", "-1"])
    def test_nor_an_answer_to_a_challenge_such_a_count(self, count: str):
        server = digest.Server("r", b"k", lambda: "ab" * 16, ("MD5",))
        given = digest.parse(server.challenges(0)[0]) | {
            "username": "ann", "uri": "sip:h", "cnonce": "c", "nc": count, "qop": "auth",
        }  # fmt: skip
        right = digest.response_of(
            digest.Credentials("ann", "secret"), "REGISTER", "sip:h", b"", given
        )
        answer = "Digest " + ", ".join(
            f'{k}="{v}"' for k, v in (given | {"response": right}).items()
        )
        verdict, _ = server.check([answer], "REGISTER", "sip:h", b"", {"ann": "secret"}, 0)
        assert verdict == "stale"


class TestInACall:
    def test_a_reason_that_cannot_be_read_ends_the_call_as_any(self):
        talk = Talk()
        caller, _ = talk.answered()
        data = in_dialog(talk, caller, "BYE", 'Reason: SIP;cause=200;text="open')
        talk.callee.endpoint.receive(data, talk.caller.hop, talk.now)
        talk.line.flush()
        over = talk.callee.one(Over)
        assert (over.by, over.reason) == ("far", 'SIP;cause=200;text="open')
        assert talk.callee.said()[-1] == "200"

    @pytest.mark.parametrize("contact", ["<mailto:x@h>", "<tel:+1555>", "*"])
    def test_a_contact_that_is_no_place_for_sip_moves_nobody(self, contact: str):
        talk = Talk()
        caller, callee = talk.answered()
        before = callee.dialog.target
        data = in_dialog(talk, caller, "INVITE", f"Contact: {contact}")
        talk.callee.endpoint.receive(data, talk.caller.hop, talk.now)
        talk.line.flush()
        talk.callee.one(Offered).session.accept(b"answer", talk.now)
        assert callee.dialog.target == before

    @pytest.mark.parametrize(("status", "code"), [(302, 302), (486, 486), (200, 502)])
    def test_one_that_cannot_be_read_makes_no_answer_unheard(self, status: int, code: int):
        """Nobody would know that the call is over: it would ring for as long as it may."""
        talk = Talk()
        talk.invite()
        invited = talk.caller.messages()[0]
        assert isinstance(invited, Request)
        answer = respond(invited, status, (("Contact", "<sip:b b@h>"),), tag="b")
        talk.caller.endpoint.receive(answer.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.one(Over).code == code

    def test_nor_does_it_move_anybody(self):
        talk = Talk()
        caller, _ = talk.answered()
        before = caller.dialog.target
        talk.line.fates["10.0.0.1"] = lose(1, "INVITE")
        caller.reinvite(b"hold", talk.now)
        talk.line.flush()
        asked = talk.caller.messages()[-1]
        assert isinstance(asked, Request)
        answer = respond(asked, 200, (("Contact", "<sip:b b@h>"),), body=b"held")
        talk.caller.endpoint.receive(answer.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.said()[-1] == "ACK"
        assert talk.caller.one(Reanswered).response
        assert caller.dialog.target == before

    def test_a_contact_that_is_not_utf8_can_be_called_back(self):
        talk = Talk()
        caller, callee = talk.answered()
        data = in_dialog(talk, caller, "UPDATE", "Contact: <sip:a:PASS@10.0.0.1>")
        data = data.replace(b"PASS", b"\xff\xfe")
        talk.callee.endpoint.receive(data, talk.caller.hop, talk.now)
        callee.bye(talk.now)
        talk.line.run(1)
        assert talk.callee.messages()[-1].method == "BYE"  # type: ignore[union-attr]

    @pytest.mark.parametrize("cseq", [0, 1, 2**31 - 1])
    def test_a_number_out_of_order_changes_nothing(self, cseq: int):
        """Section 12.2.2: 500 below the last; any jump upwards is allowed."""
        talk = Talk()
        caller, _ = talk.answered()
        data = in_dialog(talk, caller, "BYE", cseq=cseq)
        talk.callee.endpoint.receive(data, talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == ("200" if cseq > 1 else "500")
        assert len(talk.callee.all(Over)) == (cseq > 1)

    def test_a_forged_ack_confirms_nothing(self):
        talk = Talk()
        talk.invite()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.line.now = 0.0
        invite = talk.caller.sent[0][1]
        talk.callee.endpoint.receive(invite, talk.caller.hop, 0.0)
        talk.line.flush()
        session = talk.incoming().answer(b"answer", 0.0)
        assert session
        ack = in_dialog(talk, session, "ACK", cseq=7)
        ack = ack.replace(b"From: ", b"X: ").replace(b"To: ", b"From: ").replace(b"X: ", b"To: ")
        talk.callee.endpoint.receive(ack, talk.caller.hop, 0.0)
        talk.line.run(2)
        assert talk.callee.said().count("200") > 1  # repeated: it waits for the ACK of its INVITE


@pytest.mark.parametrize("text", ['"open', "a, <open", ";" * 30_000, "," * 30_000, "<" * 9000])
def test_time_does_not_grow_with_the_square_of_what_is_sent(text: str):
    """It is read or refused; a list or a parameter that backtracked would not come to an end."""
    data = options(f"Via: {text}", f"Contact: {text}", f"Require: {text}")
    try:
        message = parse(data)
    except BadSip:
        return
    assert isinstance(fault(message), BadSip | None)
