"""`offhook up`, `demo` and `config`: the commands that start something themselves."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import structlog

from offhook.cli import process
from offhook.cli.client import Running
from offhook.config import Settings, load, sample, usable_folder
from offhook.model.account import Account


def add_to(cli: click.Group) -> None:
    cli.add_command(up)
    cli.add_command(demo)
    cli.add_command(config)


def settings_options(command: Any) -> Any:
    for option, shown, told in (
        ("--public-url", "URL", "Where the world reaches the API."),
        ("--public-ip", "IP", "The address for Contact and SDP, behind NAT."),
        ("--rtp", "LOW-HIGH", "UDP ports for sound."),
        ("--sip", "HOST:PORT", "Where SIP listens, UDP and TCP [127.0.0.1:5060]."),
        ("--http", "HOST:PORT", "Where the API listens [127.0.0.1:8080]."),
        ("--data", "DIR", "The folder of the database, recordings and caches."),
    ):
        command = click.option(option, metavar=shown, help=told)(command)
    command = click.option("--drain", type=float, help="Seconds for live calls at a stop.")(command)
    command = click.option("--workers", type=int, help="Processes for sound.")(command)
    return click.option(
        "--config", "file", type=click.Path(path_type=Path), help="A TOML file with settings."
    )(command)


@click.command()
@settings_options
def up(file: Path | None, **flags: Any) -> None:
    """Start Offhook and serve until stopped."""
    settings = load(flags, file)
    usable_folder(settings.data)
    log_as(settings)
    process.prepare()
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    from offhook.server import serving, stopped

    async with serving(settings) as it:
        process.settle_memory()
        account = it.platform.account
        running = Running(
            it.api_url, it.sip, account.sid, account.auth_token, it.demo_number, os.getpid()
        )
        running.leave(settings.data)

        def promoted(changed: Account) -> None:
            if changed.sid == running.account_sid:
                replace(running, auth_token=changed.auth_token).leave(settings.data)

        it.platform.exchange.witnesses.add(promoted)
        click.echo(welcome(running, settings, it.public_url, it.phones))
        await stopped(it.platform.hurry)
        if calls := len(it.platform.exchange.live) + len(it.platform.exchange.attempts):
            click.echo(
                f"stopping: no new calls; {calls} may go on for {settings.drain:g} s"
                " (Ctrl-C again ends them at once)"
            )
    Running.forget(settings.data)
    click.echo("stopped")


def welcome(
    running: Running, settings: Settings, public_url: str, phones: Mapping[str, str]
) -> str:
    """Where it is, and what to try next. `phones` says where by which transports of SIP."""
    data = "" if not settings.asked("data") else f" --data {settings.data}"
    number = running.demo_number
    lines = ["Offhook is up.", f"  API          {running.api}"]
    if public_url != running.api:
        lines.append(f"  Public URL   {public_url}")
    lines += [
        f"  Account SID  {running.account_sid}",
        f"  Auth token   {running.auth_token}",
        f"  SIP          {running.sip} (UDP and TCP)",
        *(
            f"{'':15}{place} ({transport})"
            for transport, place in phones.items()
            if transport not in ("UDP", "TCP")
        ),
    ]
    if number:
        lines += [
            f"  Demo number  {number}",
            "Try, in another terminal:",
            f"  offhook call {number}{data}",
            f'  offhook text +15550001111 {number} "hello"{data}',
            f"  offhook numbers add +15550100200 --voice-url http://localhost:5000/voice{data}",
        ]
    return "\n".join([*lines, "Stop with Ctrl-C."])


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Keep everything here.")
def demo(data: Path | None) -> None:
    """Start a platform, call and text it, print what is heard, and stop."""
    from offhook.cli.showing import show

    raise SystemExit(asyncio.run(show(data)))


@click.command()
def config() -> None:
    """Print every setting with its explanation, as a TOML file to start from."""
    click.echo(sample())


def log_as(settings: Settings) -> None:
    """Structured logs on the standard error stream."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
