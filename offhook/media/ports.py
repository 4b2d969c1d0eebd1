"""UDP ports for RTP, in pairs: an even one and, for RTCP, the one above (RFC 3550 section 11)."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Awaitable, Callable

FEW = 64  # pairs, of which none is set aside


class MediaFull(Exception):
    """No port pair, or no room for a leg, is left."""


class Ports:
    """A pair is handed out again only after its return, and then as late as possible."""

    def __init__(self, ports: range) -> None:
        self._free = deque(port for port in ports if port % 2 == 0 and port + 1 in ports)
        self._aside: set[int] = set()

    def __len__(self) -> int:
        """Pairs that nobody has."""
        return len(self._free) + len(self._aside)

    def take(self) -> int:
        """The even port of a pair. Raises MediaFull."""
        if not self._free:
            raise MediaFull("all RTP ports are taken")
        return self._free.popleft()

    async def bind(self, bind: Callable[[int], Awaitable[None]]) -> int:
        """The first that `bind` can have, other programs' left out. Raises OSError, MediaFull."""
        for _ in range(len(self)):
            port = self.take()
            try:
                await bind(port)
            except BaseException as error:
                self.give_back(port)
                if not isinstance(error, OSError) or error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port
        raise MediaFull("no RTP port could be opened")

    def set_aside(self) -> int | None:
        """The even port of a pair that somebody may have at once, later; None when few are left."""
        if len(self._free) <= FEW:
            return None
        port = self.take()
        self._aside.add(port)
        return port

    def hand_out(self, port: int) -> None:
        """One that was set aside is somebody's."""
        self._aside.discard(port)

    def give_back(self, port: int) -> None:
        self._aside.discard(port)
        self._free.append(port)
