"""What tests of speech ask for, and what they hand to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from offhook.speech.service import Speech

Body = Callable[[Speech], Awaitable[Any]]
WithSpeech = Callable[..., Any]  # runs a Body; the fixture `with_speech` says how
