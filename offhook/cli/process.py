"""What a process that runs for months asks of its system."""

from __future__ import annotations

import ctypes
import gc
import resource
from contextlib import suppress

FILES = 16_384  # open at a time, in each process: two for a leg, one for a connection
COLLECT = (20_000, 4, 10)  # objects, and rounds among younger ones, between two of the collector's
M_ARENA_MAX = -8  # glibc's <malloc.h>


def prepare() -> None:
    """To be called before there is any thread."""
    may_open_files()
    share_one_heap()


def may_open_files() -> None:
    """Most systems let a program, and those that it starts, open 1,024 unless it asks for more."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if 0 <= now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def share_one_heap() -> None:
    """glibc gives threads heaps of their own, in which what is free serves no other thread, so that
    memory grows for hours. Others have no such function, and no need of it."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def settle_memory() -> None:
    """What is there after the start stays: the collector need not walk it again and again.

    All of it together would stop every call for a tenth of a second.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
