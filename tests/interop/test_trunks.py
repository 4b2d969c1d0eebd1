"""Trunks that SIPp plays: we register with one, another is silent, and the next has the call.

What became of it is in `offhook trunks`, in the metrics and in the log.
"""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from peers import free_port, needs
from served import PATIENCE, PROGRAM, Application, Program, Up, response, serving
from sipp import Run

pytestmark = pytest.mark.interop

SETTINGS = """
sip_failover = 1

[[trunk]]
name = "registrar"
address = "127.0.0.1:{registrar}"
transport = "{transport}"
username = "offhook"
password = "our secret"
register = true
prefixes = []
watch = 0

[[trunk]]
name = "silent"
address = "127.0.0.1:{silent}"
transport = "{transport}"
watch = 0

[[trunk]]
name = "spare"
address = "127.0.0.1:{spare}"
transport = "{transport}"
watch = 0
"""


def ran(up: Up, *arguments: str) -> str:
    """What a command prints."""
    with Program(PROGRAM, *arguments, "--data", str(up.data)) as command:
        assert command.ends() == 0, command.err.text
        return command.out.text


def trunks(up: Up) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(ran(up, "trunks", "--json"))}


def refreshed(up: Up) -> None:
    """Waits until the registration that ends in two seconds was made anew, for ten minutes."""
    soon = time.time() + 60
    until = time.monotonic() + PATIENCE
    while time.strftime("%Y-%m-%dT%H:%M", time.gmtime(soon)) > trunks(up)["registrar"]["until"]:
        assert time.monotonic() < until, up.err.text


@pytest.mark.parametrize(("transport", "spoken"), [("udp", "u1"), ("tcp", "t1")])
def test_we_register_and_a_call_goes_by_the_trunk_that_carries_it(
    tmp_path: Path, transport: str, spoken: str
) -> None:
    needs("sipp")
    ports = {name: free_port() for name in ("registrar", "silent", "spare")}
    file = tmp_path / "offhook.toml"
    file.write_text(SETTINGS.format(transport=transport, **ports))
    registrar = Run(
        "uas_registrar", local_port=ports["registrar"], transport=spoken, seconds=40
    ).listen()
    spare = Run("uas_answer", local_port=ports["spare"], transport=spoken, seconds=40).listen()
    app = Application({"/voice": response("<Pause length='1'/>")})
    with serving(app), Up(tmp_path / "data", "--config", str(file)) as up:
        up.post(
            "Calls.json", To="+15550109000", From=up.demo, Url=f"{app.url}/voice",
            StatusCallback=f"{app.url}/status",
        )  # fmt: skip
        answered = spare.wait()
        assert (answered.successful, answered.failed) == (1, 0), (answered.output, up.err.text)
        app.gets("/status", CallStatus="completed")
        refreshed(up)
        known, shown = trunks(up), ran(up, "trunks")
        with urllib.request.urlopen(f"{up.api}/metrics") as page:
            metrics = page.read().decode().splitlines()
        assert up.stops() == 0
    done = registrar.wait()
    assert (done.successful, done.failed) == (1, 0), (done.output, up.err.text)
    assert known["registrar"]["registered"] == "registered"
    assert (known["silent"]["calls"], known["silent"]["failed"]) == (1, 1)
    assert known["silent"]["failing"] in shown
    assert (known["spare"]["calls"], known["spare"]["failed"]) == (1, 0)
    for line in (
        'offhook_trunk_registered{trunk="registrar"} 1.0',
        'offhook_trunk_calls_total{outcome="failed",trunk="silent"} 1.0',
        'offhook_trunk_calls_total{outcome="carried",trunk="spare"} 1.0',
        'offhook_sip_events_total{what="trunk failover"} 1.0',
    ):
        assert line in metrics
    for told in ("registered with a trunk", "a trunk fails calls"):
        assert told in up.err.text
