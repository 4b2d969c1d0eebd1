"""`offhook doctor` and `offhook logs`: what is well, and what happens."""

from __future__ import annotations

import json
import signal

from commands import Offhook
from served import PROGRAM, Program, Up, environment


def test_the_doctor_looks_at_everything(offhook: Offhook) -> None:
    seen = offhook("doctor")
    assert seen.code == 0
    assert all(line.startswith("ok ") for line in seen.out.splitlines())
    checks = json.loads(offhook("doctor", "--json").out)
    assert [check["name"] for check in checks] == [
        "http", "sip", "sound", "speech", "store", "disk", "clock",
    ]  # fmt: skip
    assert all(check["ok"] is True for check in checks)


def test_logs_follow_until_stopped(up: Up, offhook: Offhook) -> None:
    env = environment(OFFHOOK_DATA=str(up.data))
    with (
        Program(PROGRAM, "logs", env=env) as words,
        Program(PROGRAM, "logs", "--json", env=env) as objects,
    ):
        words.err.until("following")
        objects.err.until("following")
        offhook("text", "+15550003335", up.demo, "Hello")
        assert " status received" in words.out.until(" SM")
        words.out.until("-> 200")
        event = json.loads(objects.out.until('"status"'))
        assert event["data"] == {"status": "received"}
        words.process.send_signal(signal.SIGINT)
        assert words.ends() == 130
        assert "Traceback" not in words.err.text
