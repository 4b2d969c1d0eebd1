"""The simulated network, from both ends: what the platform's leg is told, what the person hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from offhook import clock
from offhook.carriers.handset import Handset
from offhook.carriers.simulated import CALLS, DELIVERY, TEXTS, SimulatedNetwork
from offhook.errors import CarrierError
from offhook.line.leg import Ended, HungUp, Leg, Target, Text
from offhook.media.plane import MediaPlane, RecordOrder
from offhook.testing.voice import Ear, speak

US, YOU = "+15550100", "+15550001111"


class Platform:
    """What a platform would be to the network: `answering` says what it does with a call."""

    def __init__(self) -> None:
        self.legs: list[Leg] = []
        self.asked: list[tuple[str, str]] = []
        self.texts: list[tuple[str, str, str, object]] = []
        self.answering: Callable[[Leg], object] = lambda leg: None
        self.rang: list[bool] = []

    async def on_call(self, leg: Leg, to: str, from_: str) -> None:
        self.legs.append(leg)
        self.asked.append((to, from_))
        outcome = self.answering(leg)
        if asyncio.iscoroutine(outcome):
            await outcome

    async def on_text(self, to: str, from_: str, body: str, media: object = ()) -> None:
        self.texts.append((to, from_, body, media))

    def ringing(self, leg: Leg, early_media: bool) -> None:
        self.rang.append(early_media)


@asynccontextmanager
async def world(**options: object) -> AsyncIterator[tuple[Platform, SimulatedNetwork]]:
    platform, plane = Platform(), await MediaPlane.local(range(20000, 20100))
    network = SimulatedNetwork(plane, platform.on_call, platform.on_text, **options)  # type: ignore[arg-type]
    try:
        yield platform, network
    finally:
        await network.close()
        await plane.close()


def target(to: str = YOU) -> Target:
    return Target(to, US, "CA1", "AC1")


async def refusal(network: SimulatedNetwork, platform: Platform, to: str = YOU) -> int:
    with pytest.raises(CarrierError) as refused:
        await network.dial(target(to), platform.ringing)
    return refused.value.code


def listening(leg_or_handset: Leg | Handset) -> Ear:
    ear = Ear()
    leg_or_handset.media.tap(ear.feed)
    return ear


# A call from the platform, by the table of behaviours


async def test_a_number_answers_after_ringing_and_never_hangs_up() -> None:
    async with world() as (platform, network):
        leg = await network.dial(target(), platform.ringing)
        assert platform.rang == [False]
        assert 2 <= clock.now() < 3
        [handset] = network.phone(YOU).calls
        assert (handset.state, handset.other) == ("answered", US)
        await asyncio.sleep(86400)
        assert not leg.ended.done()


@pytest.mark.parametrize(
    ("how", "code", "rings"),
    [("busy", 486, []), ("rejects", 603, [False]), ("unreachable", 404, [])],
)
async def test_a_number_refuses(how: str, code: int, rings: list[bool]) -> None:
    async with world(numbers={YOU: how}) as (platform, network):
        assert await refusal(network, platform) == code
        assert platform.rang == rings
        assert network.phone(YOU).calls[0].ended.result() == Ended("far", code)


async def test_a_number_that_does_not_answer_rings_until_it_is_given_up() -> None:
    async with world(numbers={YOU: "no-answer"}) as (platform, network):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await network.dial(target(), platform.ringing)
        assert platform.rang == [False]
        assert network.phone(YOU).calls[0].ended.result() == Ended("near", 487)


async def test_a_voicemail_greets_beeps_and_listens() -> None:
    async with world(numbers={YOU: "voicemail"}) as (platform, network):
        network.phone(YOU).greeting = speak("Nobody is home.")
        leg = await network.dial(target(), platform.ringing)
        ear = listening(leg)
        message = listening(network.phone(YOU).calls[0])
        await asyncio.sleep(5)
        assert ear.text == "Nobody is home."
        await leg.media.play(speak("Call me back."))
        assert message.text == "Call me back."
        assert await leg.ended == Ended("far", 200)
        assert 60 < clock.now() < 70


async def test_an_echo_returns_what_it_hears() -> None:
    async with world(numbers={YOU: "echo"}) as (platform, network):
        leg = await network.dial(target(), platform.ringing)
        ear = listening(leg)
        await leg.media.play(speak("Is anybody there?"))
        await asyncio.sleep(1)
        assert ear.text == "Is anybody there?"


async def test_a_behaviour_is_a_coroutine() -> None:
    async def speaks_and_leaves(phone: Handset) -> None:
        phone.ring(early_media=True)
        await phone.wait(7)
        phone.answer()
        await phone.play(speak("Wrong number."))
        await phone.press("1#")
        phone.hang_up()

    async with world() as (platform, network):
        network.phone(YOU).behaves(speaks_and_leaves)
        leg = await network.dial(target(), platform.ringing)
        ear = listening(leg)
        assert platform.rang == [True]
        assert await leg.ended == Ended("far", 200)
        assert ear.text == "Wrong number."
        assert [leg.media.keys.get_nowait() for _ in range(2)] == ["1", "#"]


async def test_a_behaviour_that_crashes_refuses_the_call_and_is_kept() -> None:
    async def trips(phone: Handset) -> None:
        raise ZeroDivisionError

    async with world() as (platform, network):
        network.phone(YOU).behaves(trips)
        assert await refusal(network, platform) == 500
        assert [type(crash) for crash in network.crashes] == [ZeroDivisionError]


async def test_an_unknown_behaviour_is_named_with_those_there_are() -> None:
    async with world() as (_, network):
        with pytest.raises(ValueError, match=r"'sleepy'; there are answers, busy"):
            network.phone(YOU).behaves("sleepy")


async def test_only_listed_numbers_are_taken_unless_all_are() -> None:
    async with world(numbers={YOU: "busy"}, takes_all=False) as (platform, network):
        assert (network.takes(YOU), network.takes("+15559999")) == (True, False)
        assert await refusal(network, platform, "+15559999") == 404
    async with world() as (_, network):
        assert network.takes("+15559999")
        assert not network.takes("sip:ann@example.com")
        assert not network.takes("client:ann")


# The legs


async def test_the_platform_hangs_up() -> None:
    async with world() as (platform, network):
        leg = await network.dial(target(), platform.ringing)
        await leg.hang_up()
        await leg.hang_up()
        assert leg.ended.result() == Ended("near", 200)
        assert network.phone(YOU).calls[0].state == "over"
        with pytest.raises(HungUp):
            await leg.answer()


async def test_the_sound_ends_with_the_call(tmp_path: Path) -> None:
    platform, plane = Platform(), await MediaPlane.local(range(20000, 20100))
    network = SimulatedNetwork(plane, platform.on_call, platform.on_text)
    leg = await network.dial(target(), platform.ringing)
    recorder = await plane.record(RecordOrder(str(tmp_path / "call.wav"), (((leg.media, "in"),),)))
    network.phone(YOU).calls[0].hang_up()
    assert (await recorder.done()).reason == "ended"


async def test_giving_up_returns_when_the_call_is_over() -> None:
    async with world() as (platform, network):
        dialling = asyncio.create_task(network.dial(target(), platform.ringing))
        await asyncio.sleep(1)
        dialling.cancel()
        await asyncio.wait({dialling})
        assert dialling.cancelled()
        [handset] = network.phone(YOU).calls
        assert handset.ended.result() == Ended("near", 487)
        await asyncio.sleep(60)
        assert handset.state == "over"


# A call to the platform


async def test_a_caller_is_heard_and_hears_once_answered() -> None:
    async with world() as (platform, network):
        ears: list[Ear] = []

        async def answering(leg: Leg) -> None:
            await leg.ring()
            await asyncio.sleep(3)
            await leg.answer()
            ears.append(listening(leg))
            await leg.media.play(speak("Hello?"))

        platform.answering = answering
        handset = await network.call(YOU, US)
        hearing = listening(handset)
        await handset.answered()
        assert clock.now() == pytest.approx(3)
        await asyncio.sleep(2)
        await handset.play(speak("It is me."))
        assert (platform.asked, hearing.text) == ([(US, YOU)], "Hello?")
        assert ears[0].text == "It is me."
        handset.hang_up()
        assert await platform.legs[0].ended == Ended("far", 200)


async def test_keys_arrive_in_order_both_ways() -> None:
    async with world() as (platform, network):
        platform.answering = lambda leg: leg.answer()
        handset = await network.call(YOU, US)
        await handset.answered()
        handset.press("12")
        await handset.press("3*w#")
        [leg] = platform.legs
        assert [leg.media.keys.get_nowait() for _ in range(5)] == list("123*#")
        await leg.media.send_digits("90")
        assert [handset.keys.get_nowait() for _ in range(2)] == ["9", "0"]


async def test_a_caller_who_is_rejected_learns_why() -> None:
    async with world() as (platform, network):
        platform.answering = lambda leg: leg.reject(486)
        handset = await network.call(YOU, US)
        assert await handset.ended == Ended("near", 486)
        with pytest.raises(HungUp):
            await handset.answered()


async def test_a_caller_gives_up_before_the_answer() -> None:
    async with world() as (platform, network):
        platform.answering = lambda leg: leg.ring()
        handset = await network.call(YOU, US)
        await asyncio.sleep(5)
        assert handset.state == "ringing"
        handset.hang_up()
        assert await platform.legs[0].ended == Ended("far", 487)


async def test_a_platform_that_crashes_ends_the_call() -> None:
    async def answering(leg: Leg) -> None:
        raise ZeroDivisionError

    async with world() as (platform, network):
        platform.answering = answering
        handset = await network.call(YOU, US)
        assert await handset.ended == Ended("network", 500)


# Texts


async def test_a_text_arrives_in_the_inbox_and_is_reported() -> None:
    async with world() as (_, network):
        reports: list[tuple[float, str, int]] = []
        text = Text("SM1", "AC1", YOU, US, "Salut ☎️")
        await network.send(text, lambda *report: reports.append((clock.now(), *report)))
        assert clock.now() == 0
        await network.phone(YOU).news()
        assert network.phone(YOU).inbox == [text]
        assert reports == [(DELIVERY, "delivered", 0)]


@pytest.mark.parametrize(
    ("how", "code"),
    [("unreachable", 30003), ("blocked", 30004), ("unknown", 30005), ("landline", 30006)],
)
async def test_a_text_is_undeliverable_by_the_table(how: str, code: int) -> None:
    async with world(numbers={YOU: how}) as (_, network):
        reports: list[tuple[str, int]] = []
        text = Text("SM1", "AC1", YOU, US, "Hello")
        await network.send(text, lambda *report: reports.append(report))
        await asyncio.sleep(10)
        assert (reports, network.phone(YOU).inbox) == ([("undelivered", code)], [])


async def test_a_phone_remembers_its_latest_texts_and_calls() -> None:
    async with world() as (_, network):
        for n in range(TEXTS + 2):
            await network.send(Text(f"SM{n}", "AC1", YOU, US, ""), lambda status, code: None)
            await asyncio.sleep(0.001)
        await asyncio.sleep(10)
        inbox = network.phone(YOU).inbox
        assert [len(inbox), inbox[0].sid, inbox[-1].sid] == [TEXTS, "SM2", f"SM{TEXTS + 1}"]
        for _ in range(CALLS + 1):
            (latest := await network.call(YOU, US)).hang_up()
            await asyncio.sleep(1)
        assert len(network.phone(YOU).calls) == CALLS
        assert network.phone(YOU).calls[-1] is latest


async def test_a_text_to_nobody_is_refused() -> None:
    async with world(takes_all=False) as (_, network):
        with pytest.raises(CarrierError, match="not on the simulated network"):
            await network.send(Text("SM1", "AC1", YOU, US, "Hello"), lambda status, code: None)


async def test_somebody_texts_the_platform() -> None:
    async with world() as (platform, network):
        await network.text(YOU, US, "HELP", (("image/png", b"..."),))
        assert platform.texts == [(US, YOU, "HELP", (("image/png", b"..."),))]
