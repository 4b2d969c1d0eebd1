"""`<Dial>`: ring the targets, whisper to who answers, bridge, and say how it ended.

reference: Dial, execution. Targets ring together (or one after another); the first to answer,
and to hear its whisper out, is bridged; the others are cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from offhook import clock, sids
from offhook.aio import race, until
from offhook.errors import DocumentError
from offhook.exchange import caller_id, control, lines, permission, placing, recordings, sip_homes
from offhook.exchange.exchange import Attempt, Exchange, Taking
from offhook.exchange.transfers import Onward, Wishes
from offhook.line.leg import ELSEWHERE, HungUp, Leg, Target
from offhook.line.live_call import LiveCall
from offhook.line.orders import DialOrder, DialOutcome, DialTarget
from offhook.line.ringtones import DEFAULT, RINGTONES
from offhook.media.plane import Room, Source
from offhook.model.call import FINAL, Call
from offhook.model.fetch import Fetch, Script
from offhook.model.numbers import is_emergency, is_possible, normalise
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.store import Connection

OUT_OF_ORDER = {408, *range(500, 600)}  # the next of several URIs is tried
WORST_LAST = ("busy", "no-answer", "failed")  # of several that failed, which word is told


@dataclass
class Party:
    """One target: its call, first as an attempt and, once answered, as its live end."""

    target: DialTarget
    attempt: Attempt
    live: LiveCall | None = None
    bridged: bool = False
    detached: bool = False  # sent elsewhere: a call of its own now

    @property
    def record(self) -> Call:
        return (self.live or self.attempt).record


@dataclass
class Dialing:
    """One `<Dial>` at work."""

    exchange: Exchange
    parent: LiveCall
    order: DialOrder
    parties: list[Party] = field(default_factory=list)
    taking: Taking | None = None
    recording: Recording | None = None
    early: Room | None = None
    onward: Onward | None = None


async def dial(exchange: Exchange, parent: LiveCall, order: DialOrder) -> DialOutcome:
    """How it went, also when the caller hung up meanwhile."""
    if parent.answered or not order.answer_on_bridge:
        await parent.answer()
    work = Dialing(exchange, parent, order)
    problem = await caller_id.problem(exchange, parent.record, order)
    if problem:
        parent.note(*problem)
        return DialOutcome("failed")
    rounds = [(each,) for each in order.targets] if order.sequential else [order.targets]
    try:
        with suppress(HungUp):
            for targets in rounds:
                winner = await _ring(work, targets)
                if winner:
                    await _bridge(work, winner)
                    break
    finally:
        await _stop_recording(work)
    await _settled(work)
    outcome = _outcome(work)
    if not parent.answered:
        parent.rejected = "busy" if outcome.status == "busy" else "no-answer"
    return outcome


async def _ring(work: Dialing, targets: Sequence[DialTarget]) -> Party | None:
    """The first party that answered and heard its whisper out; the others are let go."""
    parties: list[Party] = []
    tone: asyncio.Future[None] | None = None
    winner = None
    try:
        for target in targets:
            parties.append(await _party(work, target))
        work.parties += parties
        ringing = [party for party in parties if party.record.status not in FINAL]
        if work.parent.answered and ringing:
            tone = asyncio.ensure_future(_ringback(work))
        await work.exchange.surely(work.exchange.store.write(_insert, ringing))
        if ringing:
            winner = await work.parent.on_line(_first(work, ringing, tone))
    finally:
        if tone:
            tone.cancel()
            await asyncio.gather(tone, return_exceptions=True)
        if work.early:
            await work.early.close()
            work.early = None
        for party in parties:
            await _let_go(work, party, winner)
    return winner


def _insert(connection: Connection, parties: Sequence[Party]) -> None:
    for party in parties:
        records.calls.insert(connection, party.attempt.record)


async def _let_go(work: Dialing, party: Party, winner: Party | None) -> None:
    if party.live and party is not winner:
        lines.take_down(work.exchange, party.live)
    elif not party.live and not party.attempt.over.is_set():
        await placing.drop(work.exchange, party.attempt)


async def _first(
    work: Dialing, parties: list[Party], tone: asyncio.Future[None] | None
) -> Party | None:
    early = partial(_early, work, tone) if len(parties) == 1 else None
    tasks = [asyncio.ensure_future(_reach(work, party, early)) for party in parties]
    party = None
    try:
        for reached in asyncio.as_completed(tasks):
            party = await reached
            if party:
                return party
        return None
    finally:
        for task in tasks:
            task.cancel(ELSEWHERE if party else None)
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ringback(work: Dialing) -> None:
    tone = RINGTONES.get(work.order.ring_tone, DEFAULT)
    await work.parent.leg.media.play_tone(tone)


async def _early(work: Dialing, tone: asyncio.Future[None] | None, leg: Leg, early: bool) -> None:
    """The only target's own sound before its answer replaces our ringback."""
    if early and tone and not work.early and not tone.done():
        tone.cancel()
        work.early = await work.exchange.media.open_room(work.parent.leg.media, leg.media)


async def _party(work: Dialing, target: DialTarget) -> Party:
    """A child to be called; one that may not or cannot be has failed at once, and is no call."""
    exchange, parent, at = work.exchange, work.parent.record, clock.utc()
    is_number = target.kind == "number"
    to = normalise(target.to, exchange.rules.region) if is_number else target.to
    shown = caller_id.shown(exchange, parent, work.order, target.kind)
    call = Call(
        sids.new("CA"), parent.account_sid, to, shown, "outbound-dial", at, at,
        parent_call_sid=parent.sid, api_version=parent.api_version, node=exchange.rules.node,
        callback=recordings.absolute(work.parent, target.callback),
        details=await sip_homes.of_phone(exchange, parent.account_sid, to),
    )  # fmt: skip
    problem = await permission.problem(exchange, parent.account_sid, to)
    if is_number and not is_possible(to) and not is_emergency(to, exchange.rules.region):
        problem = 13223, f"{target.to!r} is no phone number"
    if problem:
        work.parent.note(*problem)
        return Party(target, Attempt(replace(call, sid="", status="failed")))
    return Party(target, placing.attempt(exchange, call))


async def _reach(work: Dialing, party: Party, early: placing.Ringing | None) -> Party | None:
    """Rings one target; the party once it is ready to be bridged, None if it never will be."""
    exchange = work.exchange
    leg = await _answered_leg(work, party, partial(_rang, work, early))
    if leg is None:
        return None
    live = lines.join(exchange, party.record, leg, Script())
    live.whisper, party.live = True, live
    if party.attempt.script:
        live.script = party.attempt.script
        live.redirects.put(live.script.start)
    if party.attempt.time_limit is not None:
        control.limit(exchange, live, party.attempt.time_limit)
    try:
        await lines.answered(exchange, live)
        async with until(live.redirects.there):  # REST has another document: that is for the bridge
            await _prepare(work, party, live)
    except HungUp:
        lines.take_down(exchange, live)
        return None
    return party


async def _answered_leg(work: Dialing, party: Party, ringing: placing.Ringing) -> Leg | None:
    """Tries the target, then its alternatives while each before was out of order."""
    for wanted in (party.target, *party.target.then):
        if wanted is not party.target:
            following = (await _party(work, wanted)).attempt
            if following.record.status in FINAL:
                continue
            party.attempt = following
            await work.exchange.surely(work.exchange.store.write(_insert, [party]))
        call = party.record
        target = Target(
            call.to, call.from_, call.sid, call.account_sid, wanted.username, wanted.password,
            wanted.headers, near=work.parent.leg.media,
        )  # fmt: skip
        leg = await placing.place(work.exchange, party.attempt, target, work.order.timeout, ringing)
        if leg or party.record.sip_response_code not in OUT_OF_ORDER:
            return leg
    return None


async def _rang(work: Dialing, early: placing.Ringing | None, leg: Leg, has_sound: bool) -> None:
    if "ringing" in work.order.record and not work.taking:
        await _record(work, (work.parent.leg.media, "out"))
    if early:
        await early(leg, has_sound)


async def _prepare(work: Dialing, party: Party, live: LiveCall) -> None:
    """Keys, then the whisper, whose `<Hangup>` declines (HungUp)."""
    if party.target.send_digits:
        await live.press(party.target.send_digits)
    if party.target.url:
        whisper = Fetch(_absolute(work, party.target.url), party.target.method)
        await live.on_line(lines.play_out(work.exchange, live, whisper))


def _absolute(work: Dialing, url: str) -> str:
    """A URL for another call; one that cannot be asked fails when it is, as any other."""
    try:
        return work.parent.resolve(url)
    except DocumentError:
        return url


async def _bridge(work: Dialing, party: Party) -> None:
    """Sound both ways until a hang-up, `*`, the limit, or until one of them is sent elsewhere."""
    parent, child = work.parent, party.live
    assert child
    wishes = Wishes(work.exchange, parent, child, _asking(work))
    try:
        await parent.answer()
        parent.forget_keys()
        party.bridged = True
        work.onward = await _talk(work, child, wishes)
    finally:
        _part(work, party, child)
        wishes.over()


def _asking(work: Dialing) -> Fetch | None:
    asked = work.order.refer
    return asked and replace(asked, url=_absolute(work, asked.url))


async def _talk(work: Dialing, child: LiveCall, wishes: Wishes) -> Onward | None:
    parent, order = work.parent, work.order
    room = await work.exchange.media.open_room(parent.leg.media, child.leg.media)
    try:
        if order.record.startswith(("record", "true")) and not work.taking:
            await _record(work, (child.leg.media, "in"))
        return await _until_over(order, parent, child, wishes)
    finally:
        await room.close()


def _part(work: Dialing, party: Party, child: LiveCall) -> None:
    onward = work.onward
    if onward and onward.who is child:
        party.detached, child.whisper = True, False
        child.services.go_on(child, onward.document)
    else:
        lines.take_down(work.exchange, child)


async def _settled(work: Dialing) -> None:
    """The answered children's records are final."""
    for party in work.parties:
        if party.live and not party.detached:
            await lines.finish(work.exchange, party.live)


async def _until_over(
    order: DialOrder, parent: LiveCall, child: LiveCall, wishes: Wishes
) -> Onward | None:
    async def star() -> None:
        while await parent.leg.media.keys.get() != "*":
            pass

    async def limit() -> None:
        await asyncio.sleep(order.time_limit)

    async def steered() -> Onward:
        return Onward(child, await child.redirects.next())

    over = race(limit(), star()) if order.hangup_on_star else limit()
    return await race(steered(), wishes.granted(), over)


async def _record(work: Dialing, far: Source) -> None:
    """The caller, and the called party: from its answer, or from what the caller hears of it."""
    dual = work.order.record.endswith("-dual")
    near: Source = (work.parent.leg.media, "in")
    channels = recordings.channels_of(near, far, work.order.recording_track, dual)
    work.taking = await recordings.begin(
        work.exchange, work.parent.record, "DialVerb", channels,
        callback=recordings.absolute(work.parent, work.order.callback, recordings.BAD_CALLBACK),
        track=work.order.recording_track, trim=work.order.trim,
        max_seconds=work.exchange.rules.call_limit,
    )  # fmt: skip


async def _stop_recording(work: Dialing) -> None:
    if work.taking:
        recording = await recordings.end(work.exchange, work.taking)
        work.recording = recording if recording.status == "completed" else None


def _outcome(work: Dialing) -> DialOutcome:
    """reference: action params. The answered child speaks for all, else the worst word of all."""
    if not work.parties:
        return DialOutcome("failed", "", None, False, None, ())
    answered = [party for party in work.parties if party.live]
    chosen = next((party for party in answered if party.bridged), None)
    chosen = chosen or (answered[-1] if answered else _spokesman(work))
    record = chosen.record
    status = "completed" if chosen.live else record.status
    if status == "canceled" and work.parent.gone:
        status = "no-answer"
    duration = None if chosen.detached or not chosen.live else record.duration
    recording = work.recording if answered else None
    onward = work.onward.document if work.onward and not chosen.detached else None
    return DialOutcome(
        status, record.sid, duration, chosen.bridged, recording, _sip_params(chosen), onward
    )


def _spokesman(work: Dialing) -> Party:
    if work.order.sequential:
        return work.parties[-1]
    for word in WORST_LAST:
        for party in work.parties:
            if party.record.status == word and party.record.sid:
                return party
    return work.parties[-1]


def _sip_params(party: Party) -> tuple[tuple[str, str], ...]:
    """DialSipCallId, DialSipResponseCode and DialSipHeader_X-... of a `<Sip>` target."""
    if party.target.kind != "sip":
        return ()
    code, brought = 200 if party.live else party.record.sip_response_code, party.record.details
    told = {n: v for n, v in brought.items() if n == "SipCallId" or n.startswith("SipHeader_")}
    sent = {f"Dial{name}": str(value) for name, value in told.items()}
    return tuple((sent | ({"DialSipResponseCode": str(code)} if code else {})).items())
