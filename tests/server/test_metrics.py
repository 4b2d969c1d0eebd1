"""/metrics of a running `offhook up`: who may read it, and what it then says."""

from __future__ import annotations

import base64
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from served import PATIENCE, Application, Up, environment, serving

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
TOKEN = "a token for metrics"


def asked(up: Up, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"{up.api}/metrics", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("metrics") / "data") as up:
        yield up


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """As if behind a proxy that everybody reaches."""
    data = tmp_path_factory.mktemp("public") / "data"
    with Up(data, "--public-url", "https://phone.example.com") as up:
        yield up


def test_on_this_machine_alone_nobody_is_asked_who_they_are(private: Up) -> None:
    status, text = asked(private)
    assert status == 200
    assert samples(text)["offhook_ready", ()] == 1


def test_where_others_can_reach_it_the_operators_credentials_are_wanted(public: Up) -> None:
    assert asked(public)[0] == 401
    assert asked(public, Authorization=basic(public.account_sid, "wrong"))[0] == 401
    right = basic(public.account_sid, public.auth_token)
    assert asked(public, Authorization=right)[0] == 200


def test_nobody_elses_credentials_will_do(public: Up) -> None:
    other = public.post("/2010-04-01/Accounts.json", FriendlyName="Another")
    assert asked(public, Authorization=basic(other["sid"], other["auth_token"]))[0] == 403


def test_with_a_token_of_its_own_prometheus_needs_no_more(tmp_path: Path) -> None:
    with Up(tmp_path / "data", env=environment(OFFHOOK_METRICS_TOKEN=TOKEN)) as up:
        assert asked(up)[0] == 401
        assert asked(up, Authorization="Bearer ")[0] == 401
        assert asked(up, Authorization=f"Bearer {TOKEN}")[0] == 200
        assert asked(up, Authorization=basic(up.account_sid, up.auth_token))[0] == 200


def test_a_call_through_everything_leaves_its_marks(private: Up) -> None:
    with serving(
        Application({"/voice": "<Response><Say>Good day.</Say></Response>"})
    ) as application:
        private.number("+15550100300", VoiceUrl=f"{application.url}/voice")
        placed = private.post(
            "Calls.json", To="+15550100300", From=private.demo,
            Twiml="<Response><Pause/></Response>", StatusCallback=f"{application.url}/status",
        )  # fmt: skip
        application.gets("/status", CallSid=placed["sid"], CallStatus="completed")
    told = samples(asked(private)[1])
    for name, labels in (
        ("offhook_calls_total", {"direction": "outbound-api", "status": "completed"}),
        ("offhook_calls_total", {"direction": "inbound", "status": "completed"}),
        ("offhook_webhook_seconds_count", {"kind": "document", "outcome": "ok"}),
        ("offhook_webhook_seconds_count", {"kind": "callback", "outcome": "ok"}),
        ("offhook_speech_seconds_count", {"process": "speak"}),
        ("offhook_api_request_seconds_count", {"method": "POST", "status": "2xx"}),
        ("offhook_store_write_seconds_count", {}),
        ("offhook_event_loop_lag_seconds_count", {}),
        ("process_resident_memory_bytes", {}),
    ):
        assert told[name, tuple(sorted(labels.items()))] >= 1, name
    assert told["offhook_media_workers", ()] == told["offhook_media_workers_wanted", ()] == 1


def test_what_the_alerts_look_at_is_there(private: Up) -> None:
    told = asked(private)[1]
    [rules] = re.findall(r"```yaml\n# offhook.rules.yml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    looked_at = set(re.findall(r"\boffhook_\w+", rules))
    assert len(looked_at) >= 5
    for name in looked_at:
        family = re.sub(r"_(count|total|sum|bucket)$", "", name)
        assert f"# TYPE {family}" in told, name
