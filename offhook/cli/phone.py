"""A phone in the terminal: prints what is said and played, takes keys, hangs up."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import click

from offhook.cli.client import connected
from offhook.cli.story import lines
from offhook.errors import ConfigError
from offhook.own import PREFIX

SHOWN = {"said", "status", "recording", "debugger", "key"}
KEYS = set("0123456789*#ABCDwW")
REFUSED = {
    404: "not a number of this Offhook", 480: "nobody answers", 486: "busy", 503: "not ready",
    603: "declined",
}  # fmt: skip


async def call(data: Path, to: str, from_: str, as_json: bool) -> int:
    """The exit code: 0 when somebody answered."""
    async with (
        connected(data) as client,
        client.socket(f"{PREFIX}/phone", To=to, From=from_) as socket,
    ):
        if not as_json:
            click.echo(f"Calling {to} as {from_}. Type keys and Enter; h hangs up.")
        typing = asyncio.ensure_future(_type(socket))
        try:
            return 0 if await _listen(socket, as_json) else 1
        finally:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)


async def _listen(socket: aiohttp.ClientWebSocketResponse, as_json: bool) -> bool:
    """Whether somebody answered. Raises ConfigError when nobody tells any more."""
    answered = False
    async for message in socket:
        event = message.json()
        if event["kind"] == "status" and event["data"]["status"] == "in-progress":
            answered = True
        if as_json:
            click.echo(message.data)
        elif event["kind"] == "ended":
            click.echo(f"  {_end(event['data'])}")
        elif event["kind"] in SHOWN:
            click.echo("  " + "\n  ".join(lines(event)))
        if event["kind"] == "ended":
            return answered
    raise ConfigError("the line went dead: Offhook has stopped, 'offhook up' starts it")


def _end(data: Mapping[str, Any]) -> str:
    if data["by"] == "far":
        return "you hung up"
    if data["code"] == 200:
        return "the other side hung up"
    told = data["reason"] or REFUSED.get(data["code"], "refused")
    return f"the call failed: {data['code']}, {told}"


async def _type(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Lines from the keyboard, as keys. Its end hangs up; the end of a file or pipe does not."""
    async for line in _typed():
        if line in {"h", "q", "hang up"}:
            break
        if line and set(line) <= KEYS:
            await socket.send_json({"press": line})
        elif line:
            click.echo("  keys are 0-9 * # A-D; w waits half a second; h hangs up", err=True)
    else:
        if not os.isatty(0):
            return
    await socket.send_json({"hang_up": True})


async def _typed() -> AsyncIterator[str]:
    """Lines of the standard input, be it a terminal, a pipe or a file."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        # A thread of its own, and no buffer with a lock: it may still wait when all is over.
        with open(0, "rb", buffering=0, closefd=False) as keyboard:
            while line := keyboard.readline():
                loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, b"")

    if sys.stdin is not None:
        threading.Thread(target=read, daemon=True).start()
        while line := await lines.get():
            yield line.decode(errors="replace").strip()
