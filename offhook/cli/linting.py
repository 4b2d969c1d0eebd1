"""`offhook lint`: what the parser says of a document."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Literal

import aiohttp
import click

from offhook.errors import ConfigError
from offhook.twiml.lint import as_line, lint

PATIENCE = aiohttp.ClientTimeout(total=15)  # seconds, as an application has


def report(source: str, channel: Literal["voice", "messaging"] | None) -> int:
    """Prints `file:line:column code message` for each problem; 1 when one is an error."""
    problems = lint(_read(source), channel)
    name = "<stdin>" if source == "-" else source
    for problem in problems:
        click.echo(as_line(name, problem))
    if not problems:
        click.echo(f"{name}: no problems", err=True)
    return 1 if any(problem.level == "error" for problem in problems) else 0


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        if source.startswith(("http://", "https://")):
            return asyncio.run(_fetch(source))
        return Path(source).read_bytes()
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer in time"
        raise ConfigError(f"{source} cannot be read: {reason}") from None


async def _fetch(url: str) -> bytes:
    async with aiohttp.ClientSession(timeout=PATIENCE) as session, session.get(url) as answer:
        if answer.status >= 400:
            raise ConfigError(f"{url} cannot be read: it answers {answer.status}")
        return await answer.read()
