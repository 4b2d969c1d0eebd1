"""Speech engines, one file each.

An engine is a module with a function `create() -> Engine`. It is named by its file here
(`espeak`) or by the dotted name of any importable module (`mycompany.voices`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from offhook.speech.voices import Voice


class Engine(Protocol):
    """Runs in the speech process; a crash or a hang costs the one request.

    `version` names the engine and everything that changes its sound: it is part of the key
    under which clips are cached.
    """

    version: str

    def synthesize(self, text: str, ssml: str, voice: Voice) -> bytes:
        """PCM, 8 kHz 16-bit mono. `ssml` is "" for plain text, else the inside of `<Say>`.

        Raises SpeechError 13520 or 13521 for text that cannot be spoken.
        """


def load(name: str) -> Engine:
    module = import_module(name if "." in name else f"{__name__}.{name}")
    engine: Engine = module.create()
    return engine
