"""The only place that reads a clock.

Everything waits on the running loop's time. A loop that owns its time, as tests have, also offers
`utc` and `outside`, and the same code runs on it unchanged.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta

_UNMARKED: AbstractContextManager[None] = nullcontext()


def now() -> float:
    """Seconds on the running loop's clock; only differences mean anything."""
    return asyncio.get_running_loop().time()


def utc() -> datetime:
    """The date and time, aware, UTC."""
    own = getattr(asyncio.get_running_loop(), "utc", None)
    return own() if own else datetime.now(UTC)


def utc_in(seconds: float) -> datetime:
    """The date and time so many seconds from now."""
    return utc() + timedelta(seconds=seconds)


def monotonic() -> float:
    """Seconds, for processes and threads that run no loop."""
    return time.monotonic()


def outside(what: str) -> AbstractContextManager[None]:
    """Marks work that happens outside the loop, in a thread, a process or a real socket.

    Virtual time stands still meanwhile; `what` is named when the work takes too long.
    """
    own = getattr(asyncio.get_running_loop(), "outside", None)
    return own(what) if own else _UNMARKED
