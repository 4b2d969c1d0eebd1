"""`offhook demo`: a call, a SIP call and a text that are really heard and received."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest
from served import PROGRAM, Program

pytestmark = pytest.mark.interop


def test_the_demonstration_shows_all_of_it_and_keeps_the_recording(tmp_path: Path) -> None:
    with Program(PROGRAM, "demo", "--data", str(tmp_path / "demo")) as demo:
        assert demo.ends(90) == 0, demo.err.text + demo.out.text
        told = demo.out.text
    for words in (
        "  Offhook    Speak after the beep, and press the pound key when you are done.",
        "  the phone  presses #",
        "  Offhook    (plays the message)",
        "  SIP phone  presses 1",
        "  Offhook    It is ",
        '  Offhook    You wrote: "Is anybody there?".',
        "  make up",
    ):
        assert words in told
    [kept] = [line.strip() for line in demo.out.seen if line.endswith(".wav")]
    with wave.open(kept) as recording:
        assert recording.getnframes() > 2 * recording.getframerate()
    assert demo.err.text == ""
