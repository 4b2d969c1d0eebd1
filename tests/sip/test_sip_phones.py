"""Phones at SIP domains: they register, call and are called.  reference: REST voice, SIP."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from dataclasses import replace
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from sip_carriers import KEPT, Phone, carrier, not_ringing, sip_of, target, traced
from sip_ends import sip
from sip_peer import SDP, Sender, ack, field, sender
from sqlalchemy.sql.elements import BindParameter

from offhook import clock
from offhook.carriers.sip_carrier import Directory, SipCarrier, SipSettings
from offhook.carriers.sip_phones import fork
from offhook.errors import CarrierError
from offhook.exchange import sip_homes
from offhook.line.leg import Leg
from offhook.media.plane import MediaPlane
from offhook.model.sip_domains import (
    REALM,
    SipAddress,
    SipCredential,
    SipDomain,
    SipList,
    SipMapping,
    digests,
    mapping_claim,
)
from offhook.model.sip_registrations import Home
from offhook.sip import digest
from offhook.sip.inbound import Inbound
from offhook.sip.outbound import Outbound
from offhook.store import sip_domains as tables
from offhook.testing import Offhook, Request

DOMAIN = "desk.sip.twilio.com"
PASSWORD = "Correct-Horse-1"
COMPLETED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'  # RFC 3326 section 3.1


@pytest.fixture
def offhook_settings() -> dict[str, Any]:
    return {"sip_proxies": ("127.0.0.44",)}


def _sid(prefix: str, number: int) -> str:
    return prefix + f"{number:032x}"


async def set_up(offhook: Offhook, voice: Any = "", **more: Any) -> None:
    """The domain, with alice and bob who may register and call."""
    at, account = clock.utc(), offhook.platform.account.sid
    users = _sid("CL", 1)

    def write(connection: Any) -> None:
        domain = SipDomain(
            _sid("SD", 1), account, DOMAIN, at, at,
            **({"voice_url": offhook.url(voice), "sip_registration": True} | more),
        )  # fmt: skip
        tables.domains.insert(connection, domain)
        tables.lists.insert(connection, SipList(users, account, "users", at, at))
        for number, name in enumerate(("alice", "bob")):
            md5, sha = digests(name, PASSWORD)
            made = SipCredential(_sid("CR", number), account, users, name, REALM, md5, sha, at, at)
            tables.credentials.insert(connection, made)
        for use in ("calls", "registrations"):
            claim = mapping_claim(domain.sid, use, users)
            tables.mappings.insert(
                connection, SipMapping(use, account, domain.sid, users, use, claim, at, at)
            )  # type: ignore[arg-type]

    await offhook.platform.exchange.store.write(write)


class Desk:
    """A SIP phone by hand, at an address of its own."""

    def __init__(self, peer: Sender, host: str, to: tuple[str, int], user: str) -> None:
        self.peer, self.host, self.to, self.user = peer, host, to, user
        self.password = PASSWORD
        self.passed_on_from = ""  # "UDP 127.0.0.5", if this is the proxy in front of it
        self._cseq = 0

    async def asks(self, method: str, uri: str, to: str, *fields: str, body: str = "") -> str:
        """The final answer, a challenge met."""
        answer = await self._ask(method, uri, to, fields, body)
        for status, ask, reply in (
            ("401", "WWW-Authenticate", "Authorization"),
            ("407", "Proxy-Authenticate", "Proxy-Authorization"),
        ):
            if answer.startswith(f"SIP/2.0 {status}"):
                known = digest.Credentials(self.user, self.password)
                login = digest.Client(known, lambda: "c" * 32)
                met = login.answer([field(answer, ask)], method, uri)
                return await self._ask(method, uri, to, (*fields, f"{reply}: {met}"), body)
        return answer

    async def _ask(self, method: str, uri: str, to: str, fields: tuple[str, ...], body: str) -> str:
        self._cseq += 1
        lines = "\n".join(
            [
                f"{method} {uri} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.host};rport;branch=z9hG4bK{method}{self._cseq}",
                *([f"Via: SIP/2.0/{self.passed_on_from}"] if self.passed_on_from else []),
                f"From: <sip:{self.user}@{DOMAIN}>;tag=a",
                f"To: {to}",
                f"Call-ID: {method}@{self.host}",
                f"CSeq: {self._cseq} {method}",
                *fields,
                *(["Content-Type: application/sdp"] if body else []),
            ]
        )
        self.peer.says(sip(f"{lines}\n\n{body}"), *self.to)
        while True:
            answer = await self.peer.hears("SIP/2.0")
            if not answer.startswith("SIP/2.0 1"):
                return answer

    async def registers(self, *fields: str, user: str = "") -> str:
        user = user or self.user
        contact = f"Contact: <sip:{user}@{self.host}>"
        return await self.asks(
            "REGISTER", f"sip:{DOMAIN}", f"<sip:{user}@{DOMAIN}>", contact, *fields
        )

    async def calls(self, uri: str, body: str = SDP) -> str:
        body = body.format(host=self.host)
        contact = f"Contact: <sip:{self.host}>"
        answer = await self.asks("INVITE", uri, f"<{uri}>", contact, body=body)
        acked = ack(self.host, field(answer, "To"), str(self._cseq))
        self.peer.says(acked.replace(b"raw@", b"INVITE@"), *self.to)
        return answer


async def desk(sip_: SipCarrier, host: str, user: str = "alice") -> Desk:
    return Desk(await sender(host), host, sip_.address, user)


def codes(offhook: Offhook) -> list[int]:
    return [each.error_code for each in offhook.notifications]


class TestRegistering:
    async def test_a_user_of_the_domain_logs_in(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            answer = await phone.registers("Expires: 700")
            assert answer.startswith("SIP/2.0 200")
            assert field(answer, "Contact") == "<sip:alice@127.0.0.5>;expires=700"

    async def test_a_wrong_password_is_challenged_again(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            phone.password = "wrong"
            assert (await phone.registers()).startswith("SIP/2.0 401")
            nobody = await desk(here, "127.0.0.6", "nobody")
            assert (await nobody.registers()).startswith("SIP/2.0 401")

    async def test_nobody_registers_for_another(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            assert (await phone.registers(user="bob")).startswith("SIP/2.0 403")
            await asyncio.sleep(1)
            assert codes(offhook) == [32210]

    async def test_a_domain_that_takes_none_says_so_to_its_owner(self, offhook: Offhook):
        await set_up(offhook, sip_registration=False)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            assert (await phone.registers()).startswith("SIP/2.0 403")
            await asyncio.sleep(1)
            assert codes(offhook) == [32215]

    async def test_a_domain_of_nobody_is_403(self, offhook: Offhook):
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            assert (await phone.registers()).startswith("SIP/2.0 403")

    async def test_too_short_a_time_is_423_and_told(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            answer = await phone.registers("Expires: 60")
            assert answer.startswith("SIP/2.0 423")
            assert field(answer, "Min-Expires") == "600"
            await asyncio.sleep(1)
            assert codes(offhook) == [32214]

    async def test_a_proxy_that_wants_to_stay_in_the_way_does(self, offhook: Offhook):
        """RFC 3327 sections 5.2 and 5.3: the Path is kept, told, and the Route of calls."""
        await set_up(offhook)
        path = "<sip:127.0.0.8;lr;received=sip:127.0.0.5:5060>"
        async with sip_of(offhook) as here:
            phone, proxy = await desk(here, "127.0.0.5"), await sender("127.0.0.8")
            answer = await phone.registers(f"Path: {path}", "Require: path", "Supported: path")
            assert (answer[:11], field(answer, "Path")) == ("SIP/2.0 200", path)
            dialing = asyncio.ensure_future(here.dial(target(f"sip:alice@{DOMAIN}"), not_ringing))
            call = await proxy.hears("INVITE sip:alice@127.0.0.5 ")
            assert field(call, "Route") == path
            dialing.cancel()
            refuses(proxy, call, here.address)
            await asyncio.gather(dialing, return_exceptions=True)

    async def test_what_a_phone_insists_on_and_we_lack_is_420(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            answer = await phone.registers("Require: path, gruu")
            assert (answer[:11], field(answer, "Unsupported")) == ("SIP/2.0 420", "gruu")

    async def test_a_phone_is_told_the_time(self, offhook: Offhook):
        """RFC 3261 section 10.3 step 8: many have no other clock."""
        await set_up(offhook)
        async with sip_of(offhook) as opened:
            answer = await (await desk(opened, "127.0.0.5")).registers()
        told = parsedate_to_datetime(field(answer, "Date"))
        assert abs((told - clock.utc()).total_seconds()) < 2


class TestCallingADomain:
    async def test_its_voice_url_answers(self, offhook: Offhook):
        asked: list[Request] = []

        def voice(request: Request) -> str:
            asked.append(request)
            return "<Response><Pause length='5'/></Response>"

        await set_up(offhook, voice)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            assert (await phone.calls(f"sip:100@{DOMAIN}")).startswith("SIP/2.0 200")
            told = asked[0].params
            assert told["To"] == f"sip:100@{DOMAIN}"
            assert told["From"] == f"sip:alice@{DOMAIN}"
            assert (told["SipDomain"], told["SipDomainSid"]) == (DOMAIN, _sid("SD", 1))
            assert (told["SipCallId"], told["SipSourceIp"]) == ("INVITE@127.0.0.5", "127.0.0.5")
            assert told["Direction"] == "inbound"

    async def test_a_stranger_is_asked_and_gets_no_further(self, offhook: Offhook):
        await set_up(offhook, lambda request: "<Response/>")
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5", "mallory")
            assert (await phone.calls(f"sip:100@{DOMAIN}")).startswith("SIP/2.0 407")

    async def test_a_caller_who_is_asked_who_he_is_leaves_nothing_to_the_collector(
        self, offhook: Offhook, uncollected: None
    ):
        await set_up(offhook, lambda request: "<Response><Reject/></Response>")
        async with sip_of(offhook) as here:
            calls, parameters = [], []
            for host in ("127.0.0.5", "127.0.0.6"):
                phone = await desk(here, host)
                assert (await phone.calls(f"sip:100@{DOMAIN}")).startswith("SIP/2.0 404")
                await asyncio.sleep(KEPT)
                kinds = Counter(type(each) for each in gc.get_objects())
                calls.append(kinds[Inbound])
                parameters.append(kinds[BindParameter])
            assert calls == [1, 2], "those let in, which the test kit remembers"
            assert parameters[0] == parameters[1], "of statements, which the first call made"

    @pytest.mark.parametrize(("network", "status"), [("127.0.0.5", "200"), ("127.0.0.9", "403")])
    async def test_where_both_are_asked_for_both_must_be_right(
        self, offhook: Offhook, network: str, status: str
    ):
        await set_up(offhook, lambda request: "<Response><Pause/></Response>")
        at, account, listed = clock.utc(), offhook.platform.account.sid, _sid("AL", 1)

        def write(connection: Any) -> None:
            claim = mapping_claim(_sid("SD", 1), "calls", listed)
            tables.lists.insert(connection, SipList(listed, account, "x", at, at, "addresses"))
            address = SipAddress(_sid("IP", 1), account, listed, "x", network, at, at)
            tables.addresses.insert(connection, address)
            mapping = SipMapping("networks", account, _sid("SD", 1), listed, "calls", claim, at, at)
            tables.mappings.insert(connection, mapping)

        await offhook.platform.exchange.store.write(write)
        async with sip_of(offhook) as here:
            phone = await desk(here, "127.0.0.5")
            assert (await phone.calls(f"sip:100@{DOMAIN}")).startswith(f"SIP/2.0 {status}")
            behind = await desk(here, "127.0.0.44")
            behind.passed_on_from = "UDP 127.0.0.5"
            assert (await behind.calls(f"sip:100@{DOMAIN}")).startswith(f"SIP/2.0 {status}")


def dialling_alice(offhook: Offhook) -> list[Request]:
    """A number that dials her; what its application is told in the end."""
    outcome: list[Request] = []

    def ended(request: Request) -> str:
        outcome.append(request)
        return "<Response/>"

    verbs = f"<Dial action='{offhook.url(ended)}'><Sip>sip:alice@{DOMAIN}</Sip></Dial>"
    offhook.number("+15550100", voice=lambda request: f"<Response>{verbs}</Response>")
    return outcome


def calls_out() -> list[Outbound]:
    """All there are, of this test and others."""
    return [each for each in gc.get_objects() if isinstance(each, Outbound)]


def cancel_of(phone: Phone) -> str:
    """As it got it."""
    texts = [data["text"] for kind, data in traced(phone.leg) if kind == "sip"]
    [cancel] = [text for text in texts if text.startswith("CANCEL")]
    return cancel


class TestCallingAPhone:
    async def test_all_phones_of_a_user_ring_and_the_first_to_answer_has_the_call(
        self, offhook: Offhook
    ):
        await set_up(offhook)
        outcome = dialling_alice(offhook)
        deaf, quick = Phone(answers=False), Phone()
        async with (
            sip_of(offhook) as here,
            carrier("127.0.0.5", deaf),
            carrier("127.0.0.6", quick),
        ):
            first, second = await desk_at(here, "127.0.0.5"), await desk_at(here, "127.0.0.6")
            await first.registers()
            await second.registers()
            call = await offhook.call("+15550100")
            await asyncio.sleep(5)
            assert len(quick.legs) == len(deaf.legs) == 1
            assert deaf.leg.ended.done()
            assert field(cancel_of(deaf), "Reason") == COMPLETED_ELSEWHERE
            assert not quick.leg.ended.done()
            await quick.leg.hang_up()
            await asyncio.sleep(1)
            assert outcome[0].params["DialCallStatus"] == "completed"
            assert call is not None

    async def test_its_whisper_is_told_at_which_domain_it_is(self, offhook: Offhook):
        await set_up(offhook)
        asked: list[Request] = []

        def whisper(request: Request) -> str:
            asked.append(request)
            return "<Response/>"

        noun = f"<Sip url='{offhook.url(whisper)}'>sip:alice@{DOMAIN.title()};secure=false</Sip>"
        verbs = f"<Dial>{noun}</Dial>"
        offhook.number("+15550100", voice=lambda request: f"<Response>{verbs}</Response>")
        async with sip_of(offhook) as here, carrier("127.0.0.5", Phone()):
            await (await desk_at(here, "127.0.0.5")).registers()
            await offhook.call("+15550100")
            await asyncio.sleep(5)
        [told] = [request.params for request in asked]
        assert told["SipDomain"].lower() == DOMAIN
        assert (told["SipDomainSid"], told["SipSourceIp"]) == (_sid("SD", 1), "127.0.0.5")

    async def test_nobody_else_is_told_of_an_accounts_domain(self, offhook: Offhook):
        await set_up(offhook)
        exchange, to = offhook.platform.exchange, f"sip:alice@{DOMAIN}:5060;transport=tcp"
        sid = offhook.platform.account.sid
        assert await sip_homes.of_phone(exchange, sid, to) == {"SipDomainSid": _sid("SD", 1)}
        assert await sip_homes.of_phone(exchange, _sid("AC", 2), to) == {}

    async def test_it_has_missed_nothing_when_somebody_else_was_dialled_and_answered(
        self, offhook: Offhook
    ):
        await set_up(offhook)
        verbs = f"<Dial><Sip>sip:alice@{DOMAIN}</Sip><Sip>sip:bob@127.0.0.6</Sip></Dial>"
        offhook.number("+15550100", voice=lambda request: f"<Response>{verbs}</Response>")
        deaf, quick = Phone(answers=False), Phone(thinks=1)
        async with (
            sip_of(offhook) as here,
            carrier("127.0.0.5", deaf),
            carrier("127.0.0.6", quick),
        ):
            await (await desk_at(here, "127.0.0.5")).registers()
            await offhook.call("+15550100")
            await asyncio.sleep(5)
            assert not quick.leg.ended.done()
            assert field(cancel_of(deaf), "Reason") == COMPLETED_ELSEWHERE

    async def test_it_has_missed_a_call_whose_caller_gave_up(self, offhook: Offhook):
        await set_up(offhook)
        dialling_alice(offhook)
        deaf = Phone(answers=False)
        async with sip_of(offhook) as here, carrier("127.0.0.5", deaf):
            await (await desk_at(here, "127.0.0.5")).registers()
            call = await offhook.call("+15550100")
            await asyncio.sleep(5)
            await call.hang_up()
            await asyncio.sleep(1)
            assert "Reason" not in cancel_of(deaf)

    async def test_phones_that_all_refuse_leave_nothing_to_the_collector(
        self, offhook: Offhook, uncollected: None
    ):
        await set_up(offhook)
        outcome = dialling_alice(offhook)

        async def refuses(leg: Leg, to: str, from_: str) -> None:
            await leg.reject(486)

        async with (
            sip_of(offhook) as here,
            carrier("127.0.0.5", refuses),
            carrier("127.0.0.6", refuses),
        ):
            await (await desk_at(here, "127.0.0.5")).registers()
            await (await desk_at(here, "127.0.0.6")).registers()
            before = calls_out()
            await offhook.call("+15550100")
            await asyncio.sleep(KEPT)
            assert outcome[0].params["DialCallStatus"] == "busy"
            assert [each for each in calls_out() if each not in before] == []

    async def test_nobody_registered_is_no_answer_and_32220(self, offhook: Offhook):
        await set_up(offhook)
        outcome = dialling_alice(offhook)
        async with sip_of(offhook):
            await offhook.call("+15550100")
            await asyncio.sleep(3)
            assert outcome[0].params["DialCallStatus"] == "no-answer"
            assert outcome[0].params["DialSipResponseCode"] == "480"
            assert 32220 in codes(offhook)

    async def test_a_restart_forgets_those_whose_time_is_over(self, offhook: Offhook):
        await set_up(offhook)
        async with sip_of(offhook) as here:
            await (await desk(here, "127.0.0.5")).registers("Expires: 600")
        await offhook.platform.exchange.settle()
        offhook.platform.routes.pop()
        await asyncio.sleep(600)
        async with sip_of(offhook):
            await offhook.platform.exchange.settle()
        assert await sip_homes.registered(offhook.platform.exchange) == ()

    async def test_a_restart_forgets_nobody(self, offhook: Offhook):
        await set_up(offhook)
        phone = Phone()
        verbs = f"<Response><Dial><Sip>sip:alice@{DOMAIN}</Sip></Dial></Response>"
        offhook.number("+15550100", voice=lambda request: verbs)
        async with carrier("127.0.0.5", phone):
            async with sip_of(offhook) as here:
                await (await desk_at(here, "127.0.0.5")).registers()
            offhook.platform.routes.pop()
            await offhook.platform.exchange.settle()
            async with sip_of(offhook):
                await offhook.call("+15550100")
                await asyncio.sleep(3)
                assert len(phone.legs) == 1


SEALED = SDP.replace("RTP/AVP", "RTP/SAVP") + (
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n"
)


async def by_proxy(here: SipCarrier, transport: str) -> Desk:
    """A phone behind a proxy that we trust; it came there by this transport."""
    phone = await desk(here, "127.0.0.44")
    phone.passed_on_from = f"{transport} 127.0.0.5"
    return phone


def refuses(peer: Sender, call: str, to: tuple[str, int]) -> None:
    named = ("Via", "From", "Call-ID", "CSeq", "To")
    refusal = "\n".join(f"{name}: {field(call, name)}" for name in named)
    peer.says(sip(f"SIP/2.0 486 Busy\n{refusal};tag=x\n\n"), *to)


class TestASecureDomain:
    """Secure: nothing comes or goes in the clear, neither signalling nor sound."""

    async def test_its_phones_register_by_tls_alone(self, offhook: Offhook):
        await set_up(offhook, secure=True)
        async with sip_of(offhook) as here:
            assert (await (await desk(here, "127.0.0.5")).registers()).startswith("SIP/2.0 403")
            await asyncio.sleep(1)
            assert codes(offhook) == [32210]
            assert (await (await by_proxy(here, "TLS")).registers()).startswith("SIP/2.0 200")

    @pytest.mark.parametrize(
        ("transport", "body", "status"),
        [("TLS", SEALED, "200"), ("TLS", SDP, "488"), ("UDP", SEALED, "403"), ("WS", SDP, "403")],
    )
    async def test_calls_to_it_come_by_tls_with_sealed_sound(
        self, offhook: Offhook, transport: str, body: str, status: str
    ):
        await set_up(offhook, lambda request: "<Response><Pause/></Response>", secure=True)
        async with sip_of(offhook) as here:
            phone = await by_proxy(here, transport)
            answer = await phone.calls(f"sip:100@{DOMAIN}", body)
            assert answer.startswith(f"SIP/2.0 {status}")
            assert ("RTP/SAVP" in answer) == (status == "200")
            await asyncio.sleep(1)
            assert codes(offhook) == ([32014] if status == "403" else [])

    async def test_sealed_sound_stays_sealed(self, offhook: Offhook):
        """A re-INVITE that would have it in the clear is refused, and the call goes on."""
        await set_up(offhook, lambda request: "<Response><Pause length='9'/></Response>", secure=1)
        async with sip_of(offhook) as here:
            phone = await by_proxy(here, "TLS")
            answer = await phone.calls(f"sip:100@{DOMAIN}", SEALED)
            again = await phone.asks(
                "INVITE", f"sip:100@{DOMAIN}", field(answer, "To"),
                "Contact: <sip:127.0.0.44>", body=SDP.format(host="127.0.0.44"),
            )  # fmt: skip
            assert again.startswith("SIP/2.0 488")
            assert here.load.calls == 1

    @pytest.mark.parametrize(("secure", "profile"), [(True, "RTP/SAVP"), (False, "RTP/AVP")])
    async def test_its_phones_are_called_with_sealed_sound(
        self, offhook: Offhook, secure: bool, profile: str
    ):
        await set_up(offhook, secure=secure)
        async with sip_of(offhook) as here:
            phone = await by_proxy(here, "TLS")
            path = "Path: <sip:127.0.0.44;lr>"
            await phone.registers(path, "Require: path", "Supported: path")
            dialing = asyncio.ensure_future(here.dial(target(f"sip:alice@{DOMAIN}"), not_ringing))
            call = await phone.peer.hears("INVITE")
            [media] = [line for line in call.splitlines() if line.startswith("m=")]
            assert media.split()[2] == profile
            refuses(phone.peer, call, here.address)
            with pytest.raises(CarrierError, match="486"):
                await dialing

    @pytest.mark.parametrize("scheme", ["sip", "sips"])
    async def test_a_phone_that_came_in_the_clear_is_not_called(
        self, offhook: Offhook, scheme: str
    ):
        """It registered before its domain was made secure; or a sips: URI is called."""
        await set_up(offhook)
        async with sip_of(offhook) as here:
            await (await desk(here, "127.0.0.5")).registers()
            if scheme == "sip":
                await offhook.platform.exchange.store.write(make_secure)
            with pytest.raises(CarrierError) as refused:
                await here.dial(target(f"{scheme}:alice@{DOMAIN}"), not_ringing)
            assert refused.value.code == 480


def make_secure(connection: Any) -> None:
    domain = tables.domains.named(connection, DOMAIN)
    assert domain
    tables.domains.save(connection, replace(domain, secure=True))


async def desk_at(here: SipCarrier, host: str) -> Desk:
    """Registers for a carrier that has this address: from a port beside it."""
    loop = asyncio.get_running_loop()
    _, peer = await loop.create_datagram_endpoint(Sender, local_addr=(host, 5099))
    return Desk(peer, host, here.address, "alice")


async def test_whoever_asks_while_the_store_is_broken_is_told_so():
    """500, and nothing waits for an answer that never comes."""

    async def broken(name: str, username: str) -> Home | None:
        raise OSError("disk full")

    directory = Directory(broken, lambda registration: None, lambda *told: None)
    media = await MediaPlane.local(range(10000, 10010))
    phone, settings = Phone(), SipSettings("127.0.0.2", tcp=False)
    opened = await SipCarrier.open(settings, media, phone, directory=directory)
    desk = Desk(await sender("127.0.0.5"), "127.0.0.5", ("127.0.0.2", 5060), "alice")
    for method, body in (("REGISTER", ""), ("INVITE", SDP.format(host="127.0.0.5"))):
        contact = "Contact: <sip:alice@127.0.0.5>"
        answer = await desk.asks(
            method, f"sip:{DOMAIN}", f"<sip:alice@{DOMAIN}>", contact, body=body
        )
        assert answer.startswith("SIP/2.0 500")
    await asyncio.sleep(100)
    load = opened.load
    assert (load.calls, load.transactions, load.dialogs) == (0, 0, 0)
    await opened.close()
    assert phone.legs == []


async def test_a_call_to_one_phone_that_crashes_leaves_no_other_ringing():
    given_up: list[str] = []

    async def crashes() -> Leg:
        raise RuntimeError("no socket is left")

    async def rings() -> Leg:
        try:
            await asyncio.sleep(60)
        finally:
            given_up.append("the other")
        raise AssertionError("nobody answers")

    with pytest.raises(RuntimeError):
        await fork([rings(), crashes()], lambda doing: None)
    assert given_up == ["the other"]


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ((480, 486, 404), 486),
        ((603, 486), 603),
        ((486, 603), 603),
        ((487, 404, 503), 404),
    ],
)
async def test_of_several_refusals_the_most_telling_counts(codes: tuple[int, ...], told: int):
    """RFC 3261 section 16.7."""

    async def refuses(code: int) -> Leg:
        raise CarrierError(code, "no")

    with pytest.raises(CarrierError) as refused:
        await fork([refuses(code) for code in codes], lambda doing: None)
    assert refused.value.code == told


async def test_who_answers_a_call_that_is_given_up_is_told_before_the_others_are_over():
    class Answering:
        hung_up_at: float | None = None

        async def hang_up(self) -> None:
            self.hung_up_at = clock.now()

    leg: Any = Answering()

    async def answers() -> Leg:
        asyncio.get_running_loop().call_soon(forking.cancel)
        return leg

    async def takes_long_to_give_up() -> Leg:
        try:
            return await asyncio.sleep(60, leg)
        finally:
            await asyncio.sleep(32)

    began = clock.now()
    forking = asyncio.ensure_future(fork([takes_long_to_give_up(), answers()], lambda doing: None))
    with pytest.raises(asyncio.CancelledError):
        await forking
    assert leg.hung_up_at == began
