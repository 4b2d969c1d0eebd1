"""The commands. All but `up`, `demo`, `lint` and `config` talk to a running Offhook over HTTP."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click

from offhook import __version__
from offhook.cli import backup, run, serving
from offhook.cli.client import Client, connected
from offhook.config import DEFAULT_DATA as DATA
from offhook.errors import ConfigError

VOICE = {
    "voice-url": "VoiceUrl",
    "voice-method": "VoiceMethod",
    "voice-fallback-url": "VoiceFallbackUrl",
    "status-callback": "StatusCallback",
    "sms-url": "SmsUrl",
    "sms-method": "SmsMethod",
    "sms-fallback-url": "SmsFallbackUrl",
    "voice-application": "VoiceApplicationSid",
    "sms-application": "SmsApplicationSid",
    "name": "FriendlyName",
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="offhook")
def cli() -> None:
    """A phone platform on your own machine, for applications that speak TwiML."""


def main(arguments: Sequence[str] | None = None) -> None:
    """One clear line and exit code 2 for what the operator has to change."""
    try:
        cli(arguments, standalone_mode=False)
    except ConfigError as error:
        click.echo(f"offhook: {error}", err=True)
        sys.exit(2)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


Command = Callable[..., Coroutine[Any, Any, int | None]]

data_option = click.option(
    "--data", type=click.Path(path_type=Path), default=DATA, envvar="OFFHOOK_DATA",
    show_default=True, help="The data folder of the Offhook to talk to.",
)  # fmt: skip


def asks(command: Command) -> Callable[..., None]:
    """A command that talks to the running Offhook of `--data`."""

    @data_option
    @wraps(command)
    def run(data: Path, **options: Any) -> None:
        converse(data, command, **options)

    return run


def converse(data: Path, command: Command, **options: Any) -> None:
    async def conversation() -> int | None:
        async with connected(data) as client:
            return await command(client, **options)

    sys.exit(asyncio.run(conversation()) or 0)


as_json = click.option("--json", "as_json", is_flag=True, help="JSON, for programs.")
limit = click.option(
    "--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, newest first."
)


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """A table for people, or the API's own objects."""
    if as_json:
        return click.echo(json.dumps(rows, indent=2))
    if not rows:
        return click.echo("none")
    table = [[str(row.get(column) or "") for column in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *table, strict=True)]
    for line in [list(columns), *table]:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    return None


@cli.group()
def numbers() -> None:
    """Phone numbers and the URLs behind them."""


@numbers.command("list")
@as_json
@asks
async def list_numbers(client: Client, as_json: bool) -> None:
    """The account's numbers."""
    path = f"{client.account}/IncomingPhoneNumbers.json"
    found = await client.everything(path, "incoming_phone_numbers", 1000)
    show(found, ("phone_number", "friendly_name", "voice_url", "sms_url"), as_json)


def number_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option, parameter in reversed(VOICE.items()):
        command = click.option(f"--{option}", help=f"Sets {parameter}.")(command)
    return command


def _form(options: Mapping[str, str | None]) -> dict[str, str]:
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return {VOICE[name]: value for name, value in given.items() if value is not None}


@numbers.command("add")
@click.argument("number")
@number_options
@as_json
@asks
async def add_number(client: Client, number: str, as_json: bool, **options: str | None) -> None:
    """Add NUMBER, with the URLs that answer it."""
    path = f"{client.account}/IncomingPhoneNumbers.json"
    made = await client.post(path, {"PhoneNumber": number} | _form(options))
    show([made], ("phone_number", "sid", "voice_url", "sms_url"), as_json)


@numbers.command("set")
@click.argument("number")
@number_options
@as_json
@asks
async def set_number(client: Client, number: str, as_json: bool, **options: str | None) -> None:
    """Change what is behind NUMBER; an empty value clears."""
    sid = (await _number(client, number))["sid"]
    form = _form(options)
    if not form:
        raise ConfigError("nothing to change: name what to set, such as --voice-url URL")
    made = await client.post(f"{client.account}/IncomingPhoneNumbers/{sid}.json", form)
    show([made], ("phone_number", "sid", "voice_url", "sms_url"), as_json)


@numbers.command("rm")
@click.argument("number")
@asks
async def remove_number(client: Client, number: str) -> None:
    """Release NUMBER."""
    sid = (await _number(client, number))["sid"]
    await client.delete(f"{client.account}/IncomingPhoneNumbers/{sid}.json")
    click.echo(f"{number} is released")


async def _number(client: Client, number: str) -> Any:
    path = f"{client.account}/IncomingPhoneNumbers.json"
    found = await client.everything(path, "incoming_phone_numbers", 1, PhoneNumber=number)
    if not found:
        raise ConfigError(f"{number} is not a number of this account: see 'offhook numbers list'")
    return found[0]


@cli.group()
def accounts() -> None:
    """Accounts, and whether they may call and text."""


@accounts.command("list")
@as_json
@asks
async def list_accounts(client: Client, as_json: bool) -> None:
    """The account and its subaccounts."""
    found = await client.everything("/2010-04-01/Accounts.json", "accounts", 1000)
    show(found, ("sid", "friendly_name", "status", "date_created"), as_json)


@accounts.command("suspend")
@click.argument("sid")
@asks
async def suspend(client: Client, sid: str) -> None:
    """Stop all traffic of account SID, and of its subaccounts; only 'activate' ends it."""
    await _stand(client, sid, "suspended")


@accounts.command("activate")
@click.argument("sid")
@asks
async def activate(client: Client, sid: str) -> None:
    """Let account SID go on."""
    await _stand(client, sid, "active")


async def _stand(client: Client, sid: str, status: str) -> None:
    from offhook.own import PREFIX

    changed = await client.post(f"{PREFIX}/accounts/{sid}", {"Status": status})
    click.echo(f"{changed['sid']} is {changed['status']}")


@cli.group(invoke_without_command=True)
@limit
@as_json
@data_option
@click.pass_context
def calls(context: click.Context, data: Path, limit: int, as_json: bool) -> None:
    """The latest calls; 'offhook calls show SID' tells the story of one."""
    if context.invoked_subcommand is None:
        converse(data, list_calls, limit=limit, as_json=as_json)


async def list_calls(client: Client, limit: int, as_json: bool) -> None:
    found = await client.everything(f"{client.account}/Calls.json", "calls", limit)
    show(found, ("sid", "date_created", "direction", "from", "to", "status", "duration"), as_json)


@calls.command("show")
@click.argument("sid")
@click.option("--pcap", type=click.Path(path_type=Path), help="Write its packets to this file.")
@as_json
@asks
async def show_call(client: Client, sid: str, pcap: Path | None, as_json: bool) -> None:
    """Everything that happened in the call SID: webhooks, TwiML, SIP, keys, recordings."""
    from offhook.cli.pcap import capture
    from offhook.cli.story import story
    from offhook.own import PREFIX

    events = (await client.get(f"{PREFIX}/calls/{sid}/events"))["events"]
    if not events:
        raise ConfigError(f"nothing is known of {sid}: see 'offhook calls'")
    if pcap:
        pcap.write_bytes(capture(events))
        click.echo(f"wrote {pcap}", err=True)
    click.echo(json.dumps(events, indent=2) if as_json else "\n".join(story(events)))


@cli.command()
@limit
@as_json
@asks
async def messages(client: Client, limit: int, as_json: bool) -> None:
    """The latest texts."""
    found = await client.everything(f"{client.account}/Messages.json", "messages", limit)
    show(found, ("sid", "date_created", "direction", "from", "to", "status", "body"), as_json)


@cli.command()
@as_json
@asks
async def logs(client: Client, as_json: bool) -> None:
    """Follow what happens, until stopped."""
    from offhook.cli.story import lines
    from offhook.own import PREFIX

    async with client.follow(f"{PREFIX}/events") as events:
        click.echo("following; Ctrl-C stops", err=True)
        async for event in events:
            told = "\n    ".join(lines(event))
            when = f"{event['at'][11:23]} {event['subject']}"
            click.echo(json.dumps(event) if as_json else f"{when} {told}")
    raise ConfigError("Offhook has stopped")


@cli.command()
@as_json
@asks
async def doctor(client: Client, as_json: bool) -> int:
    """Check ports, speech, trunks and the clock. Exit code 1 when something is wrong."""
    from offhook.own import PREFIX

    checks = (await client.get(f"{PREFIX}/doctor"))["checks"]
    if as_json:
        click.echo(json.dumps(checks, indent=2))
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check['ok'] else 'BAD '} {check['name']}: {check['detail']}")
    return 0 if all(check["ok"] for check in checks) else 1


@cli.command()
@as_json
@asks
async def trunks(client: Client, as_json: bool) -> None:
    """Trunks: whether they are there, whether we are registered, and how calls fare there."""
    from offhook.own import PREFIX

    found = (await client.get(f"{PREFIX}/trunks"))["trunks"]
    words = {True: "yes", False: "NO", None: "?"}
    if not as_json:
        found = [each | {"reachable": words[each["reachable"]]} for each in found]
    columns = (
        *("name", "address", "reachable", "status", "reason", "since", "registered", "until"),
        *("calls", "failed", "failing"),
    )
    show(found, columns, as_json)


@cli.command()
@as_json
@asks
async def credentials(client: Client, as_json: bool) -> None:
    """The account's SID and token, and the test pair, with which nothing happens."""
    from offhook.own import PREFIX

    test = await client.get(f"{PREFIX}/test-credentials")
    live = {"account_sid": client.running.account_sid, "auth_token": client.running.auth_token}
    rows = [{"kind": "live"} | live, {"kind": "test"} | test]
    show(rows, ("kind", "account_sid", "auth_token"), as_json)


@cli.command()
@click.argument("from_", metavar="FROM")
@click.argument("to")
@click.argument("body")
@as_json
@asks
async def text(client: Client, from_: str, to: str, body: str, as_json: bool) -> int:
    """Send BODY from a simulated phone FROM to your number TO, and print the replies.

    Exit code 1 when there is none.
    """
    from offhook.cli.texting import send_and_wait

    return await send_and_wait(client, from_, to, body, as_json)


@cli.command()
@click.argument("number")
@click.option("--from", "from_", default="+15550001111", show_default=True, help="Who calls.")
@data_option
@as_json
def call(number: str, from_: str, data: Path, as_json: bool) -> None:
    """Call NUMBER from the terminal: hear it in words, press keys, hang up."""
    from offhook.cli import phone

    sys.exit(asyncio.run(phone.call(data, number, from_, as_json)))


@cli.command()
@click.argument("source", metavar="FILE|URL|-")
@click.option("--channel", type=click.Choice(["voice", "messaging"]), help="Default: by content.")
def lint(source: str, channel: Literal["voice", "messaging"] | None) -> None:
    """Check a TwiML document. Exit code 1 when it has errors."""
    from offhook.cli.linting import report

    sys.exit(report(source, channel))


serving.add_to(cli)
run.add_to(cli)
backup.add_to(cli)
