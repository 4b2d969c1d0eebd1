"""The official libraries against a running Offhook, judged by the contract (M24).

`OFFHOOK_CONFORMANCE` names the folder of the suite: its `helper_lib_suite` drives the Python and
the Node library through every operation and holds each answer against the contract in `oai`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import Up, environment

SUITE = Path(os.environ.get("OFFHOOK_CONFORMANCE", "nowhere")).resolve() / "helper_lib_suite"
CONTRACT = SUITE.parent / "oai" / "twilio_api_v2010_core.json"
LONGEST = 900  # seconds
NODE_LIBRARY = "twilio@5"  # 6.2.0 forgets the SID of what it has created: `instance.fetch` fails

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not SUITE.is_dir(), reason="OFFHOOK_CONFORMANCE names no suite"),
]

# What waits for later work, by the beginning of the check's name.
WAITING = (
    "call enqueues", "queue member", "queue.members", "queue size", "hang up",
    "conference", "participant", "call.streams", "call.transcriptions", "call.siprec",
    "call.payments", "call.user_defined_message", "recording.transcriptions",
    "transcriptions",
)  # fmt: skip

# Where the suite itself is wrong, its lines are corrected before it runs: what, by what, and why.
CORRECTIONS = {
    # A Pause that comes first waits before the call is answered (reference: verbs that do not
    # answer), so that the called end would ring for a minute and no call would be in progress.
    """ROUTES['/answer'] = (200, 'text/xml', '<Response><Pause""": (
        """ROUTES['/answer'] = (200, 'text/xml', '<Response><Say>Hello.</Say><Pause"""
    ),
    # The called number's application is at example.com, which answers no call: nobody picks up.
    "friendlyName: 'n' + n, voiceUrl: 'http://example.com/v'": (
        "friendlyName: 'n' + n, voiceUrl: BASE + '/demo/voice'"
    ),
}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("conformance") / "data") as program:
        yield program


def run(up: Up, folder: Path, *command: str, **settings: str) -> dict[str, Any]:
    """What the script reports of this Offhook."""
    report = folder / "report.json"
    told = environment(
        BASE_URL=up.api, ACCOUNT_SID=up.account_sid, AUTH_TOKEN=up.auth_token,
        REPORT=str(report), OPENAPI=str(CONTRACT), **settings,
    )  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, env=told, capture_output=True, text=True, timeout=LONGEST
    )
    assert report.exists(), done.stdout + done.stderr
    found: dict[str, Any] = json.loads(report.read_text())
    return found


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite, corrected."""
    copy = tmp_path_factory.mktemp("suite")
    corrected = set()
    for each in SUITE.iterdir():
        text = each.read_text()
        for wrong, right in CORRECTIONS.items():
            corrected |= {wrong} if wrong in text else set()
            text = text.replace(wrong, right)
        (copy / each.name).write_text(text)
    assert corrected == set(CORRECTIONS)
    return copy


def unexpected(report: dict[str, Any]) -> list[str]:
    """What failed and may not."""
    return [
        f"{each['check']}: {each['why']}"
        for each in report["failures"]
        if not each["check"].startswith(WAITING)
    ]


@pytest.mark.parametrize("style", ["sync", "async", "http_info"])
def test_the_python_library_finds_what_the_contract_says(
    up: Up, suite: Path, tmp_path: Path, style: str
) -> None:
    report = run(up, tmp_path, sys.executable, str(suite / "run_python.py"), STYLES=style)
    assert report["passed"] > 300
    assert not unexpected(report)


@pytest.fixture(scope="module")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library in it."""
    npm, folder = shutil.which("npm"), tmp_path_factory.mktemp("node")
    if npm is None:
        pytest.skip("there is no Node here")
    (folder / "package.json").write_text("{}")
    got = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", NODE_LIBRARY],
        cwd=folder, capture_output=True, text=True, timeout=LONGEST,
    )  # fmt: skip
    if got.returncode and re.search("ENOTFOUND|ECONNREFUSED|ETIMEDOUT|EAI_AGAIN", got.stderr):
        pytest.skip("there is no registry here")
    assert got.returncode == 0, got.stderr
    return folder / "node_modules"


def test_the_node_library_finds_what_the_contract_says(
    up: Up, suite: Path, tmp_path: Path, node_modules: Path
) -> None:
    script = str(suite / "run_node.mjs")
    report = run(up, tmp_path, "node", script, NODE_MODULES=str(node_modules))
    assert report["passed"] > 100
    assert not unexpected(report)
