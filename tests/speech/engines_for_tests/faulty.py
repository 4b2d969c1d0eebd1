"""An engine that does to its process what its text says; otherwise every letter is 100 ms."""

from __future__ import annotations

import os
import time

from offhook.speech.voices import Voice


def create() -> Faulty:
    return Faulty()


class Faulty:
    version = "faulty 1"

    def synthesize(self, text: str, ssml: str, voice: Voice) -> bytes:
        if text == "crash":
            os.abort()
        if text == "hang":
            time.sleep(3600)
        if text == "eat memory":
            text = text[: len(bytes(3 << 30))]
        return b"\1\0" * (800 * len(text))
