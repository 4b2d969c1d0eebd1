"""One registered phone of a soak, on one connection: it calls, is called, holds, and hangs up."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from bench.phones import BUSY, GIVES_UP, RINGS, TALKS, Seen, span
from bench.sounding import Goes, Sound, sounding
from offhook.sip import sdp
from offhook.sip.core import Over
from offhook.sip.digest import Credentials
from offhook.sip.endpoint import Endpoint
from offhook.sip.enrolment import Enrolment
from offhook.sip.hop import Hop, Send
from offhook.sip.inbound import Inbound, Incoming
from offhook.sip.message import Response
from offhook.sip.outbound import Answered, Invitation, Outbound
from offhook.sip.session import Offered, Reanswered, Session

HOLDS = 0.3  # share of the calls that are on hold for a while
STAYS_HELD = (0.5, 3.0)  # seconds
LAZY = 0.1  # share of the calls in which a browser does not come to speak
AUDIBLE = 3.0  # seconds, none of them on hold, after which something must have been heard
LASTS = 600  # seconds for which it registers: the fewest that are taken

_GIVES_UP, *_UNTIL = span(GIVES_UP)


@dataclass(slots=True)
class Talk:
    """A call, and what came of it so far; `since` is when it was answered."""

    inbox: asyncio.Queue[Any]
    from_: str
    to: str
    sid: str = ""
    since: float | None = None
    far_end: bool = False
    code: int = 0
    held: bool = False
    away: float = 0.0  # when its holds ended less when they began

    def over(self, how: Over) -> None:
        self.far_end = how.by == "far"
        given_up = how.by == "near" and how.code in (401, 407)  # before our name was asked for
        self.code = 487 if given_up else how.code


class Handset:
    """`send` takes whole messages; `told` hears of each call that is over."""

    def __init__(
        self,
        name: str,
        user: Credentials,
        domain: str,
        hop: Hop,
        send: Callable[[bytes], None],
        told: Callable[[Seen], None],
    ) -> None:
        transport = "ws" if hop.web else hop.transport.lower()
        contact = f"sip:{name}.invalid;transport={transport}"
        self._chance = random.Random()
        self._endpoint = Endpoint(
            lambda _: f"{name}.invalid", lambda _: contact, lambda: random.randbytes(24).hex()
        )
        self._hop, self._send, self._told = hop, send, told
        self._user, self._aor = user, f"sip:{user.username}@{domain}"
        self._enrolment = Enrolment(f"sip:{domain}", domain, user.username, hop, user)
        self._talks: dict[int, Talk] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._leaves = False

    # The wire and the clock

    def receive(self, data: bytes) -> None:
        self._act(lambda now: self._endpoint.receive(data, self._hop, now))

    def _act(self, does: Callable[[float], Any]) -> Any:
        loop = asyncio.get_running_loop()
        made = does(loop.time())
        self._flush()
        if self._alarm:
            self._alarm.cancel()
        at = self._endpoint.wake_at
        self._alarm = loop.call_at(at, self._act, self._endpoint.fire) if at is not None else None
        return made

    def _flush(self) -> None:
        for output in self._endpoint.take():
            if isinstance(output, Send):
                self._send(output.data)
            elif isinstance(output, Incoming):
                self._spawn(self._is_called(output.call, self._listens(output.call)))
            elif isinstance(output, Answered | Over | Reanswered | Offered) and (
                talk := self._talks.get(output.serial)
            ):
                talk.inbox.put_nowait(output)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Coming and going

    async def registers(self, seconds: int = LASTS) -> int:
        """The status of the answer, 408 for none."""
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def tell(response: Response | None, now: float) -> None:
            status = response.status if response else 408
            if status >= 200 and not answered.done():
                answered.set_result(status)

        self._act(lambda now: self._endpoint.enrol(self._enrolment, seconds, tell, now))
        return await answered

    @property
    def held(self) -> bool:
        return any(talk.held for talk in self._talks.values())

    def hang_up(self) -> None:
        """All there is, and all that comes."""
        self._leaves = True
        for talk in self._talks.values():
            talk.inbox.put_nowait(None)

    async def parts(self) -> None:
        """When its calls are over."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def dies(self) -> None:
        """Without a word."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._alarm:
            self._alarm.cancel()

    # Calls

    def calls(self, to: str) -> None:
        self._spawn(self._calls(to))

    def _goes(self) -> Goes:
        if self._hop.web and self._chance.random() < LAZY:
            return self._chance.choice(("shakes no hands", "checks nothing"))
        return "all the way"

    async def _sounding(
        self, talk: Talk, does: Callable[[Sound], Awaitable[Session | None]]
    ) -> None:
        """A call from its beginning to its end, which is told in any case."""
        goes, mute = self._goes(), False
        try:
            async with sounding(self._hop.transport, self._chance, goes) as sound:
                if session := await does(sound):
                    talk.since = asyncio.get_running_loop().time()
                    await self._talks_on(talk, session, sound)
                    now = asyncio.get_running_loop().time()
                    there = now - talk.since - talk.away - (now if talk.held else 0)
                    mute = goes == "all the way" and there > AUDIBLE and not sound.heard
        finally:
            up, by = talk.since is not None, self._hop.transport
            self._told(Seen(talk.from_, talk.to, up, talk.far_end, talk.code, talk.sid, by, mute))

    async def _calls(self, to: str) -> None:
        talk = Talk(asyncio.Queue(), self._aor, to)
        serial = 0

        async def dials(sound: Sound) -> Session | None:
            nonlocal serial
            order = Invitation(
                to, f"<{self._aor}>", f"<{to}>", self._hop, sound.offer(), credentials=self._user
            )
            call = self._endpoint.invite(order, asyncio.get_running_loop().time())
            self._talks[serial := call.serial] = talk
            self._act(lambda now: None)
            answered = await self._is_answered(talk, call)
            if answered:
                sound.accept(answered.response.body)
            return answered.session if answered else None

        try:
            await self._sounding(talk, dials)
        finally:
            self._talks.pop(serial, None)

    async def _is_answered(self, talk: Talk, call: Outbound) -> Answered | None:
        """Unless it is given up before."""
        patience = None
        if self._chance.random() < _GIVES_UP:
            patience = self._chance.uniform(*_UNTIL)
        while True:
            try:
                async with asyncio.timeout(patience):
                    event = await talk.inbox.get()
            except TimeoutError:
                event, patience = None, None
            if isinstance(event, Answered):
                return event
            if isinstance(event, Over):
                talk.over(event)
                if event.code == 200:  # the answer crossed our CANCEL
                    talk.since = 0.0
                return None
            if event is None:
                self._act(call.cancel)

    def _listens(self, call: Inbound) -> Talk:
        request = call.request
        sid, from_ = request.get("x-twilio-callsid"), request.from_.uri
        talk = self._talks[call.serial] = Talk(asyncio.Queue(), from_, request.to.uri, sid)
        return talk

    async def _is_called(self, call: Inbound, talk: Talk) -> None:
        try:
            await self._sounding(talk, lambda sound: self._rings(talk, call, sound))
        finally:
            self._talks.pop(call.serial, None)

    async def _rings(self, talk: Talk, call: Inbound, sound: Sound) -> Session | None:
        """Answers, unless it refuses or the caller gives up before."""
        self._act(call.ring)
        refuses = self._leaves or self._chance.random() < BUSY
        try:
            async with asyncio.timeout(0 if refuses else self._chance.uniform(*span(RINGS))):
                if over := await talk.inbox.get():
                    talk.over(over)
                    return None
                refuses = True
        except TimeoutError:
            pass
        if not refuses:
            body = sound.answer(call.request.body)
            session: Session | None = self._act(lambda now: call.answer(body, now))
            return session
        self._act(lambda now: call.reject(486, now))
        while not isinstance(await talk.inbox.get(), Over):
            pass
        talk.code = 486
        return None

    async def _talks_on(self, talk: Talk, session: Session, sound: Sound) -> None:
        """To its end, perhaps with a hold in between."""
        now = asyncio.get_running_loop().time()
        end = now + self._chance.uniform(*span(TALKS))
        turns: list[tuple[float, Callable[[], None]]] = [(end, lambda: self._act(session.bye))]
        if self._chance.random() < HOLDS:
            held = self._chance.uniform(now, end)
            again = held + self._chance.uniform(*STAYS_HELD)
            turns = [
                (held, lambda: self._turns(talk, session, sound.offer("sendonly"), held=True)),
                (again, lambda: self._turns(talk, session, sound.offer(), held=False)),
                (max(end, again), turns[0][1]),
            ]
        while True:
            try:
                async with asyncio.timeout_at(turns[0][0] if turns else None):
                    event = await talk.inbox.get()
            except TimeoutError:
                turns.pop(0)[1]()
                continue
            if event is None:
                turns = []
                self._act(session.bye)
            elif isinstance(event, Over):
                talk.over(event)
                return
            else:
                self._changes(event, sound)

    def _turns(self, talk: Talk, session: Session, body: bytes, *, held: bool) -> None:
        talk.held = held
        talk.away += asyncio.get_running_loop().time() * (-1 if held else 1)
        self._act(lambda now: session.reinvite(body, now))

    def _changes(self, event: object, sound: Sound) -> None:
        if isinstance(event, Reanswered) and event.response and event.response.status < 300:
            sound.accept(event.response.body)
        elif isinstance(event, Offered):
            offered = event
            try:
                body = sound.answer(offered.request.body) if offered.request.body else sound.offer()
            except sdp.BadSdp:
                self._act(lambda now: offered.session.refuse(488, now))
            else:
                self._act(lambda now: offered.session.accept(body, now))
