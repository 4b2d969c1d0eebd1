from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

import pytest
from commands import Offhook, Ran
from served import Up

from offhook.cli.main import main


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("cli") / "data") as program:
        yield program


@pytest.fixture
def offhook(up: Up, monkeypatch: pytest.MonkeyPatch) -> Offhook:
    """Runs a command on `up`; `typed` is its standard input."""
    monkeypatch.setenv("OFFHOOK_DATA", str(up.data))

    def run(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
        out, err, code = io.StringIO(), io.StringIO(), 0
        with redirect_stdout(out), redirect_stderr(err):
            try:
                main(arguments)
            except SystemExit as ended:
                code = int(ended.code or 0)
        return Ran(code, out.getvalue(), err.getvalue())

    return run
