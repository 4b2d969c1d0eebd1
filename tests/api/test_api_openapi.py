"""`/openapi.json`, and the contract's operations against what is served (M24)."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_client import Serving, call
from served import Up, environment

from offhook.api.openapi import document
from offhook.api.resources import EVERY

ROOT = Path(__file__).parents[2]
CONTRACT = Path(os.environ.get("OFFHOOK_CONFORMANCE", "nowhere"))
needs_contract = pytest.mark.skipif(
    not CONTRACT.is_dir(), reason="OFFHOOK_CONFORMANCE names no contract"
)
ACCOUNT = "/2010-04-01/Accounts/{account_sid}"


async def test_it_is_served_to_everybody(serving: Serving) -> None:
    async with serving() as api:
        reply = await call(api.app, "GET", "/openapi.json", "", {}, None)
        assert reply.status == 200
        assert reply.json == document(EVERY)


def test_every_action_is_in_it() -> None:
    paths = document(EVERY)["paths"]
    listed = sum(len(operations) for operations in paths.values())
    assert listed == sum(len(resource.actions) for resource in EVERY)
    operations = [each["operationId"] for at in paths.values() for each in at.values()]
    assert len(set(operations)) == len(operations)


def test_a_form_is_described_by_what_it_takes() -> None:
    create = document(EVERY)["paths"][f"{ACCOUNT}/Calls.json"]["post"]
    schema = create["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    assert schema["required"] == ["To", "From"]
    properties = schema["properties"]
    assert properties["Url"] == {"type": "string", "format": "uri", "maxLength": 4000}
    assert properties["Timeout"] == {"type": "integer", "minimum": 1, "maximum": 600}
    assert properties["Method"] == {"type": "string", "enum": ["GET", "POST"]}
    assert properties["StatusCallbackEvent"]["type"] == "array"
    assert create["responses"]["201"]["description"]


def test_a_list_is_described_as_a_page() -> None:
    listed = document(EVERY)["paths"][f"{ACCOUNT}/Calls.json"]["get"]
    schema = listed["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["properties"]["calls"]["type"] == "array"
    assert {"PageSize", "Page", "PageToken"} <= {each["name"] for each in listed["parameters"]}


def test_what_a_query_may_say_is_described() -> None:
    """Filters are, and what else is read of a GET's query, which has no body."""
    paths = document(EVERY)["paths"]
    query = {
        path: {each["name"]: each["schema"] for each in told["get"]["parameters"]}
        for path, told in paths.items()
        if "get" in told
    }
    calls = query[f"{ACCOUNT}/Calls.json"]
    assert {"To", "From", "Status", "StartTime", "StartTime<", "EndTime>"} <= set(calls)
    assert calls["StartTime<"]["anyOf"][0] == {"type": "string", "format": "date"}
    found = query[f"{ACCOUNT}/AvailablePhoneNumbers/{{country}}/Local.json"]
    assert found["PageSize"]["maximum"] == 1000
    assert found["VoiceEnabled"] == {"type": "boolean"}
    assert "RequestedChannels" in query[f"{ACCOUNT}/Recordings/{{sid}}.mp3"]
    assert [path for path, told in paths.items() if "requestBody" in told.get("get", {})] == []


@pytest.fixture
def compatibility(monkeypatch: pytest.MonkeyPatch) -> str:
    """The page as it has to be today."""
    monkeypatch.syspath_prepend(str(ROOT))
    made = importlib.import_module("docs.compatibility")
    page: str = made.page(made.contract(CONTRACT))
    return page


@needs_contract
def test_every_operation_of_the_contract_is_served(compatibility: str) -> None:
    rows = compatibility.splitlines()
    assert sum("| yes |" in row for row in rows) == 177
    assert [row for row in rows if "| no |" in row] == []


@needs_contract
def test_the_page_of_compatibility_is_todays(compatibility: str) -> None:
    page = ROOT / "docs" / "compatibility.md"
    assert page.read_text() == compatibility, "run `make docs`"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("fuzzed") / "data") as program:
        yield program


@pytest.mark.interop
def test_no_request_that_fits_the_description_breaks_the_server(up: Up, tmp_path: Path) -> None:
    """Schemathesis makes them up, within the account; promoting its token would lock it out."""
    program = Path(sys.executable).with_name("schemathesis")
    if not program.exists() and not shutil.which("schemathesis"):
        pytest.skip("there is no schemathesis here")
    (tmp_path / "schemathesis.toml").write_text(
        f'[parameters]\n"path.account_sid" = "{up.account_sid}"\n'
    )
    ran = subprocess.run(
        [
            str(program), "run", f"{up.api}/openapi.json", "--url", up.api,
            "--auth", f"{up.account_sid}:{up.auth_token}", "--checks", "not_a_server_error",
            "--max-examples", "4", "--max-time", "90", "--phases", "fuzzing", "--seed", "1",
            "--exclude-path-regex", "AuthTokens", "--no-color", "--generation-database", "none",
            "--suppress-health-check", "all", "--request-timeout", "20",
        ],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=150,
    )  # fmt: skip
    assert "Server error" not in ran.stdout, ran.stdout[-6000:]
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-6000:]
