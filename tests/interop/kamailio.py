"""Drives Kamailio: a proxy in front of the platform, set up by `kamailio.cfg` beside this file."""

from __future__ import annotations

import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from peers import free_port
from served import PATIENCE, Program

HERE = Path(__file__).parent
MODULES = Path("/usr/lib/x86_64-linux-gnu/kamailio/modules")
PROBE = (
    "OPTIONS sip:127.0.0.1:{port} SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z9hG4bKprobe\r\n"
    "From: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1>;tag=q\r\n"
    "Call-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


def modules_folder() -> Path:
    """The folder of this machine's architecture."""
    return next(iter(Path("/usr/lib").glob("*/kamailio/modules")), MODULES)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everybody is: the proxy itself, the platform, and the phones that a call forks to."""

    own: int
    node: int
    one: int
    two: int


class Kamailio(Program):
    """A proxy that prefers a node where nobody listens over the platform."""

    def __init__(self, folder: Path, ports: Ports) -> None:
        self.ports = ports
        nodes = folder / "nodes.list"
        dead = free_port()
        nodes.write_text(
            f"1 sip:127.0.0.1:{dead} 0 10\n1 sip:127.0.0.1:{ports.node} 0 1\n", "utf-8"
        )
        words = {
            "OWN_PORT": ports.own, "NODE_PORT": ports.node, "FORK_ONE": ports.one,
            "FORK_TWO": ports.two, "MODULE_PATH": modules_folder(), "LIST_FILE": nodes,
        }  # fmt: skip
        text = (HERE / "kamailio.cfg").read_text("utf-8")
        for word, value in words.items():
            text = text.replace(word, str(value))
        written = folder / "kamailio.cfg"
        written.write_text(text, "utf-8")
        super().__init__(
            which("kamailio") or "kamailio", "-f", str(written), "-DD", "-E", "-Y", str(folder),
            "-m", "32", "-M", "4",
        )  # fmt: skip
        try:
            self._await_answer()
        except BaseException:
            self.__exit__()
            raise

    def _await_answer(self) -> None:
        """Asks until it answers, with a refusal: that is all the same."""
        until = time.monotonic() + PATIENCE
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            probe.settimeout(0.1)
            ask = PROBE.format(port=self.ports.own, own=probe.getsockname()[1]).encode()
            while time.monotonic() < until and self.process.poll() is None:
                probe.sendto(ask, ("127.0.0.1", self.ports.own))
                try:
                    probe.recv(4096)
                    return
                except OSError:
                    continue
        raise AssertionError(f"it did not start: {self.err.text}")

    def passed(self, method: str) -> list[int]:
        """The ports that requests of this kind came from, inside dialogs, repeats included."""
        found = re.findall(rf"in a dialog: {method} from (\d+)", self.err.text)
        return [int(port) for port in found]

    def __exit__(self, *error: object) -> None:
        """Its children go with it when it is asked to go, not when it is killed."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        super().__exit__(*error)
