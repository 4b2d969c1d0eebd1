"""Programs that know only api.twilio.com, unchanged, under `offhook run` (M24, M25).

They use the official library where its registry can be reached (Python, Node), elsewhere the very
HTTP stack that the library stands on, set up in the library's way: Faraday for Ruby, the curl
extension for PHP, the system's properties for Java, and curl itself. Each fetches the account,
makes an application, sends a text with two media, is refused one, and deletes the application.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from peers import needs
from served import PATIENCE, PROGRAM, Up, environment

PROGRAMS = Path(__file__).parent / "libraries"
NODE_LIBRARY = "twilio@5.13.1"

Run = Callable[..., str]


@pytest.fixture(scope="module")
def node_library(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where Node finds the official library."""
    needs("npm")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    done = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", NODE_LIBRARY],
        cwd=folder, capture_output=True, text=True, timeout=4 * PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return str(folder / "node_modules")


@pytest.fixture
def run(up: Up, tmp_path: Path) -> Run:
    """What a program prints that `offhook run` starts."""

    def run_it(*command: str, options: tuple[str, ...] = (), **told: str) -> str:
        whole = [PROGRAM, "run", "--data", str(up.data), *options, "--", *command]
        utf8 = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
        done = subprocess.run(
            whole, cwd=tmp_path, env=environment(**utf8, **told), capture_output=True,
            encoding="utf-8", timeout=4 * PATIENCE,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run_it


@pytest.mark.interop
@pytest.mark.parametrize(
    ("program", "script"),
    [
        (sys.executable, "sync.py"),
        (sys.executable, "asynchronous.py"),
        ("node", "program.js"),
        ("ruby", "program.rb"),
        ("php", "program.php"),
        ("java", "Program.java"),
        ("sh", "program.sh"),
    ],
    ids=lambda each: Path(each).suffix or "",
)
def test_a_program_runs_unchanged(
    run: Run, up: Up, tmp_path: Path, request: pytest.FixtureRequest, program: str, script: str
) -> None:
    if program == "java" and not shutil.which("java"):
        pytest.skip("Java is too large to be installed for this alone")
    needs(program)
    shutil.copy(PROGRAMS / script, tmp_path)
    own = {"NODE_PATH": request.getfixturevalue("node_library")} if program == "node" else {}
    printed = run(program, script, **own)
    assert printed.split("\n")[:5] == [up.account_sid, "Café & Co", "2", "400 21602", "gone"]


@pytest.mark.interop
@pytest.mark.parametrize(
    ("language", "program"), [("py", sys.executable), ("js", "node"), ("sh", "sh")]
)
def test_the_program_of_the_quickstart(
    run: Run, up: Up, tmp_path: Path, request: pytest.FixtureRequest, language: str, program: str
) -> None:
    """M27: docs/quickstart.md, in the languages whose library can be had."""
    needs(program)
    page = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text()
    shown = re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[0]
    (tmp_path / f"app.{language}").write_text(shown)
    own = {"NODE_PATH": request.getfixturevalue("node_library")} if program == "node" else {}
    [sid] = re.findall("CA[0-9a-f]{32}", run(program, f"app.{language}", **own))[:1]
    assert up.call(sid)["to"] == "+14155550123"


def test_the_users_own_customisation_of_python_is_read_as_well(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import sys; sys.own = 'own'")
    command = (sys.executable, "-c", "import sys; print(sys.own)")
    assert run(*command, PYTHONPATH=str(tmp_path / "own")) == "own\n"


@pytest.mark.interop
def test_a_restricted_key_is_made_and_used_by_the_official_library(run: Run) -> None:
    printed = run(sys.executable, str(PROGRAMS / "keys.py"))
    assert printed.split("\n")[:5] == ["True", "True", "queued", "401 20003", "gone"]


MAGIC = {
    "buy": {0: 21422, 1: 21421, 6: "in-use"},
    "text to": {1: 21211, 2: 21612, 3: 21408, 4: 21610, 9: 21614},
    "text from": {1: 21212, 6: "queued", 8: 21611},
    "call to": {1: 21217, 2: 21214, 3: 21215, 4: 21216},
    "call from": {1: 21212, 6: "queued"},
}
OTHERS = {"buy": 21422, "text from": 21606, "call from": 21210}


@pytest.mark.interop
def test_what_is_tried_with_test_credentials_happens_to_nobody(run: Run, up: Up) -> None:
    """M25, and every magic number of reference: test credentials."""
    before = everything(up)
    printed = run(sys.executable, str(PROGRAMS / "rehearsal.py"), options=("--test",))
    happened = dict(line.split(": ") for line in printed.splitlines())
    expected = {
        f"{what} {last}": answers.get(last, OTHERS.get(what, "queued"))
        for what, answers in MAGIC.items()
        for last in range(10)
    }
    areas = {"area 533": 21452, "area 500": "in-use", "area 415": 21452}
    edges = {"Portugal": 21422, "Peru": "queued"} | areas
    closed = {"a call": "403 20008", "the account": "403 20008"}
    told = {what: f"400 {x}" if isinstance(x, int) else x for what, x in (edges | expected).items()}
    assert happened == told | closed
    assert everything(up) == before


def everything(up: Up) -> set[str]:
    """The SIDs of what there is."""
    lists = (
        up.get("Messages.json")["messages"],
        up.get("Calls.json")["calls"],
        up.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"],
    )
    return {each["sid"] for listed in lists for each in listed}
