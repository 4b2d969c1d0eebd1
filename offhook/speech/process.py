"""The main process's side of one speech process."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, TypeVar

from offhook import clock
from offhook.errors import SpeechError
from offhook.speech import frames

START_SECONDS = 25.0

Role = Literal["speak", "decode", "encode"]
Reply = tuple[frames.Header, bytes]
T = TypeVar("T")


class Lost(Exception):
    """The process died, hung or did not start; what was asked of it has no answer."""


class Process:
    """Answers one request at a time, in order. Started when needed, and again when it has died.

    It is served from a thread with real-time limits, so that a loop in virtual time can wait too.
    """

    def __init__(self, role: Role, engine: str = "") -> None:
        self._role, self._engine = role, engine
        self._child: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"speech-{role}")
        self.version = ""
        self.works = False

    @property
    def pid(self) -> int:
        """The process's id; 0 while none runs."""
        return self._child.pid if self._child else 0

    async def start(self) -> None:
        """Raises Lost when it does not come up."""
        await self._outside(self._start)

    async def ask(self, request: frames.Header, seconds: float, body: bytes = b"") -> bytes:
        """The sound asked for. Raises SpeechError (code 0: the request broke it) or Lost."""
        reply, sound = await self._outside(self._ask, request, body, seconds)
        if "code" in reply:
            raise SpeechError(reply["code"], reply["message"])
        return sound

    async def close(self) -> None:
        await self._outside(self._stop)
        self._thread.shutdown(wait=False)

    async def _outside(self, work: Callable[..., T], *args: Any) -> T:
        with clock.outside(f"speech ({self._role})"):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _ask(self, request: frames.Header, body: bytes, seconds: float) -> Reply:
        """Twice when the process dies: it may have been somebody else who killed it."""
        for last in (False, True):
            try:
                sock = self._start()
                return self._exchange(sock, request, body, seconds)
            except TimeoutError:
                self._stop()
                raise Lost(f"no answer within {seconds:g} seconds") from None
            except (EOFError, OSError) as error:
                self._stop()
                if last:
                    self.works = False
                    raise Lost(f"the process died: {error}") from None
        raise AssertionError

    def _exchange(
        self, sock: socket.socket, request: frames.Header, body: bytes, seconds: float
    ) -> Reply:
        deadline = clock.monotonic() + seconds

        def before() -> None:
            left = deadline - clock.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)

        before()
        frames.send(sock, request | {"seconds": seconds}, body)
        reply = frames.receive(sock, before)
        self.works = True
        return reply

    def _start(self) -> socket.socket:
        if self._child and self._socket and self._child.poll() is None:
            return self._socket
        self._stop()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(START_SECONDS)
        command = [sys.executable, "-P", "-m", "offhook.speech.worker", self._role]
        try:
            with theirs:
                self._child = subprocess.Popen(
                    [*command, str(theirs.fileno()), self._engine],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=_environment(),
                )
            self.version = frames.receive(self._socket)[0]["version"]
        except (EOFError, OSError) as error:
            self._stop()
            self.works = False
            raise Lost(f"the process does not start: {error}") from None
        self.works = True
        return self._socket

    def _stop(self) -> None:
        if self._socket:
            self._socket.close()
        if self._child:
            self._child.kill()
            self._child.wait()
        self._socket = self._child = None


def _environment() -> dict[str, str]:
    """It can import what we can, and nothing from the folder it happens to be started in.

    numpy's thread pools would take address space by the core.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
