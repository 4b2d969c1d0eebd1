"""Whatever is done to a speech process, only the request in hand suffers."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from files import tone, wav
from speaking import WithSpeech

from offhook import clock
from offhook.errors import SpeechError
from offhook.media.clip import Clip
from offhook.speech.service import Speech

FAULTY = {"engine": "engines_for_tests.faulty", "limits": {"speak": 1.0}}


def say(speech: Speech, text: str) -> asyncio.Future[Clip]:
    return asyncio.ensure_future(speech.say(text, "", "", ""))


def test_an_engine_is_any_module_that_creates_one(with_speech: WithSpeech) -> None:
    clip: Clip = with_speech(lambda speech: speech.say("abc", "", "", ""), **FAULTY)
    assert clip.seconds == pytest.approx(0.3)


@pytest.mark.parametrize("role", ["speak", "decode"])
def test_a_killed_process_is_replaced(with_speech: WithSpeech, role: str) -> None:
    async def body(speech: Speech) -> None:
        async def work(number: int) -> Clip:
            if role == "speak":
                return await speech.say(f"Number {number}", "", "", "")
            return await speech.decode(wav(tone(number, 8000), 8000), "audio/wav")

        assert (await work(1)).seconds > 0.5
        first = speech.pids[role]
        os.kill(first, signal.SIGKILL)
        assert (await work(2)).seconds > 0.5
        assert speech.pids[role] != first
        assert speech.healthy

    with_speech(body, fresh=True)


@pytest.mark.parametrize(
    "text",
    [
        "crash",
        "hang",
        pytest.param(
            "eat memory",
            marks=pytest.mark.skipif(
                sys.platform == "darwin", reason="macOS does not bound address space"
            ),
        ),
    ],
)
def test_a_text_that_breaks_the_process_fails_alone(with_speech: WithSpeech, text: str) -> None:
    async def body(speech: Speech) -> None:
        before, broken, after = say(speech, "abc"), say(speech, text), say(speech, "abcde")
        results = await asyncio.gather(before, broken, after, return_exceptions=True)
        assert [getattr(one, "seconds", one.__class__) for one in results] == [
            pytest.approx(0.3),
            SpeechError,
            pytest.approx(0.5),
        ]
        assert isinstance(results[1], SpeechError)
        assert results[1].code == 13520
        assert (await say(speech, "abcd")).seconds == pytest.approx(0.4)

    with_speech(body, **FAULTY)


def test_an_engine_that_does_not_start_is_unhealthy_and_says_so(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> None:
        assert not speech.healthy
        assert speech.pids == {}
        with pytest.raises(SpeechError) as error:
            await speech.say("hello", "", "", "")
        assert error.value.code == 13520
        decoded = await speech.decode(wav(tone(1, 8000), 8000), "audio/wav")
        assert decoded.seconds == pytest.approx(1, abs=0.01)

    with_speech(body, engine="engines_for_tests.unstartable")


def test_media_does_not_keep_speech_waiting(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> None:
        await speech.decode(b"\xff" * 8000, "audio/ulaw")
        os.kill(speech.pids["decode"], signal.SIGSTOP)
        stuck = asyncio.ensure_future(speech.decode(b"\xfe" * 8000, "audio/ulaw"))
        assert (await speech.say("Hello", "", "", "")).seconds > 0.3
        assert not stuck.done()
        os.kill(speech.pids["decode"], signal.SIGCONT)
        assert (await stuck).seconds == pytest.approx(1)

    with_speech(body)


def test_closing_ends_the_processes(with_speech: WithSpeech) -> None:
    async def body(speech: Speech) -> list[int]:
        await speech.say("Hello", "", "", "")
        await speech.decode(b"\xff" * 8000, "audio/ulaw")
        return list(speech.pids.values())

    pids = with_speech(body, fresh=True)
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_virtual_time_stands_still_while_sound_is_made(tmp_path: Path) -> None:
    speech = Speech(tmp_path)
    began = clock.now()
    await speech.start()
    assert (await speech.say("Hello", "", "", "")).seconds > 0.3
    assert (await speech.decode(b"\xff" * 8000, "audio/ulaw")).seconds == 1
    await speech.close()
    assert clock.now() == began
