"""A phone in the terminal: prints what is said and played, takes keys, hangs up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import click

from offhook.cli.client import connected
from offhook.cli.story import lines
from offhook.own import PREFIX

SHOWN = {"said", "status", "recording", "ended", "debugger", "key"}
KEYS = set("0123456789*#ABCDwW")


async def call(data: Path, to: str, from_: str, as_json: bool) -> int:
    """The exit code: 0 when somebody answered."""
    async with (
        connected(data) as client,
        client.socket(f"{PREFIX}/phone", To=to, From=from_) as socket,
    ):
        if not as_json:
            click.echo(f"Calling {to} as {from_}. Type keys and Enter; 'h' or Ctrl-D hangs up.")
        state = {"answered": False}
        typing = asyncio.ensure_future(_type(socket))
        try:
            await _listen(socket, as_json, state)
        finally:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)
    return 0 if state["answered"] else 1


async def _listen(
    socket: aiohttp.ClientWebSocketResponse, as_json: bool, state: dict[str, bool]
) -> None:
    async for message in socket:
        event = message.json()
        if event["kind"] == "status" and event["data"]["status"] == "in-progress":
            state["answered"] = True
        _show(event, message.data, as_json)
        if event["kind"] == "ended":
            return


def _show(event: Mapping[str, Any], text: str, as_json: bool) -> None:
    if as_json:
        click.echo(text)
    elif event["kind"] in SHOWN:
        click.echo("  " + "\n  ".join(lines(event)))


async def _type(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Lines from the keyboard, as keys; the end of input hangs up."""
    reader = await _keyboard()
    while line := await reader.readline():
        typed = line.decode(errors="replace").strip()
        if typed in {"h", "hang up", "q"}:
            break
        if typed and set(typed) <= KEYS:
            await socket.send_json({"press": typed})
        elif typed:
            click.echo("  keys are 0-9 * # A-D; w waits half a second; h hangs up")
    await socket.send_json({"hang_up": True})


async def _keyboard() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader
