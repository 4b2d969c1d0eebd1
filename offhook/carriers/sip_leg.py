"""A SIP call as a leg: its hook is a dialog, its sound an RTP leg."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

from offhook.carriers import sip_parties
from offhook.carriers.sip_sound import Sound
from offhook.errors import CarrierError
from offhook.line.leg import (
    DECLINED,
    ELSEWHERE,
    NOBODY_WANTS_TRANSFERS,
    About,
    Ended,
    HungUp,
    Trace,
    Transfer,
    Wish,
)
from offhook.media.plane import MediaLeg, Stats
from offhook.sip import sdp
from offhook.sip.core import Over
from offhook.sip.grammar import legible
from offhook.sip.inbound import Inbound
from offhook.sip.message import Message, Request, Response
from offhook.sip.outbound import COMPLETED_ELSEWHERE, Outbound
from offhook.sip.referral import PATIENCE, Referral, Transferred
from offhook.sip.session import NO_ACK, Answering, Session
from offhook.sip.uri import parse_address

GAVE_UP, NOT_ACCEPTABLE, ACCEPTED, REQUEST_PENDING = 480, 488, 202, 491
BYE = 200  # how a call is over that was answered
NEVER_ACKNOWLEDGED = 32022  # reference: error codes
NO_SOUND = 500
GONE = (408, 481)  # answers of one that is there no more, or knows no such call (RFC 3261 12.2.1.2)
_KEYS = frozenset("0123456789*#ABCD")
_STATS = [each.name for each in fields(Stats)]
_KEY_NUMBERS = {"10": "*", "11": "#"}


# Does something to the endpoint now, and sees that what comes of it is sent.
Act = Callable[[Callable[[float], Any]], Any]


class SipLeg:
    """Made by the carrier for each call, in or out. The carrier tells it what happens."""

    def __init__(
        self, act: Act, sound: Sound, about: About, trace: Trace, carrier: str, trunk: str
    ) -> None:
        self.media: MediaLeg = sound.media
        self.trace = trace
        self.ended: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self.confirmed = False  # both sides know of the answer
        self._settled, self._gone = asyncio.Event(), asyncio.Event()
        self.refusal: Response | None = None
        self._act, self._sound, self._about = act, sound, about
        self._ways = {"carrier": carrier, "trunk": trunk}  # by which whoever is there is reached
        self._call: Inbound | Outbound | None = None
        self._offered: list[sdp.Media] | None = None
        self._session: Session | None = None
        self._we_offered = False  # the ACK that is awaited carries the answer to our offer
        self._early: dict[str, bytes] = {}  # descriptions that came before the answer, by To tag
        self.on_refer: Callable[[Wish], None] | None = None
        self._transfer: asyncio.Future[None] | None = None  # until a REFER of ours is over
        self._fared = Transfer()
        self._cause: Ended | None = None  # why we ended it, when nobody asked us to
        sound.watch(self._lost_sound)

    def __repr__(self) -> str:
        call_id = dict(self._about.params).get("SipCallId", "")
        return f"<SipLeg {call_id}>"

    @property
    def about(self) -> About:
        if self._session is None:
            return self._about
        return replace(self._about, dialog={**self._ways, **self._session.dialog.data()})

    # The hook

    async def ring(self) -> None:
        if isinstance(self._call, Inbound) and not self.ended.done():
            self._act(self._call.ring)

    async def answer(self) -> None:
        if self.ended.done():
            raise HungUp
        if isinstance(self._call, Inbound) and self._session is None:
            self._pick_up(self._call)
        await self.settled()
        if not self.confirmed:
            raise HungUp

    async def settled(self) -> None:
        """Returns when both sides know of the answer, or the call is over."""
        await self._settled.wait()

    def _pick_up(self, call: Inbound) -> None:
        if self._offered is None:
            self._we_offered, body = True, self._sound.offer()
        else:
            body = self._sound.answer(self._offered)
        self._session = self._act(lambda now: call.answer(body, now))
        if self._session is None:
            raise HungUp

    async def reject(self, code: int) -> None:
        if isinstance(self._call, Inbound) and not self.ended.done():
            call = self._call
            self._act(lambda now: call.reject(code, now))

    async def refer(self, to: str) -> Transfer:
        session = self._session
        if self.ended.done() or session is None:
            raise HungUp
        self._fared, self._transfer = Transfer(), asyncio.get_running_loop().create_future()
        if not self._act(lambda now: session.refer(f"<{to}>", (), now)):
            return Transfer(REQUEST_PENDING)
        either: list[asyncio.Future[Any]] = [self._transfer, self.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        return self._fared

    async def hang_up(self) -> None:
        if not self.ended.done():
            self._put_down()
        await self._gone.wait()

    async def give_up(self, why: object) -> None:
        """A call out whose dialling was cancelled, with that message if any."""
        call = self._call
        if why == ELSEWHERE and isinstance(call, Outbound) and not self._session:
            self._act(lambda now: call.cancel(now, COMPLETED_ELSEWHERE))
        await self.hang_up()

    def _put_down(self, code: int = GAVE_UP) -> None:
        session, call = self._session, self._call
        if session:
            self._act(session.bye)
        elif isinstance(call, Inbound):
            self._act(lambda now: call.reject(code, now))
        elif call:
            self._act(call.cancel)

    def _lost_sound(self, why: str) -> None:
        """Nobody can be heard any more: the call ends as if they had hung up."""
        if not self.ended.done():
            self._cause = self._cause or Ended("network", NO_SOUND, why)
            self.trace.add("log", {"message": why})
            self._put_down(NO_SOUND)

    # What the carrier tells

    def arrived(self, call: Inbound, offered: list[sdp.Media] | None) -> None:
        self._call, self._offered = call, offered

    def offer(self) -> bytes:
        return self._sound.offer()

    def dialling(self, call: Outbound) -> None:
        self._call = call

    def refused(self) -> CarrierError:
        """Why a call out that has ended was never answered."""
        how = self.ended.result()
        if self._session and how.by == "near":
            return CarrierError(NOT_ACCEPTABLE, "the answer describes no sound that we speak")
        params = sip_parties.about_refusal(self.refusal) if self.refusal else ()
        return CarrierError(how.code, how.reason, params)

    def progressed(self, response: Response) -> bool:
        """A provisional response; True when there is early media to be heard."""
        assert isinstance(self._call, Outbound)
        self._about = sip_parties.about_answer(response, self._call.invitation.hop)
        if response.content_type != "application/sdp" or not response.body:
            return self._sound.heard
        try:
            self._sound.accept(response.body)
        except sdp.BadSdp:
            return False
        self._early[response.to.tag] = response.body
        return self._sound.heard

    def answered(self, session: Session, response: Response) -> bool:
        """The other side took the call; False when we cannot hear each other: it must end. One who
        describes nothing is who described something before, under whatever tag."""
        self._session = session
        self._about = sip_parties.about_answer(response, session.dialog.source)
        latest = next(reversed(self._early.values()), b"")
        try:
            self._sound.accept(response.body or self._early.get(response.to.tag, latest))
        except sdp.BadSdp:
            return False
        self._confirm()
        return True

    def _confirm(self) -> None:
        if not self.confirmed:
            self._sound.answered()
            self.confirmed = True
            self._settled.set()

    def acknowledged(self, request: Request) -> None:
        """The ACK came, with the answer if the offer was ours; without one that can be read, the
        sound stays as it is, if there is any."""
        if self._we_offered:
            self._we_offered = False
            try:
                self._sound.accept(request.body)
            except sdp.BadSdp:
                if not self.confirmed:
                    self._put_down()
                    return
        self._confirm()

    def transferred(self, told: Transferred) -> None:
        answer, outcome = self._fared.answer, self._fared.outcome
        if told.notified:  # a NOTIFY may overtake the 202
            self._fared = Transfer(answer or ACCEPTED, told.status or outcome)
        else:
            self._fared = Transfer(told.status, outcome)
            if told.status in GONE and not self.ended.done():
                self._put_down()
        if told.final and self._transfer and not self._transfer.done():
            self._transfer.set_result(None)

    def referred(self, referral: Referral, target: str) -> None:
        """The far end asks us to call somebody in its place."""
        if self.on_refer is None:
            self.trace.add("debugger", {"code": NOBODY_WANTS_TRANSFERS})
            self._act(lambda now: referral.refuse(DECLINED, now))
            return

        def tell(status: int) -> None:
            self._act(lambda now: referral.tell(status, now))

        self._act(referral.take)
        self.on_refer(Wish(legible(parse_address(target).uri), tell))

    def taken_over(self, call: Inbound, offered: list[sdp.Media] | None) -> None:
        """Another phone takes the far end's place, or answers for one that rings (RFC 3891)."""
        old, ringing = self._session, self._call
        self._we_offered = offered is None
        body = self._sound.offer() if offered is None else self._sound.answer(offered)
        self._session = self._act(lambda now: call.answer(body, now)) or old
        if old:
            self._act(old.bye)
        elif isinstance(ringing, Outbound):
            self._about = sip_parties.about_answer(call.request, call.source)
            self._act(lambda now: ringing.cancel(now, COMPLETED_ELSEWHERE))

    def reanswered(self, response: Response | None) -> None:
        """Our offer was answered anew; what cannot be read leaves the sound as it is."""
        if response is not None and response.status < 300 and response.body:
            with contextlib.suppress(sdp.BadSdp):
                self._sound.accept(response.body)

    def offered(self, session: Answering, request: Request) -> None:
        """A re-INVITE or UPDATE: hold, resume, another codec or another address."""
        try:
            if request.body:
                body = self._sound.answer(sdp.parse(request.body))
            else:
                self._we_offered, body = True, self._sound.offer()
        except sdp.BadSdp:
            self._act(lambda now: session.refuse(NOT_ACCEPTABLE, now))
        else:
            self._act(lambda now: session.accept(body, now))

    def informed(self, request: Message) -> None:
        """An INFO: a key pressed, in the form that came before RFC 4733."""
        if key := key_of(request):
            self.media.pressed(key)

    def over(self, how: Over) -> None:
        if not self.ended.done():
            self.refusal = how.response
            if self._talked(how):
                self._confirm()
            if how.reason == NO_ACK:
                self.trace.add("debugger", {"code": NEVER_ACKNOWLEDGED, "message": NO_ACK})
            self.ended.set_result(self._cause or Ended(how.by, how.code, how.reason))
            self._settled.set()
            self._gone.set()

    def _talked(self, how: Over) -> bool:
        """Whoever sends a BYE has heard our answer, or has answered, though we did not hear it."""
        answered = self._session or (isinstance(self._call, Outbound) and how.code == BYE)
        return how.by == "far" and bool(answered)

    async def let_go(self) -> None:
        """Closes the sound of a leg that has ended, and keeps how it fared with the call."""
        stats = await self.media.close()
        self._sound.forget()
        if stats.codec:
            self.trace.add("sound", {name: getattr(stats, name) for name in _STATS})


def key_of(request: Message) -> str:
    """The key in application/dtmf-relay ("Signal=5") or application/dtmf ("5"), or ""."""
    if request.content_type not in ("application/dtmf-relay", "application/dtmf"):
        return ""
    text = request.body.decode("ascii", "replace").strip()
    if request.content_type.endswith("relay"):
        pairs = (line.partition("=") for line in text.splitlines())
        text = next((value for name, _, value in pairs if name.strip().lower() == "signal"), "")
    key = _KEY_NUMBERS.get(text.strip(), text.strip().upper())
    return key if key in _KEYS else ""


def offered_by(call: Inbound, *, sealed: bool = False) -> list[sdp.Media] | None:
    """The offer of an INVITE; None leaves it to us. Raises CarrierError, also for sound in the
    clear where it must be `sealed`."""
    try:
        offered = sdp.parse(call.request.body) if call.request.body else None
    except sdp.BadSdp as wrong:
        raise CarrierError(488, str(wrong)) from wrong
    if offered is not None and not sdp.speakable(offered, strict=sealed):
        raise CarrierError(488, "no common codec")
    return offered
