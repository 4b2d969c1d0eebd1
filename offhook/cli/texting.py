"""A text from a simulated phone, and what comes back to it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import click

from offhook.aio import within
from offhook.cli.client import Client
from offhook.own import PREFIX

PATIENCE = 16.0  # seconds; an application may take 15 to answer


async def send_and_wait(client: Client, from_: str, to: str, body: str, as_json: bool) -> None:
    """Prints the replies as they are handed over; returns soon after the first."""
    asked = asyncio.Event()
    replies = asyncio.ensure_future(_replies(client, from_, to, asked))
    await asked.wait()
    sent = await client.post(f"{PREFIX}/texts", {"From": from_, "To": to, "Body": body})
    if not as_json:
        click.echo(f"{from_} -> {to}: {body}")
    for reply in await replies:
        shown = json.dumps(reply) if as_json else f"{to} -> {from_}: {reply['body']}"
        click.echo(shown)
    if not replies.result() and not as_json:
        click.echo(f"no reply within {PATIENCE:.0f} s; its story: offhook calls show {sent['sid']}")


async def _replies(client: Client, from_: str, to: str, asked: asyncio.Event) -> list[Any]:
    known = {each["sid"] for each in await _sent(client, from_, to)}
    asked.set()

    async def arrived() -> list[Any]:
        while not (found := [m for m in await _sent(client, from_, to) if m["sid"] not in known]):
            await asyncio.sleep(0.1)
        return found[::-1]

    return await within(PATIENCE, arrived()) or []


async def _sent(client: Client, from_: str, to: str) -> list[Any]:
    path = f"{client.account}/Messages.json"
    found: list[Any] = await client.everything(path, "messages", 20, To=from_, From=to)
    return found
