"""What SBCs, PBXs and providers do that is odd or rare: the call comes up all the same, or is
refused in so many words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from sip_carriers import Phone, carrier, first_lines, not_ringing, target
from sip_ends import Talk, counter
from sip_peer import SDP, ack, description, field, invite, sender, sender_call
from sip_provider import provider

from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.sip.digest import Server
from offhook.sip.message import Request, Response, respond
from offhook.sip.session import Info

PEER = "127.0.0.8"
NUMBER = "+493012345678"
TRUNK = Trunk("provider", address=PEER, username="ann", password="secret")
CONTACT = ("Contact", f"<sip:{PEER}>")
SOUND = (SDP.format(host=PEER)).replace("\n", "\r\n").encode()
DESCRIBED = ("Content-Type", "application/sdp")


def accepted(request: Request, *fields: tuple[str, str], body: bytes = SOUND) -> Response:
    if request.method != "INVITE":
        return respond(request, 200, tag="p")
    return respond(request, 200, (*(fields or (CONTACT,)), DESCRIBED), tag="p", body=body)


class Challenging:
    """Answers what is asked with credentials, or is none of the methods that are `guarded`."""

    def __init__(self, *guarded: str) -> None:
        self.guarded = guarded
        self.server = Server("trunk", b"k", counter("p"))
        self.known: list[str] = []  # methods that were let in with an answer

    def __call__(self, request: Request) -> Response | None:
        if request.method == "ACK":
            return None
        given = request.values("authorization")
        by = {"ann": "secret"}
        verdict = self.server.check(given, request.method, request.uri, request.body, by, 0)[0]
        if request.method in self.guarded and verdict != "right":
            [challenge, *_] = self.server.challenges(0)
            return respond(request, 401, (("WWW-Authenticate", challenge),), tag="p")
        self.known += [request.method] if given else []
        return accepted(request)


async def test_a_trunk_may_challenge_the_bye_of_a_call_that_a_crash_interrupted():
    far = await provider(PEER)
    far.answer = guard = Challenging("INVITE", "BYE")
    network = asyncio.get_running_loop().network  # type: ignore[attr-defined]
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as before:
        leg = await before.dial(target(NUMBER), not_ringing)
        kept = leg.about.dialog
        usual, network.fate = network.fate, lambda datagram: ()
    network.fate = usual
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as after:
        await after.bye(kept)
    assert guard.known == ["INVITE", "BYE"]


async def test_an_answer_without_contact_is_a_call_by_the_way_that_the_invite_took():
    """Of a trunk behind a proxy, too, which records no route."""
    far, proxy = await provider(PEER), await provider("127.0.0.9")
    for peer in (far, proxy):
        peer.answer = lambda request: accepted(request, ("Server", "x"))
    for trunk, taking in ((TRUNK, far), (replace(TRUNK, proxy="127.0.0.9"), proxy)):
        async with carrier("127.0.0.1", Phone(), trunks=(trunk,)) as here:
            leg = await here.dial(target(NUMBER), not_ringing)
            await leg.hang_up()
            invited, ended = taking.last("INVITE"), taking.last("BYE")
            assert (ended.uri, ended.values("route")) == (invited.uri, invited.values("route"))
            assert taking.last("ACK").uri == invited.uri


@pytest.mark.parametrize("status", [300, 301, 302, 305, 380])
async def test_nobody_sends_our_calls_elsewhere(status: int):
    """Who is called elsewhere is called for our money: a redirection is a refusal."""
    far, other = await provider(PEER), await provider("127.0.0.9")
    moved = ("Contact", "<sip:+882990001111@127.0.0.9>")
    far.answer = lambda request: respond(request, status, (moved,), tag="p")
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as here:
        for to in (NUMBER, f"sip:bob@{PEER}"):
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(to), not_ringing)
            assert refused.value.code == status
    assert other.asked == []


class TestInfo:
    @pytest.mark.parametrize(("package", "status"), [("", "200"), ("g.3gpp.ussd", "469")])
    def test_a_package_that_we_did_not_announce_is_469(self, package: str, status: str):
        talk = Talk()
        caller, _ = talk.answered()
        asked = caller.dialog.request("INFO", (("Info-Package", package),) if package else ())
        asked = asked.via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKi")
        talk.callee.endpoint.receive(asked.encode(), talk.caller.hop, talk.now)
        talk.line.run()
        assert talk.callee.said()[-1] == status
        answer = talk.callee.messages()[-1]
        assert bool(answer.values("recv-info")) == (status == "469")
        assert len(talk.callee.all(Info)) == (status == "200")


async def test_an_offer_of_ours_that_is_not_answered_later_leaves_the_sound_as_it_is():
    """Some refresh a call by a re-INVITE without a description, and have none in its ACK either."""
    phone = Phone()
    async with carrier("127.0.0.2", phone):
        call = await sender_call("127.0.0.1")
        again = invite("127.0.0.1", "", branch="2", cseq="2", to=field(call.answer, "To"))
        call.peer.says(again)
        assert "m=audio" in description(await call.hears("SIP/2.0 200"))
        call.peer.says(ack("127.0.0.1", field(call.answer, "To"), "2"))
        await asyncio.sleep(1)
        said = first_lines(phone.leg)
        assert said[-1].startswith("received ACK")
        assert not phone.leg.ended.done()


@pytest.mark.parametrize("tags", [("a", "a"), ("a", "b"), ("", "b")])
async def test_who_described_his_sound_early_need_not_do_it_again(tags: tuple[str, str]):
    """Whatever tags they have: what stands between may have given another phone's."""
    far = await provider(PEER)

    def answers(request: Request) -> Response | None:
        if request.method != "INVITE":
            return accepted(request)
        early = respond(request, 183, (CONTACT, DESCRIBED), tag=tags[0], body=SOUND)
        far.transport.sendto(early.encode(), ("127.0.0.1", 5060))
        return respond(request, 200, (CONTACT,), tag=tags[1])

    far.answer = answers
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as here:
        leg = await here.dial(target(NUMBER), not_ringing)
        ear = await sender(PEER, 30000)
        tone = asyncio.ensure_future(leg.media.play_tone((((440,), 1.0),)))
        async with asyncio.timeout(5):
            await ear.heard.get()
        tone.cancel()
        await leg.hang_up()


KEY = (("Content-Type", "application/dtmf-relay"),)


@pytest.mark.parametrize("by", ["who calls", "who is called"])
def test_an_info_of_a_call_that_rings_is_none_of_an_offer_and_is_200(by: str):
    talk = Talk()
    talk.invite()
    talk.line.run()
    talk.incoming().ring(talk.now)
    talk.line.run()
    [invited, *_] = talk.caller.messages()
    rang = talk.callee.messages()[-1]
    ours, theirs = (invited.get("from"), rang.get("to")), (rang.get("to"), invited.get("from"))
    from_, to = ours if by == "who calls" else theirs
    asking, asked = (talk.caller, talk.callee) if by == "who calls" else (talk.callee, talk.caller)
    head = (("From", from_), ("To", to), ("Call-ID", invited.call_id), ("CSeq", "2 INFO"), *KEY)
    info = Request(head, b"Signal=5", "INFO", "sip:x@10.0.0.2")
    info = info.via_first(f"SIP/2.0/UDP {asking.hop.host};branch=z9hG4bKinfo")
    asked.endpoint.receive(info.encode(), asking.hop, talk.now)
    talk.line.flush()
    assert asked.said()[-1] == "200"


@pytest.mark.parametrize(
    "fields", [("Contact: <sip:b@pbx.local>",), ("Record-Route: <sip:proxy.local;lr>",)]
)
async def test_who_gives_a_name_that_nobody_knows_is_where_he_was_heard(fields: tuple[str, ...]):
    phone = Phone()
    async with carrier("127.0.0.2", phone):
        peer = await sender("127.0.0.1")
        asked = invite("127.0.0.1", None, *fields)
        if "Contact" in fields[0]:
            asked = asked.replace(b"Contact: <sip:127.0.0.1>\r\n", b"")
        peer.says(asked)
        answer = await peer.hears("SIP/2.0 200")
        peer.says(ack("127.0.0.1", field(answer, "To")))
        await asyncio.sleep(1)
        ending = asyncio.ensure_future(phone.leg.hang_up())
        assert (await peer.hears("BYE")).startswith("BYE sip:")
        ending.cancel()


def test_sealed_signalling_does_not_go_elsewhere_in_the_clear():
    talk = Talk()
    _, callee = talk.answered()
    for contact, where in (("sip:b@pbx.local", callee.dialog.source), ("sips:b@pbx.local", None)):
        callee.dialog.target = contact
        assert callee.dialog.hop().otherwise == where


ISUP = (
    ("Content-Type", "application/isup;version=itu-t92+"),
    ("Content-Disposition", "signal;handling=optional"),
)


@pytest.mark.parametrize("status", [183, 200])
async def test_an_answer_that_is_in_isup_alone_says_nothing_of_the_sound(status: int):
    """An SBC between us and the telephone network may hand on its messages (RFC 3372)."""
    far = await provider(PEER)

    def answers(request: Request) -> Response | None:
        if request.method != "INVITE":
            return accepted(request)
        for early, fields, body in ((183, (DESCRIBED,), SOUND), (status, ISUP, b"\x06\0")):
            said = respond(request, early, (CONTACT, *fields), tag="p", body=body)
            far.transport.sendto(said.encode(), ("127.0.0.1", 5060))
        return accepted(request) if status == 183 else None

    far.answer = answers
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as here:
        rang: list[bool] = []
        leg = await here.dial(target(NUMBER), lambda leg, early: rang.append(early))
        assert set(rang) == {True}
        await leg.hang_up()


PARTS = "--b\nContent-Type: application/pidf+xml\nContent-Disposition: {}\n\n<x/>\n--b--\n"


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        (ISUP, "x", "200"),
        (ISUP[:1], "x", "415"),
        (
            [("Content-Type", "multipart/mixed;boundary=b")],
            PARTS.format("x;handling=optional"),
            "200",
        ),
        ([("Content-Type", "multipart/mixed;boundary=b")], PARTS.format("x"), "415"),
    ],
)
async def test_what_need_not_be_understood_of_a_call_is_left_aside(
    fields: Sequence[tuple[str, str]], body: str, status: str
):
    """RFC 3261 section 8.2.3. A call without a description leaves the offer to us."""
    async with carrier("127.0.0.2", Phone()):
        peer = await sender("127.0.0.1")
        head = invite("127.0.0.1", "", *(f"{name}: {value}" for name, value in fields))
        peer.says(head + body.replace("\n", "\r\n").encode())
        answer = await peer.hears(f"SIP/2.0 {status}")
        assert ("m=audio" in description(answer)) == (status == "200")


async def test_a_phone_that_will_not_be_heard_while_it_rings_has_no_sound_of_its_own():
    """Its caller goes on hearing that it rings (RFC 3960 section 3.2)."""
    far = await provider(PEER)

    def answers(request: Request) -> Response | None:
        if request.method != "INVITE":
            return accepted(request)
        for status, more in ((183, b"a=inactive\r\n"), (180, b""), (183, b"")):
            body = SOUND + more if status == 183 else b""
            fields = (CONTACT, DESCRIBED) if body else (CONTACT,)
            said = respond(request, status, fields, tag="p", body=body)
            far.transport.sendto(said.encode(), ("127.0.0.1", 5060))
        return accepted(request)

    far.answer = answers
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as here:
        rang: list[bool] = []
        leg = await here.dial(target(NUMBER), lambda leg, early: rang.append(early))
        assert rang == [False, False, True]
        await leg.hang_up()


NUMBERED = (("Require", "100rel"), ("RSeq", "7"))


@pytest.mark.parametrize(
    "says",
    [
        [(180, "", (), b""), (200, "p", (CONTACT, DESCRIBED), SOUND)],  # as before RFC 3261
        [(200, "", (CONTACT, DESCRIBED), SOUND)],
        [(183, "p", (*NUMBERED, DESCRIBED), SOUND), (200, "p", (CONTACT,), b"")],
        [(183, "p", (CONTACT, DESCRIBED), b"garbage"), (202, "p", (CONTACT, DESCRIBED), SOUND)],
        [(200, "p", (CONTACT,), SOUND)],
        [(200, "p", (("m", f'"A, B" <sip:{PEER}>;q=1, <sip:127.0.0.9>'), DESCRIBED), SOUND)],
        [(200, "p", (("Contact", "*"), DESCRIBED), SOUND), (180, "p", (), b"")],
    ],
)
async def test_a_call_that_was_answered_after_a_fashion_can_be_ended(
    says: list[tuple[int, str, tuple[tuple[str, str], ...], bytes]],
):
    far = await provider(PEER)

    def answers(request: Request) -> Response | None:
        if request.method != "INVITE":
            return respond(request, 200)
        for status, tag, fields, body in says:
            said = respond(request, status, fields, tag=tag, body=body)
            far.transport.sendto(said.encode(), ("127.0.0.1", 5060))
        return None

    far.answer = answers
    async with carrier("127.0.0.1", Phone(), trunks=(TRUNK,)) as here:
        leg = await here.dial(target(NUMBER), not_ringing)
        await asyncio.sleep(1)
        assert not leg.ended.done()
        await leg.hang_up()
    assert [each.method for _, each in far.asked if each.method != "PRACK"] == [
        *("INVITE", "ACK", "BYE")
    ]


@pytest.mark.parametrize(("register", "host"), [(True, PEER), (False, "127.0.0.1")])
async def test_where_we_are_registered_we_call_as_somebody_of_that_domain(
    register: bool, host: str
):
    """Registrars that route calls by their accounts know of no others."""
    far = await provider(PEER)
    far.answer = accepted
    trunk = replace(TRUNK, register=register, caller_id_header="P-Asserted-Identity")
    async with carrier("127.0.0.1", Phone(), trunks=(trunk,)) as here:
        await asyncio.sleep(1)
        leg = await here.dial(target(NUMBER), not_ringing)
        asked = far.last("INVITE")
        assert asked.from_.uri == f"sip:+15550002222@{host}"
        assert asked.get("p-asserted-identity") == f"<sip:+15550002222@{host}>"
        await leg.hang_up()
