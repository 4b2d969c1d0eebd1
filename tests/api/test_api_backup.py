"""`offhook backup` while it runs, and `offhook restore` to another place."""

from __future__ import annotations

import subprocess
from pathlib import Path

from served import PATIENCE, PROGRAM, Application, Up, response, serving

OURS, CALLER = "+15550100200", "+15550100300"


def offhook(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROGRAM, *command], capture_output=True, text=True, timeout=2 * PATIENCE)


def test_a_backup_is_made_of_a_running_offhook_and_restored_elsewhere(tmp_path: Path) -> None:
    data, kept, again = (tmp_path / name for name in ("data", "kept", "again"))
    records = response('<Record playBeep="false" timeout="2" action="/done"/>')
    pages = {"/": records, "/done": response("<Hangup/>"), "/told": ""}
    with serving(Application(pages)) as site, Up(data) as up:
        up.number(OURS, VoiceUrl=f"{site.url}/", StatusCallback=f"{site.url}/told")
        talks = response("<Say>One two three.</Say>")
        up.post("Calls.json", To=OURS, From=up.demo, Twiml=talks)
        site.gets("/told")
        [recording] = up.get("Recordings.json")["recordings"]
        done = offhook("backup", str(kept), "--data", str(data))
        assert done.returncode == 0, done.stderr
        up.number(CALLER)  # is too late
        sid, token = up.account_sid, up.auth_token
    assert offhook("restore", str(kept), "--data", str(again)).returncode == 0
    data.rename(tmp_path / "gone")
    with Up(again) as up:
        assert (up.account_sid, up.auth_token) == (sid, token)
        numbers = up.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"]
        assert CALLER not in [number["phone_number"] for number in numbers]
        heard = subprocess.run(
            ["curl", "-s", f"{up.api}/2010-04-01/Accounts/{sid}/Recordings/{recording['sid']}.wav"],
            capture_output=True,
        )
        assert heard.stdout.startswith(b"RIFF")
    assert kept.stat().st_mode & 0o777 == 0o700


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "offhook.db").touch()
    refused = offhook("backup", str(tmp_path / "full"), "--data", str(tmp_path))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is not empty" in refused.stderr


def test_what_is_no_offhook_and_no_backup_is_told_in_a_line(tmp_path: Path) -> None:
    for command in ("backup", "restore"):
        refused = offhook(command, str(tmp_path / "x"), "--data", str(tmp_path / "y"))
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert not (tmp_path / "x").exists()
