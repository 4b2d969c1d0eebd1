"""What a transport is: one HTTP request out, one response in. No redirects, cookies or retries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from offhook.errors import OffhookError
from offhook.frozen import frozen

Headers = tuple[tuple[str, str], ...]


@frozen
class Outgoing:
    """One request, its headers complete but for Host and Content-Length. Times in seconds; without
    `read`, whoever sends it limits the whole.

    The body that comes back may have `max_bytes`, or `max_sound_bytes` when it is sound. A longer
    one fails with TransportError, or is cut there when `cut`.
    """

    method: str
    url: str
    headers: Headers
    body: bytes = b""
    connect: float = 5.0
    read: float | None = None
    server_name: bool = True
    max_bytes: int = 65_536
    max_sound_bytes: int = 65_536
    cut: bool = False

    def room(self, media_type: str) -> int:
        return self.max_sound_bytes if media_type.startswith("audio/") else self.max_bytes


@frozen
class Incoming:
    """One response; content codings are undone and their headers gone."""

    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """The value of a header, several joined by commas, "" when absent."""
        return ", ".join(self.all(name))

    def all(self, name: str) -> list[str]:
        """Each value of a header."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]


class TransportError(OffhookError):
    """There was no response, or none that can be used.

    `code` is of the 11xxx table. `failure` is what a retry policy calls it: `ct` when no
    connection came about, `rt` when nothing was read in time, "" for what is not retried.
    """

    def __init__(self, code: int, message: str, failure: Literal["ct", "rt", ""] = "") -> None:
        super().__init__(message)
        self.code, self.message, self.failure = code, message, failure


class TooLarge(TransportError):
    """The body is longer than it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(11750, f"the body is longer than {limit} bytes")


Send = Callable[[Outgoing], Awaitable[Incoming]]
