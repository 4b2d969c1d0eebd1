"""What the tests with programs of others have in common."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from shutil import which

import pytest

KINDS = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


def needs(program: str) -> None:
    """Skips the test without the program; fails it where interop is required."""
    if not which(program):
        _missing(f"{program} is not installed")


def needs_file(path: Path) -> None:
    """As `needs`, for a part of a program."""
    if not path.exists():
        _missing(f"{path} is not installed")


def _missing(told: str) -> None:
    if os.environ.get("OFFHOOK_INTEROP") == "required":
        pytest.fail(told)
    pytest.skip(told)


def free_port() -> int:
    """A port of loopback that both UDP and TCP have free, and the one above as well: softphones
    take two."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            port = int(udp.getsockname()[1])
        if all(_is_free(kind, each) for kind in KINDS for each in (port, port + 1)):
            return port


def _is_free(kind: socket.SocketKind, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True
