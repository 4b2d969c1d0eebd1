"""`<Dial>`: ring the targets, whisper to who answers, bridge, and say how it ended.

reference: Dial, execution. Targets ring together (or one after another); the first to answer,
and to hear its whisper out, is bridged; the others are cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from offhook import clock, sids
from offhook.aio import race
from offhook.exchange import lines, placing, recordings
from offhook.exchange.exchange import Exchange, Taking
from offhook.line.leg import HungUp, Leg, Target
from offhook.line.live_call import LiveCall
from offhook.line.orders import DialOrder, DialOutcome, DialTarget
from offhook.line.ringtones import DEFAULT, RINGTONES
from offhook.media.plane import MediaLeg, Room
from offhook.model.call import FINAL, Call
from offhook.model.fetch import Fetch, Script
from offhook.model.numbers import is_possible, normalise
from offhook.model.recording import Recording
from offhook.store import records

OUT_OF_ORDER = {408, *range(500, 600)}  # the next of several URIs is tried
WORST_LAST = ("busy", "no-answer", "failed")  # of several that failed, which word is told


@dataclass
class Party:
    """One target: its call and, once answered, its live end."""

    target: DialTarget
    record: Call
    live: LiveCall | None = None
    bridged: bool = False
    detached: bool = False  # sent elsewhere by REST: a call of its own now


@dataclass
class Dialing:
    """One `<Dial>` at work."""

    exchange: Exchange
    parent: LiveCall
    order: DialOrder
    parties: list[Party]
    taking: Taking | None = None
    recording: Recording | None = None
    early: Room | None = None


async def dial(exchange: Exchange, parent: LiveCall, order: DialOrder) -> DialOutcome:
    """How it went, also when the caller hung up meanwhile."""
    if parent.answered or not order.answer_on_bridge:
        await parent.answer()
    work = Dialing(exchange, parent, order, [])
    rounds = [(each,) for each in order.targets] if order.sequential else [order.targets]
    with suppress(HungUp):
        for targets in rounds:
            winner = await _ring(work, targets)
            if winner:
                await _bridge(work, winner)
                break
    outcome = _outcome(work)
    if not parent.answered:
        parent.rejected = "busy" if outcome.status == "busy" else "no-answer"
    return outcome


async def _ring(work: Dialing, targets: Sequence[DialTarget]) -> Party | None:
    """The first party that answered and heard its whisper out."""
    parties = [await _party(work, target) for target in targets]
    work.parties += parties
    ringing = [party for party in parties if party.record.status not in FINAL]
    if not ringing:
        return None
    alone = len(ringing) == 1
    tone = asyncio.ensure_future(_ringback(work)) if work.parent.answered else None
    try:
        return await work.parent.on_line(_first(work, ringing, alone, tone))
    finally:
        if tone:
            tone.cancel()
            await asyncio.gather(tone, return_exceptions=True)
        if work.early:
            await work.early.close()
            work.early = None


async def _first(
    work: Dialing, parties: list[Party], alone: bool, tone: asyncio.Future[None] | None
) -> Party | None:
    early = partial(_early, work, tone) if alone else None
    tasks = [asyncio.ensure_future(_reach(work, party, early)) for party in parties]
    try:
        for reached in asyncio.as_completed(tasks):
            party = await reached
            if party:
                return party
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _ringback(work: Dialing) -> None:
    tone = RINGTONES.get(work.order.ring_tone, DEFAULT)
    await work.parent.leg.media.play_tone(tone)


def _early(work: Dialing, tone: asyncio.Future[None] | None, leg: Leg, early: bool) -> None:
    """The only target's own sound before its answer replaces our ringback."""
    if early and tone and not work.early and not tone.done():
        tone.cancel()
        work.exchange.spawn(_open_early(work, leg.media), "early media")


async def _open_early(work: Dialing, heard: MediaLeg) -> None:
    work.early = await work.exchange.media.open_room(work.parent.leg.media, heard)


async def _party(work: Dialing, target: DialTarget) -> Party:
    """The child's record; a number that cannot be dialled is failed at once."""
    exchange, parent = work.exchange, work.parent
    at = clock.utc()
    to = target.to
    if target.kind == "number":
        to = normalise(target.to, exchange.rules.region)
    call = Call(
        sids.new("CA"), parent.record.account_sid, to, _caller_id(work, target), "outbound-dial",
        at, at, parent_call_sid=parent.record.sid, api_version=parent.record.api_version,
        callback=recordings.absolute(parent, target.callback), node=exchange.rules.node,
    )  # fmt: skip
    if target.kind == "number" and not is_possible(to):
        parent.note(13223, f"{target.to!r} is no phone number")
        return Party(target, replace(call, status="failed"))
    await exchange.store.write(records.calls.insert, call)
    return Party(target, call)


def _caller_id(work: Dialing, target: DialTarget) -> str:
    wanted = work.order.caller_id or work.parent.record.from_
    if target.kind == "number" and not wanted.startswith(("sip:", "client:")):
        return normalise(wanted, work.exchange.rules.region)
    return wanted


async def _reach(work: Dialing, party: Party, early: placing.Ringing | None) -> Party | None:
    """Rings one target; the party once it is ready to be bridged, None if it never will be."""
    exchange = work.exchange
    leg = await _answered_leg(work, party, partial(_rang, work, early))
    if leg is None:
        return None
    live = lines.join(exchange, party.record, leg, Script(), work.parent.services)
    live.whisper, party.live = True, live
    try:
        await lines.answered(exchange, live)
        await _prepare(work, party, live)
    except HungUp:
        await _end(work, party)
        return None
    except BaseException:
        await _end(work, party)
        raise
    return party


async def _answered_leg(work: Dialing, party: Party, ringing: placing.Ringing) -> Leg | None:
    """Tries the target, then its alternatives while each before was out of order."""
    exchange, timeout = work.exchange, work.order.timeout
    for wanted in (party.target, *party.target.then):
        if wanted is not party.target:
            party.record = (await _party(work, wanted)).record
        call = party.record
        target = Target(
            call.to, call.from_, call.sid, call.account_sid, wanted.username, wanted.password,
            wanted.headers, near=work.parent.leg.media,
        )  # fmt: skip
        try:
            party.record, leg = await placing.place(exchange, call, target, timeout, ringing)
        except asyncio.CancelledError:
            given_up = await exchange.store.read(placing.stored, call.sid)
            party.record = given_up or call
            raise
        if leg or party.record.sip_response_code not in OUT_OF_ORDER:
            return leg
    return None


def _rang(work: Dialing, early: placing.Ringing | None, leg: Leg, has_sound: bool) -> None:
    if "ringing" in work.order.record and not work.taking:
        work.exchange.spawn(_record(work, leg.media), "record from ringing")
    if early:
        early(leg, has_sound)


async def _prepare(work: Dialing, party: Party, live: LiveCall) -> None:
    """Keys, then the whisper, whose `<Hangup>` declines (HungUp)."""
    if party.target.send_digits:
        await live.press(party.target.send_digits)
    if party.target.url:
        url = work.parent.resolve(party.target.url)
        whisper = lines.play_out(work.exchange, live, Fetch(url, party.target.method))
        await live.on_line(whisper)


async def _bridge(work: Dialing, party: Party) -> None:
    """Sound both ways until a hang-up, `*`, the limit, or REST sends the child elsewhere."""
    parent, child, order = work.parent, party.live, work.order
    assert child
    try:
        await parent.answer()
        parent.forget_keys()
        party.bridged = True
        room = await work.exchange.media.open_room(parent.leg.media, child.leg.media)
        if order.record.startswith(("record", "true")) and not work.taking:
            await _record(work, child.leg.media)
        try:
            elsewhere = await parent.on_line(_until_over(order, parent, child))
        finally:
            await room.close()
            await _stop_recording(work)
        if elsewhere:
            party.detached = True
            child.whisper = False
            child.services.go_on(child, elsewhere)
    finally:
        if not party.detached:
            await _end(work, party)


async def _until_over(order: DialOrder, parent: LiveCall, child: LiveCall) -> Fetch | None:
    async def gone() -> None:
        await asyncio.shield(child.leg.ended)

    async def star() -> None:
        while await parent.leg.media.keys.get() != "*":
            pass

    async def limit() -> None:
        await asyncio.sleep(order.time_limit)

    over = race(gone(), limit(), star()) if order.hangup_on_star else race(gone(), limit())
    return await race(child.redirects.get(), over)


async def _record(work: Dialing, child: MediaLeg) -> None:
    dual = work.order.record.endswith("-dual")
    channels = recordings.channels_of(
        (work.parent.leg.media, "in"), (child, "in"), work.order.recording_track, dual
    )
    work.taking = await recordings.begin(
        work.exchange, work.parent.record, "DialVerb", channels,
        callback=recordings.absolute(work.parent, work.order.callback),
        track=work.order.recording_track, trim=work.order.trim,
        max_seconds=work.exchange.rules.call_limit,
    )  # fmt: skip


async def _stop_recording(work: Dialing) -> None:
    if work.taking:
        recording = await recordings.end(work.exchange, work.taking)
        work.recording = recording if recording.status == "completed" else None


async def _end(work: Dialing, party: Party) -> None:
    """The child is down and its record final, also while we are being cancelled."""
    assert party.live
    await asyncio.shield(lines.finish(work.exchange, party.live))
    party.record = party.live.record


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
    return DialOutcome(
        status, record.sid, duration, chosen.bridged, work.recording, _sip_params(chosen)
    )


def _spokesman(work: Dialing) -> Party:
    if work.order.sequential:
        return work.parties[-1]
    for word in WORST_LAST:
        for party in work.parties:
            if party.record.status == word:
                return party
    return work.parties[-1]


def _sip_params(party: Party) -> tuple[tuple[str, str], ...]:
    """DialSipCallId, DialSipResponseCode and DialSipHeader_X-... of a `<Sip>` target."""
    if party.target.kind != "sip":
        return ()
    brought = dict(party.record.details)
    if party.live:
        brought |= dict(party.live.leg.about.params)
    sent = {"DialSipResponseCode": "200" if party.live else str(party.record.sip_response_code)}
    sent |= {f"Dial{name}": str(value) for name, value in brought.items() if name.startswith("Sip")}
    return tuple(sent.items())
