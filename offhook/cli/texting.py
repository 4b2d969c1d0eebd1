"""A text from a simulated phone, and what comes back to it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from offhook import clock
from offhook.aio import within
from offhook.cli.client import Client
from offhook.cli.story import lines
from offhook.own import PREFIX

PATIENCE = 20.0  # seconds; an application may take 15 to answer
QUIET = 1.5  # seconds without news, once the application was asked, that are the end of it
INTERVAL = 0.1  # seconds


async def send_and_wait(client: Client, from_: str, to: str, body: str, as_json: bool) -> int:
    """Prints what is replied, or why nothing is. The exit code: 0 when there was a reply."""
    before = {each["sid"] for each in await _from_us(client, from_, to)}
    sent = await client.post(f"{PREFIX}/texts", {"From": from_, "To": to, "Body": body})
    if not as_json:
        click.echo(f"{from_} -> {to}: {body}")
    await within(PATIENCE, _settled(client, sent["sid"]))
    replies = [each for each in await _from_us(client, from_, to) if each["sid"] not in before]
    for reply in reversed(replies):
        shown = json.dumps(reply) if as_json else f"{to} -> {from_}: {reply['body']}"
        click.echo(shown)
    if not replies:
        await _explain(client, sent["sid"])
    return 0 if replies else 1


async def _settled(client: Client, sid: str) -> None:
    """Returns when the application has answered and nothing more happens."""
    known, since = 0, clock.now()
    while True:
        events = await _events(client, sid)
        if len(events) > known:
            known, since = len(events), clock.now()
        asked = any(event["kind"] in ("webhook", "debugger") for event in events)
        if asked and clock.now() - since > QUIET:
            return
        await asyncio.sleep(INTERVAL)


async def _explain(client: Client, sid: str) -> None:
    click.echo(f"no reply; its story: offhook calls show {sid}", err=True)
    for event in await _events(client, sid):
        if event["kind"] == "debugger":
            click.echo(f"  {lines(event)[0]}", err=True)


async def _events(client: Client, sid: str) -> list[Any]:
    found: list[Any] = (await client.get(f"{PREFIX}/calls/{sid}/events"))["events"]
    return found


async def _from_us(client: Client, from_: str, to: str) -> list[Any]:
    """The latest texts from the platform's number to the phone, newest first."""
    path = f"{client.account}/Messages.json"
    found: list[Any] = await client.everything(path, "messages", 20, To=from_, From=to)
    return found
