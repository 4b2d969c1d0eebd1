"""`offhook run -- COMMAND...`: an unchanged program, its official library led to this Offhook."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import click

from offhook import clock
from offhook.cli.client import Running, connected
from offhook.config import DEFAULT_DATA
from offhook.errors import ConfigError


def add_to(cli: click.Group) -> None:
    cli.add_command(run)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option(
    "--data", type=click.Path(path_type=Path), default=DEFAULT_DATA, envvar="OFFHOOK_DATA",
    show_default=True, help="The data folder of the Offhook to lead to.",
)  # fmt: skip
@click.option("--others", is_flag=True, help="Let it reach other hosts through the proxy too.")
@click.option("--test", is_flag=True, help="Give it the test credentials: nothing happens.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(data: Path, others: bool, test: bool, command: Sequence[str]) -> None:
    """Run COMMAND so that api.twilio.com is this Offhook to it.

    Its library needs no change: Python, Node, Ruby, PHP, Java, Go and curl are told by variables
    of a proxy on loopback, and of an authority of certificates that is this data folder's alone.
    TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN are set to the account's. Exits as COMMAND does.
    """
    sys.exit(asyncio.run(_run(data, others, test, command)))


async def _run(data: Path, others: bool, test: bool, command: Sequence[str]) -> int:
    from offhook.proxy.authority import Authority
    from offhook.proxy.relay import Relay
    from offhook.proxy.surroundings import variables

    running = Running.find(data)
    login = await _test_pair(data) if test else (running.account_sid, running.auth_token)
    api = urlsplit(running.api)
    authority = Authority.of(data / "proxy", clock.utc())
    relay = Relay(authority, (api.hostname or "", api.port or 80), others, _refused)
    async with relay.listening() as port:
        told = {
            **os.environ,
            **variables(authority, port, os.environ),
            **dict(zip(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), login, strict=True)),
        }
        return await _child(command, told)


async def _test_pair(data: Path) -> tuple[str, str]:
    async with connected(data) as client:
        pair = await client.get("/offhook/v1/test-credentials")
    return pair["account_sid"], pair["auth_token"]


def _refused(host: str) -> None:
    click.echo(
        f"offhook run: {host} is not a host of the platform, and was refused;"
        " --others lets it through",
        err=True,
    )


async def _child(command: Sequence[str], told: dict[str, str]) -> int:
    """Its exit code, as a shell has it: 128 and the signal's number when one ended it."""
    try:
        child = await asyncio.create_subprocess_exec(*command, env=told)
    except OSError as error:
        raise ConfigError(f"{command[0]} cannot be run: {error.strerror}") from None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, child.send_signal, signal.SIGTERM)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # the terminal tells the child itself
    code = await child.wait()
    return code if code >= 0 else 128 - code
