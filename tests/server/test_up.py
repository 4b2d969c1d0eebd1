"""`offhook up`: how it starts, what it refuses, and how it stops."""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from served import PROGRAM, Application, Program, Up, environment, response, serving

from offhook.carriers.sip_certificate import development_certificate

ACCOUNT, TOKEN = "AC" + "1" * 32, "a token of the operator"


def refused(*arguments: str, **variables: str) -> str:
    """The one line of a start that ends with exit code 2."""
    with Program(PROGRAM, "up", *arguments, env=environment(**variables)) as start:
        assert start.ends() == 2
        assert start.out.text == ""
        [line] = start.err.seen
        return line


@dataclass(frozen=True)
class Looked:
    """A start with much chosen by the operator, looked at and stopped."""

    up: Up
    health: int
    account: dict[str, Any]
    demo: dict[str, Any]
    modes: tuple[int, int]  # of the folder and of what the command line reads in it


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    data = tmp_path_factory.mktemp("up") / "data"
    env = environment(OFFHOOK_ACCOUNT_SID=ACCOUNT, OFFHOOK_AUTH_TOKEN=TOKEN)
    with Up(data, "--public-url", "https://phone.example.com/", env=env) as up:
        account = up.get(f"/2010-04-01/Accounts/{up.account_sid}.json")
        [demo] = up.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"]
        up.post(f"IncomingPhoneNumbers/{demo['sid']}.json", SmsUrl="http://my.app/demo/sms")
        modes = tuple(stat.S_IMODE(path.stat().st_mode) for path in (data, data / "running.json"))
        looked = Looked(up, up.health(), account, demo, modes)
        assert up.stops() == 0
    return looked


def certified(folder: Path) -> dict[str, str]:
    """The variables of a certificate, which is made."""
    certificate, key = development_certificate(folder, ("127.0.0.1",), datetime.now(UTC))
    return {"OFFHOOK_SIP_CERTIFICATE": str(certificate), "OFFHOOK_SIP_KEY": str(key)}


@pytest.fixture(scope="module")
def second(first: Looked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """The same folder again, on default ports that are taken, with the configuration printed."""
    with Program(PROGRAM, "config") as printing:
        assert printing.ends() == 0
    file = tmp_path_factory.mktemp("config") / "offhook.toml"
    file.write_text(printing.out.text)
    with (
        held(socket.SOCK_STREAM, 8080),
        held(socket.SOCK_DGRAM, 5060),
        few_files(),
        Up(first.up.data, "--config", str(file), ports=()) as up,
    ):
        yield up


@contextmanager
def few_files() -> Iterator[None]:
    """As most systems begin with."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def heaps(pid: int) -> int:
    """How many its threads have of their own: glibc reserves as much for each, at such a place."""
    found, heap, before = 0, 64 * 2**20, (0, 0)
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        place, access = line.split()[:2]
        start, end = (int(each, 16) for each in place.split("-"))
        reserved = access == "---p" and start == before[1] and end == before[0] + heap
        found += reserved and before[0] % heap == 0
        before = (start, end) if access == "rw-p" else (0, 0)
    return found


@contextmanager
def held(kind: socket.SocketKind, port: int) -> Iterator[None]:
    """The port is taken, by us or by somebody else."""
    with socket.socket(socket.AF_INET, kind) as own:
        with suppress(OSError):
            own.bind(("127.0.0.1", port))
            if kind is socket.SOCK_STREAM:
                own.listen()
        yield


class TestStarting:
    def test_it_prints_what_is_needed_and_what_to_try(self, first: Looked) -> None:
        up, told = first.up, first.up.out.text
        for value in (up.api, up.account_sid, up.auth_token, up.sip, up.demo):
            assert value in told
        assert f"offhook call {up.demo} --data {up.data}" in told
        assert up.err.text == ""

    def test_it_is_healthy_and_answers_with_the_account(self, first: Looked) -> None:
        assert first.health == 200
        assert first.account["status"] == "active"

    def test_the_operator_may_choose_the_first_account(self, first: Looked) -> None:
        assert (first.up.account_sid, first.up.auth_token) == (ACCOUNT, TOKEN)

    def test_the_public_url_is_what_applications_are_told(self, first: Looked) -> None:
        assert first.demo["voice_url"] == "https://phone.example.com/demo/voice"
        assert "  Public URL   https://phone.example.com" in first.up.out.seen

    def test_the_folder_is_for_its_user_alone(self, first: Looked) -> None:
        assert first.modes == (0o700, 0o600)

    def test_the_account_is_kept(self, second: Up) -> None:
        assert (second.account_sid, second.auth_token) == (ACCOUNT, TOKEN)

    def test_the_demo_number_follows_the_port(self, second: Up) -> None:
        [demo] = second.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"]
        assert demo["voice_url"] == f"{second.api}/demo/voice"

    def test_urls_that_an_operator_set_are_left_alone(self, second: Up) -> None:
        [demo] = second.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"]
        assert demo["sms_url"] == "http://my.app/demo/sms"

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of another process")
    def test_it_and_its_workers_may_open_many_files(self, second: Up) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        for pid in (second.process.pid, *children(second.process.pid)):
            now, _ = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            assert now == min(most, 16_384)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of another process")
    def test_its_threads_share_one_heap(self, second: Up) -> None:
        assert heaps(second.process.pid) == 0

    def test_default_ports_that_are_taken_give_way_to_the_next(self, second: Up) -> None:
        http, sip = int(second.api.rpartition(":")[2]), second.sip_port
        assert 8080 < http < 8200
        assert 5060 < sip < 5200
        assert f"  API          {second.api}" in second.out.seen
        assert f"  SIP          {second.sip} (UDP and TCP)" in second.out.seen

    def test_phones_are_told_where_and_the_doctor_knows_how_long(self, tmp_path: Path) -> None:
        chosen = {f"OFFHOOK_SIP_{each}": "127.0.0.1:0" for each in ("TLS", "WS", "WSS")}
        with Up(tmp_path / "data", env=environment(**certified(tmp_path), **chosen)) as up:
            told = re.findall(r"^ {15}(127\.0\.0\.1:\d+) \((\w+)\)$", up.out.text, re.MULTILINE)
            with Program(PROGRAM, "doctor", "--data", str(up.data)) as doctor:
                assert doctor.ends() == 0, doctor.err.text
        assert [transport for _, transport in told] == ["TLS", "WS", "WSS"]
        assert all(f"{place} ({transport})" in doctor.out.text for place, transport in told)
        assert f"ok   certificate: {tmp_path}/sip-certificate.pem ends " in doctor.out.text

    def test_a_promoted_token_outlives_a_restart_until_the_operator_chooses_another(
        self, tmp_path: Path
    ) -> None:
        chosen = environment(OFFHOOK_AUTH_TOKEN=TOKEN)
        with Up(tmp_path / "data", env=chosen) as up:
            promoted = up.post("/v1/AuthTokens/Secondary")["secondary_auth_token"]
            up.post("/v1/AuthTokens/Promote")
            with Program(PROGRAM, "calls", "--data", str(up.data)) as command:
                assert command.ends() == 0, "the command line goes by the new token"
            up.process.kill()
            up.ends()
        with Up(up.data, env=chosen) as again:
            assert again.auth_token == promoted
            again.process.kill()
            again.ends()
        with Up(up.data, env=environment(OFFHOOK_AUTH_TOKEN="another")) as other:
            assert other.auth_token == "another"
            assert other.get("Calls.json")["calls"] == []


class TestRefusing:
    @pytest.mark.parametrize("option", ["http", "sip"])
    def test_a_port_asked_for_that_is_taken(self, tmp_path: Path, option: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            ports = {"http": "127.0.0.1:0", "sip": "127.0.0.1:0"} | {option: place}
            line = refused("--data", str(tmp_path), "--http", ports["http"], "--sip", ports["sip"])
        assert line == (
            f"offhook: cannot listen on {place} (address already in use): "
            f"choose another with --{option} HOST:PORT"
        )

    @pytest.mark.parametrize("setting", ["sip_tls", "sip_ws", "sip_wss"])
    def test_a_port_for_phones_that_is_taken(self, tmp_path: Path, setting: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            chosen = certified(tmp_path) | {f"OFFHOOK_{setting.upper()}": place}
            line = refused("--data", str(tmp_path), "--http", "127.0.0.1:0", **chosen)
        assert line == (
            f"offhook: cannot listen on {place} (address already in use): "
            f"choose another HOST:PORT as {setting}"
        )

    @pytest.mark.parametrize(
        ("setting", "files", "told"),
        [
            ("certificate", "{here}/sip-key.pem with the key in {here}/sip-key.pem", "takes a "),
            ("certificate", "{here}/absent with the key in {here}/sip-key.pem", "no such file"),
            ("authorities", "{here}/sip-key.pem", "there is no certificate in it"),
            ("authorities", "{here}/absent", "no such file or directory"),
        ],
    )
    def test_files_that_cannot_be_used(
        self, tmp_path: Path, setting: str, files: str, told: str
    ) -> None:
        file = files.format(here=tmp_path).partition(" ")[0]
        chosen = certified(tmp_path) | {f"OFFHOOK_SIP_{setting.upper()}": file}
        chosen |= {"OFFHOOK_SIP_TLS": "127.0.0.1:0"}
        line = refused("--data", str(tmp_path), "--http", "127.0.0.1:0", **chosen)
        named = files.format(here=tmp_path)
        assert line.startswith(f"offhook: {named} cannot be used as sip_{setting}: ")
        assert told in line

    def test_a_name_that_nobody_has(self, tmp_path: Path) -> None:
        place = "phone.invalid:5061"
        line = refused("--data", str(tmp_path), "--http", "127.0.0.1:0", "--sip", place)
        assert line.startswith(f"offhook: cannot listen on {place} (")
        assert "unknown error" not in line

    def test_an_address_that_is_not_ours(self, tmp_path: Path) -> None:
        line = refused("--data", str(tmp_path), "--http", "192.0.2.1:8080")
        assert line.startswith("offhook: cannot listen on 192.0.2.1:8080 (")

    def test_a_folder_that_cannot_be_written_to(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        line = refused("--data", str(tmp_path / "file" / "data"))
        assert line.startswith(f"offhook: the data folder {tmp_path}/file/data cannot be written")

    def test_a_folder_that_is_in_use(self, second: Up) -> None:
        line = refused("--data", str(second.data), "--http", "127.0.0.1:0")
        assert line == (
            f"offhook: an Offhook is running on {second.data} already: "
            "stop it, or choose another --data"
        )
        assert second.health() == 200

    def test_an_unknown_key_gets_a_suggestion(self, tmp_path: Path) -> None:
        file = tmp_path / "offhook.toml"
        file.write_text('[[trunk]]\nname = "x"\nadress = "sip.example.com"\n')
        line = refused("--data", str(tmp_path), "--config", str(file))
        assert "adress" in line
        assert 'did you mean "address"' in line or "did you mean address" in line

    def test_an_unknown_variable_gets_a_suggestion(self, tmp_path: Path) -> None:
        line = refused("--data", str(tmp_path), OFFHOOK_PUBLIC_URI="http://x")
        assert "did you mean OFFHOOK_PUBLIC_URL?" in line

    def test_a_command_without_a_running_offhook(self, tmp_path: Path) -> None:
        with Program(PROGRAM, "calls", "--data", str(tmp_path)) as command:
            assert command.ends() == 2
        assert command.err.seen == [
            f"offhook: no Offhook is running on {tmp_path}: "
            f"start one with 'offhook up --data {tmp_path}'"
        ]


class TestStopping:
    def test_live_calls_may_finish(self, tmp_path: Path) -> None:
        app = Application({"/voice": response("<Say>Hello.</Say><Pause length='2'/>")})
        with serving(app), Up(tmp_path / "data", "--drain", "30") as up, logs(up) as follower:
            sid = placed(up, app)
            app.gets("/voice")
            assert up.health() == 200
            up.asks_to_stop()
            up.out.until("1 may go on for 30 s")
            assert up.health() == 503
            assert up.ends() == 0
            assert "ERROR" not in up.err.text, "those who follow the logs are in nobody's way"
            follower.out.until(f"{sid} status completed")
            assert follower.ends() == 2
            assert follower.err.seen[-1] == "offhook: Offhook has stopped"
            assert app.gets("/status", CallStatus="completed").params["CallSid"] == sid
            assert int(app.gets("/status").params["CallDuration"]) >= 2

    def test_a_second_signal_ends_them_at_once(self, tmp_path: Path) -> None:
        app = Application({"/voice": response("<Pause length='600'/>")})
        with serving(app), Up(tmp_path / "data", "--drain", "600") as up:
            placed(up, app)
            app.gets("/voice")
            up.asks_to_stop()
            up.out.until("stopping")
            up.process.send_signal(signal.SIGINT)
            assert up.ends() == 0
            app.gets("/status", CallStatus="completed")

    def test_after_the_drain_they_are_ended_and_what_is_owed_is_sent_after_the_next_start(
        self, tmp_path: Path
    ) -> None:
        app = Application({"/voice": response("<Pause length='600'/>")})
        with serving(app), Up(tmp_path / "data", "--drain", "0.5") as up:
            sid = placed(up, app)
            app.gets("/voice")
            app.hold("/status")
            assert up.stops() == 0
            app.release("/status")
            with Up(tmp_path / "data") as again:
                assert again.call(sid)["status"] == "completed"
                app.gets("/status", CallSid=sid, CallStatus="completed", times=2)
            tokens = {one.headers["i-twilio-idempotency-token"] for one in app.asked("/status")}
            assert len(tokens) == 1

    def test_a_request_is_not_done_again_for_who_lost_its_answer_in_a_crash(
        self, tmp_path: Path
    ) -> None:
        text = {"To": "+15550004444", "Body": "Once"}
        with Up(tmp_path / "data") as up:
            first = up.post_once("Messages.json", "one", From=up.demo, **text)
            up.process.kill()
            up.ends()
        with Up(tmp_path / "data") as again:
            repeat = again.post_once("Messages.json", "one", From=again.demo, **text)
            assert repeat == first
            assert len(again.get("Messages.json")["messages"]) == 1

    def test_an_idle_platform_stops_at_once_and_leaves_nothing_behind(self, tmp_path: Path) -> None:
        with Up(tmp_path / "data", "--drain", "60") as up:
            [demo] = up.get("IncomingPhoneNumbers.json")["incoming_phone_numbers"]
            up.delete(f"IncomingPhoneNumbers/{demo['sid']}.json")
            family = children(up.process.pid)
            assert family
            up.process.send_signal(signal.SIGINT)
            assert up.ends() == 0
            assert (up.out.seen[-1], up.err.text) == ("stopped", "")
            assert [pid for pid in family if alive(pid)] == []
            assert not (up.data / "running.json").exists()
        with Up(tmp_path / "data") as killed:
            assert killed.demo == "", "a demo number that was released stays away"
            killed.process.kill()
            killed.ends()
        with Program(PROGRAM, "calls", "--data", str(killed.data)) as command:
            assert command.ends() == 2
        assert command.err.seen == [
            f"offhook: no answer from {killed.api}: is Offhook still running? "
            "'offhook up' starts it"
        ]


@contextmanager
def logs(up: Up) -> Iterator[Program]:
    with Program(PROGRAM, "logs", "--data", str(up.data)) as following:
        following.err.until("following")
        yield following


def placed(up: Up, app: Application) -> str:
    """A call to a simulated phone, which will answer; its SID."""
    made = up.post(
        "Calls.json", To="+15550004444", From=up.demo, Url=f"{app.url}/voice",
        StatusCallback=f"{app.url}/status",
    )  # fmt: skip
    return str(made["sid"])


def children(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-eo", "pid,ppid"], capture_output=True, text=True, check=True)
    pairs = [line.split() for line in told.stdout.splitlines()[1:]]
    return [int(child) for child, parent in pairs if int(parent) == pid]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
