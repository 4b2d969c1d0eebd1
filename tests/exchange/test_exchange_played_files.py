"""Sound files of every documented type, heard by the caller.  Page Play, supported audio types."""

from __future__ import annotations

import asyncio
import subprocess
from shutil import which

import pytest
from exchange_app import CALLER, OURS, App, codes

from offhook.media.clip import Clip
from offhook.testing import Offhook, Response
from offhook.testing.speech import wav_of
from offhook.testing.voice import speak

pytestmark = pytest.mark.skipif(not which("sox"), reason="sox writes the files")

FILES = {
    "audio/aiff": ("-t", "aiff"),
    "audio/x-aiff": ("-t", "aiff", "-r", "44100", "-c", "2"),
    "audio/x-aifc": ("-t", "aifc"),
    "audio/gsm": ("-t", "gsm"),
    "audio/x-gsm": ("-t", "gsm"),
    "audio/ulaw": ("-t", "ul"),
    "audio/basic": ("-t", "au", "-e", "mu-law"),
    "audio/x-wav": ("-t", "wav", "-e", "a-law"),
    "audio/wave": ("-t", "wav", "-e", "gsm-full-rate"),
    "audio/wav": ("-t", "wav", "-e", "ms-adpcm"),
    "audio/vnd.wave": ("-t", "wav", "-b", "24", "-r", "16000"),
}


def written(words: str, options: tuple[str, ...]) -> bytes:
    made = subprocess.run(
        ["sox", "-q", "-t", "wav", "-", *options, "-"],
        input=wav_of(speak(words)), capture_output=True, check=True,
    )  # fmt: skip
    return made.stdout


@pytest.mark.parametrize("kind", FILES)
async def test_a_file_is_heard_by_the_caller(offhook: Offhook, kind: str):
    # GSM 06.10 is made for voices: of the test voice's letters it spoils some.
    words = "audio" if "gsm" in "".join(FILES[kind]) else f"This is {kind}."
    sound = Response(written(words, FILES[kind]), media_type=kind)
    offhook.number(OURS, voice=offhook.url(App("<Play>/sound</Play>", sound=sound), "/"))
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears(words)
    assert codes(offhook) == []


async def test_files_in_gather_are_all_fetched_before_it_begins(offhook: Offhook):
    """reference: caching.  One that cannot be had is passed over, as ever."""

    def sound(words: str) -> Response:
        return Response(wav_of(speak(words)), media_type="audio/wav")

    app = App(
        "<Gather><Say>One.</Say><Play>/two</Play><Play>/three</Play><Play>/no</Play>"
        "<Play>/two</Play></Gather>",
        two=sound("Two."), three=sound("Three."), no=Response(status=404),
    )  # fmt: skip
    offhook.number(OURS, voice=offhook.url(app, "/"))
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears("One.")
    assert {"two", "three", "no"} <= set(app.paths)
    await call.hears("Two.")
    await call.hears("Three.")
    await call.hears("Two.")
    assert app.paths.count("two") == app.paths.count("three") == 1
    assert codes(offhook) == [11200]


async def test_a_key_is_heard_while_files_are_fetched(offhook: Offhook):
    slow = App("<Gather numDigits='1' action='/menu'><Play>/two</Play></Gather>", late=5)
    offhook.number(OURS, voice=offhook.url(slow, "/"))
    call = await offhook.call(OURS, from_=CALLER)
    await asyncio.sleep(6)
    call.press("1")
    await asyncio.sleep(1)
    assert slow.paths[:3] == ["", "two", "menu"]


async def test_a_sound_of_nothing_is_played_once_a_second(offhook: Offhook):
    """However often it is to be said: nobody else waits for a loop that has nothing to wait for."""
    nothing = Response(wav_of(Clip(0, pcm=b"")), media_type="audio/wav")
    app = App("<Say>Before.</Say><Play loop='5'>/nothing</Play><Say>After.</Say>", nothing=nothing)
    offhook.number(OURS, voice=offhook.url(app, "/"))
    call = await offhook.call(OURS, from_=CALLER)
    await call.hears("Before.")
    began = asyncio.get_running_loop().time()
    await call.hears("After.")
    assert 5 <= asyncio.get_running_loop().time() - began < 8
    assert codes(offhook) == []
