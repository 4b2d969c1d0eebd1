"""docs/rest.md says what happens: its commands are run, and print what it shows."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from peers import needs
from served import PATIENCE, Up, environment

PAGE = Path(__file__).parents[2] / "docs" / "rest.md"
END = "---end of what it prints---"


def shown() -> list[tuple[str, str]]:
    """Each command of the page, and what it is shown to print."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", PAGE.read_text(), re.DOTALL):
        for each in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = each.splitlines()
            length = next(n for n, line in enumerate(lines, 1) if not line.endswith("\\"))
            found.append(("\n".join(lines[:length]), "\n".join(lines[length:])))
    return found


def expected(text: str) -> str:
    """A pattern in which `...` is anything."""
    return ".*".join(map(re.escape, text.split("...")))


@pytest.mark.interop
def test_the_page_of_the_rest_api_prints_what_it_shows(tmp_path: Path) -> None:
    needs("curl")
    commands = shown()
    script = "".join(f"{command}\necho\necho '{END}'\n" for command, _ in commands)
    with Up(tmp_path / "data") as up:
        own = {
            "OFFHOOK": up.api,
            "ACCOUNT_SID": up.account_sid,
            "AUTH_TOKEN": up.auth_token,
        }
        done = subprocess.run(
            ["sh", "-c", script], env=environment() | own, capture_output=True, text=True,
            timeout=PATIENCE,
        )  # fmt: skip
    printed = done.stdout.split(END)[:-1]
    for (command, told), said in zip(commands, printed, strict=True):
        matches = re.fullmatch(expected(told), said.strip(), re.DOTALL)
        assert matches, f"{command}\n{said}"
