"""`offhook lint`: what the parser says of a document."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from offhook.errors import ConfigError
from offhook.twiml.lint import lint


def report(source: str, channel: str | None) -> int:
    """Prints `file:line:column code message` for each problem; 1 when one is an error."""
    problems = lint(_read(source), channel)  # type: ignore[arg-type]
    name = "<stdin>" if source == "-" else source
    for problem in problems:
        click.echo(f"{name}:{problem.line}:{problem.column} {problem.code} {problem.message}")
    if not problems:
        click.echo(f"{name}: no problems", err=True)
    return 1 if any(problem.level == "error" for problem in problems) else 0


def _read(source: str) -> bytes:
    if source == "-":
        return sys.stdin.buffer.read()
    try:
        if source.startswith(("http://", "https://")):
            import asyncio

            return asyncio.run(_fetch(source))
        return Path(source).read_bytes()
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error}") from None


async def _fetch(url: str) -> bytes:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        if answer.status >= 400:
            raise ConfigError(f"{url} answers {answer.status}")
        return await answer.read()
