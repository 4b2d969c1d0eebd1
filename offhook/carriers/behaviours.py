"""How the phones of the simulated network behave: a small coroutine each, and the table of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np

from offhook.carriers.handset import Handset
from offhook.frozen import frozen
from offhook.media.clip import RATE, Clip

RINGS = 2.0  # seconds that somebody takes to answer
RECORDS = 60.0  # seconds that a voicemail listens before it hangs up

Behaviour = Callable[[Handset], Awaitable[None]]


async def answers(phone: Handset) -> None:
    """Rings, is answered, and listens; hangs up never by itself."""
    phone.ring()
    await phone.wait(RINGS)
    phone.answer()


async def busy(phone: Handset) -> None:
    phone.reject(486)


async def rejects(phone: Handset) -> None:
    phone.ring()
    await phone.wait(RINGS)
    phone.reject(603)


async def unreachable(phone: Handset) -> None:
    phone.reject(404)


async def no_answer(phone: Handset) -> None:
    """Rings until the caller gives up."""
    phone.ring()


async def voicemail(phone: Handset) -> None:
    """Answers with a greeting and a beep, then listens for a minute."""
    await answers(phone)
    await phone.wait(0.5)
    await phone.play(phone.greeting)
    await phone.play(tones((1000, 0.5)))
    await phone.wait(RECORDS)
    phone.hang_up()


async def echo(phone: Handset) -> None:
    """Answers, and sends back what it hears."""
    await answers(phone)
    phone.media.echo(True)


def tones(*beats: tuple[float, float]) -> Clip:
    """A melody of (Hz, seconds), 0 Hz being silence."""
    waves = [
        6000 * np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE)
        for hertz, seconds in beats
    ]
    pcm = np.concatenate(waves).astype("<i2").tobytes()
    return Clip(seconds=len(pcm) / (2 * RATE), pcm=pcm)


GREETING = tones((440, 0.2), (0, 0.05), (554, 0.2), (0, 0.05), (659, 0.4), (0, 0.3))


@frozen
class Kind:
    """A row of the table: how a number takes calls, and the error its texts meet (0 for none)."""

    calls: Behaviour
    texts: int = 0


KINDS: dict[str, Kind] = {
    "answers": Kind(answers),
    "busy": Kind(busy),
    "no-answer": Kind(no_answer),
    "rejects": Kind(rejects),
    "unreachable": Kind(unreachable, 30003),
    "voicemail": Kind(voicemail),
    "echo": Kind(echo),
    "blocked": Kind(rejects, 30004),
    "unknown": Kind(unreachable, 30005),
    "landline": Kind(answers, 30006),
    "filtered": Kind(answers, 30007),
    "faulty": Kind(unreachable, 30008),
}
