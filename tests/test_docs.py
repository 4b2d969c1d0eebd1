"""What README and docs show is run as it is printed."""

from __future__ import annotations

import contextlib
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from offhook.cli.main import cli
from offhook.testing.platform import Offhook
from offhook.twiml.document import parse

ROOT = Path(__file__).parent.parent


def printed(page: str) -> list[str]:
    """The Python of a page, block by block."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


def prose(page: Path) -> str:
    """The page without its code."""
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def test_the_example_of_the_test_kit_passes(tmp_path: Path) -> None:
    for block in printed("docs/testing.md"):
        if block.startswith("# "):
            name = block.split()[1]
            (tmp_path / name).write_text(block)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout
    assert "7 passed" in ran.stdout


@pytest.fixture
def readme_app(tmp_path: Path) -> Iterator[str]:
    """The README's application, on a free port; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    [source] = printed("README.md")
    (tmp_path / "app.py").write_text(source.replace("5000", str(port)))
    command = [sys.executable, "-W", "error", "app.py"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as server:
        try:
            _await_listener(server, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await_listener(server: subprocess.Popen[bytes], port: int) -> None:
    """Returns when the server accepts connections; fails when it ends instead."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                pytest.fail(f"the README's application ended with {server.wait(0.05)}")
        else:
            return


async def test_the_readmes_application_answers_a_call_and_a_text(
    offhook: Offhook, readme_app: str
) -> None:
    """M27: an application that answers in the first five minutes."""
    offhook.number("+15550002222", voice=f"{readme_app}/voice", sms=f"{readme_app}/sms")
    call = await offhook.call("+15550002222")
    await call.hears("Press the number of your favourite season.")
    call.press("3")
    await call.hears("You pressed 3.")
    await offhook.text("+15550001111", "+15550002222", "Is anybody there?")
    await offhook.phone("+15550001111").reads("You wrote: Is anybody there?")


def shown_commands() -> list[str]:
    """What the pages have somebody type that begins with `offhook`, variables left away."""
    typed = re.compile(r"^(?:\$ |  )(?:[A-Z_]+=\S+ )*offhook (.+)$", re.MULTILINE)
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    return [line for page in pages for line in typed.findall(page.read_text().replace("\\\n", " "))]


@pytest.mark.parametrize("line", sorted(set(shown_commands())))
def test_every_command_that_is_shown_is_one(line: str) -> None:
    command: click.Command = cli
    words = shlex.split(line.partition(" -- ")[0].removesuffix("&"), comments=True)
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    assert command is not cli, "no such command"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_every_link_between_the_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("docs/*.md")]
    links = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", prose(page))
        if not (page.parent / link).exists()
    ]
    assert links == []


def test_the_pages_of_settings_and_metrics_are_up_to_date() -> None:
    sys.path.insert(0, str(ROOT))
    try:
        from docs.build import metrics_page, page
    finally:
        sys.path.remove(str(ROOT))
    assert (ROOT / "docs/configuration.md").read_text() == page(), "run `make docs`"
    assert (ROOT / "docs/metrics.md").read_text() == metrics_page(), "run `make docs`"


def test_the_documents_for_calls_are_right() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for block in re.findall(r"```xml\n(<Response>.*?)```", page.read_text(), re.DOTALL):
            assert parse(block).problems == (), (page.name, block)
