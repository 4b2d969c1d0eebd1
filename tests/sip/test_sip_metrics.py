"""What /metrics says after a call, a text and a visitor who was turned away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from sip_carriers import Phone, carrier, not_ringing, target
from sip_peer import sender

from offhook.carriers.sip_carrier import SipCarrier
from offhook.line.leg import Target
from offhook.metrics import FIGURES, SPREADS, Metrics
from offhook.server import sip_carrier
from offhook.testing import Offhook

OURS, CALLER = "+15550100", "127.0.0.9"


@dataclass
class Watched:
    sip: SipCarrier
    metrics: Metrics

    async def reads(self, name: str, **labels: str) -> float | None:
        """The value of a sample, None when there is none of these labels."""
        text, _ = await self.metrics.page()
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        return None


@asynccontextmanager
async def watched(offhook: Offhook) -> AsyncIterator[Watched]:
    sip = await sip_carrier(offhook.platform.settings, offhook.platform)
    try:
        yield Watched(sip, Metrics(offhook.platform, sip))
    finally:
        await sip.close()


async def waits(request: object) -> str:
    await asyncio.sleep(2)
    return "<Response><Say>Wait.</Say><Pause length='20'/></Response>"


async def test_a_call_is_counted_while_it_lasts_and_when_it_has_ended(offhook: Offhook):
    offhook.number(OURS, voice=waits)
    async with watched(offhook) as here, carrier(CALLER, Phone()) as phone:
        dialling = asyncio.ensure_future(phone.dial(_ours(here.sip), not_ringing))
        await asyncio.sleep(1)
        assert await here.reads("offhook_webhooks_in_flight") == 1
        assert await here.reads("offhook_calls_begun_total", direction="inbound") == 1
        assert await here.reads("offhook_calls_live", direction="inbound", status="ringing") == 1
        leg = await dialling
        await asyncio.sleep(8)
        live = {"direction": "inbound", "status": "in-progress"}
        assert await here.reads("offhook_calls_live", **live) == 1
        assert await here.reads("offhook_media_legs", codec="PCMU") == 1
        assert await here.reads("offhook_sip_calls") == 1
        assert await here.reads("offhook_sip_dialogs") == 1
        sent = await here.reads("offhook_rtp_packets_total", direction="sent")
        assert sent is not None
        assert 350 < sent < 450
        await leg.hang_up()
        await asyncio.sleep(1)
        assert await here.reads("offhook_calls_live", **live) is None
        ended = {"direction": "inbound", "status": "completed"}
        assert await here.reads("offhook_calls_total", **ended) == 1
        asked = {"kind": "document", "outcome": "ok"}
        assert await here.reads("offhook_webhook_seconds_count", **asked) == 1
        took = await here.reads("offhook_webhook_seconds_sum", **asked)
        assert took is not None
        assert 1.99 < took < 2.1
        received = {"direction": "received", "kind": "INVITE"}
        assert await here.reads("offhook_sip_messages_total", **received) == 1
        assert await here.reads("offhook_sip_messages_total", direction="sent", kind="2xx") == 2


async def test_how_its_sound_fared_is_kept_at_the_end_of_a_call(offhook: Offhook):
    offhook.number(OURS, voice=waits)
    async with watched(offhook) as here, carrier(CALLER, Phone()) as phone:
        leg = await phone.dial(_ours(here.sip), not_ringing)
        await asyncio.sleep(12)
        before = await here.reads("offhook_rtp_packets_total", direction="received")
        await leg.hang_up()
        await asyncio.sleep(1)
        assert await here.reads("offhook_leg_loss_ratio_bucket", codec="PCMU", le="0.0") == 1
        assert await here.reads("offhook_leg_jitter_seconds_count", codec="PCMU") == 1
        after = await here.reads("offhook_rtp_packets_total", direction="received")
        assert before is not None
        assert after is not None
        assert after >= before > 500, "what was counted of a call stays counted"


async def test_a_call_out_that_is_refused_is_counted_by_its_status(offhook: Offhook):
    offhook.number(OURS)
    async with watched(offhook) as here:
        offhook.phone("+15550009999").behaves("busy")
        await offhook.post("Calls.json", To="+15550009999", From=OURS, Twiml="<Response/>")
        await asyncio.sleep(5)
        assert await here.reads("offhook_calls_begun_total", direction="outbound-api") == 1
        ended = {"direction": "outbound-api", "status": "busy"}
        assert await here.reads("offhook_calls_total", **ended) == 1


async def test_calls_that_wait_for_their_turn_are_a_queue():
    async with Offhook(limits={"calls_per_second": 0.1}) as slow, watched(slow) as here:
        slow.number(OURS)
        for _ in range(5):
            await slow.post("Calls.json", To="+15550009999", From=OURS, Twiml="<Response/>")
        assert await here.reads("offhook_calls_queued") == 4
        assert await here.reads("offhook_calls_queued_deepest") == 4


async def test_texts_are_counted_by_their_status(offhook: Offhook):
    offhook.number(OURS, sms=lambda request: "<Response><Message>Yes</Message></Response>")
    async with watched(offhook) as here:
        await offhook.text("+15550001111", OURS, "Hello?")
        await offhook.phone("+15550001111").reads("Yes")
        await asyncio.sleep(5)
        for direction, status in (
            ("inbound", "received"), ("outbound-reply", "sent"), ("outbound-reply", "delivered"),
        ):  # fmt: skip
            counted = await here.reads("offhook_messages_total", direction=direction, status=status)
            assert counted == 1, status


async def test_an_application_that_fails_is_an_outcome_and_a_debugger_entry(offhook: Offhook):
    offhook.number(OURS, voice="http://127.0.0.1:1/nobody")
    async with watched(offhook) as here:
        call = await offhook.call(OURS)
        await call.ended()
        failed = {"kind": "document", "outcome": "11202"}
        assert await here.reads("offhook_webhook_seconds_count", **failed) == 1
        assert await here.reads("offhook_debugger_entries_total", code="11202") == 1


async def test_an_answer_that_nobody_waits_for_any_more_is_gone(offhook: Offhook):
    async def slow(request: object) -> str:
        await asyncio.sleep(10)
        return "<Response/>"

    offhook.number(OURS, voice=slow)
    async with watched(offhook) as here:
        call = await offhook.call(OURS)
        await asyncio.sleep(2)
        await offhook.post(f"Calls/{call.sid}.json", Twiml="<Response><Hangup/></Response>")
        await call.ended()
        gone = {"kind": "document", "outcome": "gone"}
        assert await here.reads("offhook_webhook_seconds_count", **gone) == 1
        assert await here.reads("offhook_webhooks_in_flight") == 0


async def test_nonsense_and_repeats_are_events_of_the_door(offhook: Offhook):
    async with watched(offhook) as here:
        peer = await sender(CALLER)
        peer.says(b"hello", *here.sip.address)
        options = (
            f"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {CALLER};rport;branch=z9hG4bK1\r\n"
            f"From: <sip:a>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        for _ in range(2):
            peer.says(options.encode(), *here.sip.address)
        await asyncio.sleep(1)
        assert await here.reads("offhook_sip_events_total", what="malformed") == 1
        assert await here.reads("offhook_sip_events_total", what="repeated") == 1
        assert await here.reads("offhook_sip_events_total", what="bans") == 0
        told = {"direction": "received", "kind": "other"}
        assert await here.reads("offhook_sip_messages_total", **told) == 1


async def test_two_platforms_of_one_process_do_not_count_for_each_other(offhook: Offhook):
    async with watched(offhook) as here, Offhook() as other, watched(other) as there:
        offhook.number(OURS, voice=lambda request: "<Response/>")
        call = await offhook.call(OURS)
        await call.ended()
        ended = {"direction": "inbound", "status": "completed"}
        assert await here.reads("offhook_calls_total", **ended) == 1
        assert await there.reads("offhook_calls_total", **ended) is None


async def test_every_metric_has_a_name_a_unit_and_few_labels(offhook: Offhook):
    names = [each.name for each in (*FIGURES, *SPREADS)]
    assert len(set(names)) == len(names)
    async with watched(offhook) as here:
        text, media_type = await here.metrics.page("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text")
    told = text.decode()
    for name in names:
        assert f"# HELP {name} " in told
    labels = {label for each in (*FIGURES, *SPREADS) for label in each.labels}
    assert not labels & {"account", "account_sid", "call", "sid", "to", "from", "number", "source"}


def _ours(sip: SipCarrier) -> Target:
    host, port = sip.address
    return target(f"sip:{OURS}@{host}:{port}")
