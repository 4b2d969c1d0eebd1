"""UDP ports for RTP, in pairs: an even one and, for RTCP, the one above (RFC 3550 section 11)."""

from __future__ import annotations

from collections import deque


class MediaFull(Exception):
    """No port pair, or no room for a leg, is left."""


class Ports:
    """A pair is handed out again only after its return, and then as late as possible."""

    def __init__(self, ports: range) -> None:
        self._free = deque(port for port in ports if port % 2 == 0 and port + 1 in ports)

    def __len__(self) -> int:
        return len(self._free)

    def take(self) -> int:
        """The even port of a pair. Raises MediaFull."""
        if not self._free:
            raise MediaFull("all RTP ports are taken")
        return self._free.popleft()

    def give_back(self, port: int) -> None:
        self._free.append(port)
