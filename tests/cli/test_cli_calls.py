"""`offhook call`, `calls` and `calls show`: a phone in the terminal, and what became of it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from commands import Offhook
from served import PROGRAM, Application, Program, Up, environment, response, serving

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.cli import phone as terminal
from offhook.cli.client import Running
from offhook.errors import ConfigError
from offhook.line.leg import Leg, Target
from offhook.media.plane import MediaPlane


def phone(up: Up, *arguments: str) -> Program:
    return Program(PROGRAM, "call", *arguments, env=environment(OFFHOOK_DATA=str(up.data)))


def test_a_call_walks_through_the_menu_with_keys_from_a_pipe(up: Up, offhook: Offhook) -> None:
    """M12: what happens is printed as it happens."""
    with phone(up, up.demo, "--from", "+15550007777") as call:
        call.out.until("says: Hello, this is Offhook.")
        call.types("1")
        call.out.until("key 1")
        call.out.until("You are calling from 1 5 5 5 0 0 0 7 7 7 7.")
        call.types("nothing that a phone has")
        call.err.until("keys are 0-9 * # A-D")
        call.types("h")
        assert call.ends() == 0
        assert call.out.seen[-1] == "  you hung up"
    listed = offhook("calls", "--limit", "5")
    assert listed.out.splitlines()[0].split() == [
        "sid", "date_created", "direction", "from", "to", "status", "duration",
    ]  # fmt: skip
    [row] = [line for line in listed.out.splitlines() if "+15550007777" in line]
    story = offhook("calls", "show", row.split()[0]).out
    assert "key 1" in story
    assert "/demo/menu -> 200" in story
    assert "Digits=1" in story
    assert "status completed" in story


def test_json_is_an_object_a_line(up: Up) -> None:
    with phone(up, up.demo, "--json") as call:
        call.out.until('"said"')
        call.types("h")
        assert call.ends() == 0
        events = [json.loads(line) for line in call.out.seen]
    assert [event["data"]["status"] for event in events if event["kind"] == "status"][:2] == [
        "ringing",
        "in-progress",
    ]
    assert events[-1] == {"kind": "ended", "data": {"by": "far", "code": 200, "reason": ""}}


def test_the_end_of_a_pipe_hangs_nobody_up(up: Up) -> None:
    with serving(Application({"/voice": response("<Pause length='1'/><Say>Bye.</Say>")})) as app:
        up.number("+15550100210", VoiceUrl=f"{app.url}/voice")
        with phone(up, "+15550100210") as call:
            assert call.process.stdin
            call.process.stdin.close()
            assert call.ends() == 0
            assert "  says: Bye." in call.out.seen
            assert call.out.seen[-1] == "  the other side hung up"


def test_a_number_that_nobody_has_is_not_answered(up: Up) -> None:
    with phone(up, "+15550100999") as call:
        assert call.ends() == 1
        assert call.out.seen[-1] == "  the call failed: 404, not a number of this Offhook"


def test_the_packets_of_a_call_are_a_capture_file(up: Up, offhook: Offhook, tmp_path: Path) -> None:
    """libpcap's format, link type raw IP; RFC 791 and RFC 768 datagrams."""
    port = asyncio.run(sip_call(up, "+15550002222"))
    rows = json.loads(offhook("calls", "--json").out)
    [sid] = [row["sid"] for row in rows if row["from"] == "+15550002222"]
    file = tmp_path / "call.pcap"
    for _ in range(20):  # how the sound fared is told a moment after the call's end
        shown = offhook("calls", "show", sid, "--pcap", str(file))
        if "sound PCMU: " in shown.out:
            break
    assert f"wrote {file}" in shown.err
    assert "SIP <- 127.0.0.1" in shown.out
    assert "SIP -> 127.0.0.1" in shown.out
    assert "sound PCMU: " in shown.out
    packets = list(parsed(file.read_bytes()))
    assert {(source, target) for source, target, _ in packets} == {
        (port, up.sip_port),
        (up.sip_port, port),
    }
    texts = [text.split(b"\r\n")[0] for _, _, text in packets]
    assert texts[0] == f"INVITE sip:{up.demo}@{up.sip} SIP/2.0".encode()
    assert b"SIP/2.0 200 OK" in texts
    assert any(text.startswith(b"BYE ") for text in texts)


async def sip_call(up: Up, from_: str) -> int:
    """Calls the demo number over SIP, hangs up, and gives the port it came from."""

    async def nobody(leg: Leg, to: str, caller: str) -> None:
        await leg.reject(480)

    media = await MediaPlane.local(range(31000, 31200))
    carrier = await SipCarrier.open(SipSettings(port=0), media, nobody)
    target = Target(f"sip:{up.demo}@{up.sip}", from_, "", "")
    leg = await carrier.dial(target, lambda leg, early: None)
    await leg.hang_up()
    port = carrier.address[1]
    await carrier.close()
    await media.close()
    return port


def parsed(file: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(source port, target port, payload) of each packet."""
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", file)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 101)
    at = 24
    while at < len(file):
        _, _, length, whole = struct.unpack_from("<IIII", file, at)
        packet = file[at + 16 : at + 16 + length]
        source, target, size, _ = struct.unpack_from("!HHHH", packet, 20)
        assert (length, packet[0], packet[9], size) == (whole, 0x45, 17, len(packet) - 20)
        yield source, target, packet[28:]
        at += 16 + length


@pytest.mark.parametrize("sid", ["CA" + "0" * 32, "nonsense"])
def test_a_call_that_is_not_known(offhook: Offhook, sid: str) -> None:
    refused = offhook("calls", "show", sid)
    assert (refused.code, refused.err) == (
        2,
        f"offhook: nothing is known of {sid}: see 'offhook calls'\n",
    )


@pytest.mark.real_time
async def test_a_line_that_goes_dead_is_one_clear_line(tmp_path: Path) -> None:
    async def breaks_off(request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        await line.close()
        return line

    application = web.Application()
    application.router.add_get("/offhook/v1/phone", breaks_off)
    runner = web.AppRunner(application)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    api = f"http://127.0.0.1:{listener.getsockname()[1]}"
    Running(api, "", "AC1", "token", "", 1).leave(tmp_path)
    try:
        with pytest.raises(ConfigError, match="the line went dead"):
            await terminal.call(tmp_path, "+15550100", "+15550111", False)
    finally:
        await runner.cleanup()
