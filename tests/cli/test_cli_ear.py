"""Recognising what was said in what was heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from offhook.cli.ear import Ear, share_heard


def speech(seed: int, seconds: float = 2.0) -> bytes:
    """A sound as full of change as speech is, in syllables with pauses between them."""
    random = np.random.default_rng(seed)
    samples = np.cumsum(random.normal(0, 900, int(8000 * seconds)))
    samples -= np.convolve(samples, np.ones(200) / 200, "same")
    loud = np.repeat(random.random(int(seconds * 5)) > 0.2, 1600)
    return np.clip(samples * loud, -30_000, 30_000).astype("<i2").tobytes()


def quieter(sound: bytes, share: float) -> bytes:
    return (np.frombuffer(sound, "<i2") * share).astype("<i2").tobytes()


SAID, OTHER, SILENCE = speech(1), speech(2), bytes(16_000)


def test_what_was_said_is_heard_wherever_it_begins() -> None:
    assert share_heard(SILENCE + SAID + OTHER, SAID) == 1
    assert share_heard(SILENCE + quieter(SAID, 0.2), SAID) == 1


def test_what_was_not_said_is_not_heard() -> None:
    assert share_heard(SAID + SILENCE, OTHER) < 0.2
    assert share_heard(SILENCE, SAID) == 0
    assert share_heard(b"", SAID) == 0
    assert share_heard(SAID, SILENCE) == 0


def test_half_of_it_is_half_heard() -> None:
    assert 0.3 < share_heard(SILENCE + SAID[: len(SAID) // 2] + OTHER, SAID) < 0.7


@pytest.mark.real_time
async def test_an_ear_hears_once_enough_has_arrived() -> None:
    ear, half = Ear(), len(SAID) // 2
    waiting = asyncio.ensure_future(ear.hears(SAID))
    ear.take(SAID[: half // 2])
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(waiting), 0.5)
    ear.take(SAID[half // 2 :])
    await asyncio.wait_for(waiting, 10)
    ear.forget()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ear.hears(SAID), 0.3)
