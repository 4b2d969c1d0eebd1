"""Drives baresip: a softphone that records what it hears and is told what to do over TCP."""

from __future__ import annotations

import json
import socket
import struct
import threading
import wave
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import soxr
from peers import free_port
from served import PATIENCE, Program

MODULES = (
    Path("/usr/lib/baresip/modules"),
    Path("/usr/local/lib/baresip/modules"),
    Path("/opt/homebrew/lib/baresip/modules"),
)
CONFIG = """\
sip_listen 127.0.0.1:{sip}
rtp_ports 41000-42000
audio_source aufile,{folder}/silence.wav
audio_player aubridge,nothing
audio_alert aubridge,nothing
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {folder}
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""
ACCOUNT = "<sip:baresip@127.0.0.1:{port};transport={transport}>;regint=0;answermode=auto;{more}\n"
SILENCE = 120  # seconds that it may be on the phone


def modules_folder() -> Path:
    return next((path for path in MODULES if path.is_dir()), MODULES[0])


class Baresip(Program):
    """One softphone. It answers calls by itself.

    `account` are parameters of its account, `modules` more of its modules. With a `certificate`
    (its key in the same file) it speaks TLS, one port higher. `aor` is the address it has at a
    domain, where it is to register; `account` says how. It `says` 16-bit mono at 8 kHz.
    """

    def __init__(
        self,
        folder: Path,
        account: str = "audio_codecs=PCMU",
        modules: tuple[str, ...] = (),
        certificate: Path | None = None,
        aor: str = "",
        says: bytes = b"",
    ) -> None:
        sip, control = free_port(), free_port()
        where = modules_folder()
        written = CONFIG.format(sip=sip, control=control, folder=folder, modules=where)
        written += "".join(f"module {module}\n" for module in modules)
        if certificate:
            written += f"sip_certificate {certificate}\n"
        (folder / "config").write_text(written)
        transport, port = ("tls", sip + 1) if certificate else ("udp", sip)
        known = ACCOUNT.format(port=port, transport=transport, more=account)
        (folder / "accounts").write_text(f"<sip:{aor}>;{account}\n" if aor else known)
        with wave.open(str(folder / "silence.wav"), "wb") as silence:
            silence.setparams((1, 2, 8000, 0, "NONE", ""))
            silence.writeframes(says or bytes(2 * 8000 * SILENCE))
        super().__init__(which("baresip") or "baresip", "-f", str(folder))
        self.uri, self._folder = f"sip:{aor}" if aor else f"sip:baresip@127.0.0.1:{port}", folder
        self._events: list[dict[str, Any]] = []
        self._news = threading.Condition()
        try:
            self.out.until("baresip is ready")
            self._socket = socket.create_connection(("127.0.0.1", control), PATIENCE)
        except BaseException:
            super().__exit__()
            raise
        self._socket.settimeout(None)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def dial(self, uri: str) -> None:
        self._tell("dial", uri)

    def press(self, keys: str) -> None:
        for key in keys:
            self._tell("sndcode", key)

    def talks(self) -> None:
        """Waits until its call is up."""
        self.until("CALL_ESTABLISHED")

    def parts(self) -> None:
        """Waits until its call is over."""
        self.until("CALL_CLOSED")

    def hold(self) -> None:
        self._tell("hold")

    def resume(self) -> None:
        self._tell("resume")

    def transfer(self, uri: str) -> None:
        self._tell("transfer", uri)

    def hang_up(self) -> None:
        self._tell("hangup")

    def until(self, event: str) -> dict[str, Any]:
        """Waits for an event such as CALL_ESTABLISHED or CALL_CLOSED."""
        with self._news:
            found = self._news.wait_for(lambda: self._seen(event), PATIENCE)
        assert found, f"no {event} in {self._events}: {self.out.text}"
        return found

    def listens(self, seconds: float) -> None:
        """Waits until its call lasted so long, by its own report of what it received."""
        with self._news:
            done = self._news.wait_for(lambda: self._received() >= 50 * seconds, PATIENCE)
        assert done, f"{self._received()} packets in {self._events}"

    def _received(self) -> int:
        stats = [one["rtcp_stats"]["rx"]["sent"] for one in self._events if "rtcp_stats" in one]
        return max(stats, default=0)

    def heard(self) -> bytes:
        """The sound that it heard in its call, 16-bit mono at 8 kHz, once the call is over."""
        [file] = self._folder.glob("dump-*-dec.wav")
        data = file.read_bytes()
        channels, rate = struct.unpack_from("<HI", data, data.index(b"fmt ") + 10)
        sound = np.frombuffer(data, "<i2", offset=data.index(b"data") + 8)
        mono = sound[: len(sound) // channels * channels].reshape(-1, channels)[:, 0]
        return soxr.resample(mono, rate, 8000).tobytes()

    def _seen(self, event: str) -> dict[str, Any] | None:
        return next((one for one in self._events if one.get("type") == event), None)

    def _tell(self, command: str, params: str = "") -> None:
        message = json.dumps({"command": command, "params": params}).encode()
        self._socket.sendall(b"%d:%s," % (len(message), message))

    def _read(self) -> None:
        """Netstrings of JSON, until the end."""
        with self._socket.makefile("rb") as stream:
            while length := _length(stream):
                message = json.loads(stream.read(length))
                stream.read(1)
                with self._news:
                    self._events.append(message)
                    self._news.notify_all()

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        super().__exit__(*error)
        self._reader.join(PATIENCE)
        self._socket.close()


def _length(stream: Any) -> int:
    digits = b""
    try:
        while (byte := stream.read(1)) not in (b"", b":"):
            digits += byte
    except OSError:
        return 0
    return int(digits or 0)
