"""Drives linphonec: a softphone that is told what to do by lines, and has files for sound."""

from __future__ import annotations

import wave
from pathlib import Path
from shutil import which

from served import Program, environment


class Linphone(Program):
    """One softphone, registered over TLS; its calls are sealed by SRTP, and it answers them.

    `config` is its configuration file. It says the sound of the file `says`, 16-bit mono at 8 kHz,
    over and over.
    """

    def __init__(self, folder: Path, config: str, uri: str, says: Path) -> None:
        (folder / ".local/share/linphone").mkdir(parents=True)  # it does not start without
        written, self._heard = folder / "linphonerc", folder / "heard.wav"
        written.write_text(f"{config}[sound]\nechocancellation=0\n")
        program = which("linphonec") or "linphonec"
        told = ("-d", "5", "-l", "/dev/stderr")  # all that happens, which is all it says reliably
        super().__init__(
            program, "-a", "-c", str(written), *told, env=environment(HOME=str(folder))
        )
        self.uri = uri
        self.types("soundcard use files")
        self.types(f"play {says}")
        self.types(f"record {self._heard}")
        try:
            self.until("LinphoneRegistrationOk")
        except BaseException:
            self.__exit__()
            raise

    def until(self, state: str) -> None:
        """Waits for the next state such as LinphoneCallStreamsRunning or LinphoneCallEnd."""
        self.err.until(f"to [{state}]" if "Registration" in state else f"to {state}")

    def talks(self) -> None:
        """Waits until its call is up."""
        self.until("LinphoneCallStreamsRunning")

    def parts(self) -> None:
        """Waits until a call of its is over."""
        self.until("LinphoneCallReleased")

    def dial(self, uri: str) -> None:
        self.types(f"call {uri}")

    def hold(self) -> None:
        self.types("pause")
        self.until("LinphoneCallPaused")

    def resume(self) -> None:
        self.types("resume")
        self.talks()

    def transfer(self, uri: str) -> None:
        self.types(f"transfer {uri}")

    def connects(self, one: int, other: int) -> None:
        """Its calls with each other, by their numbers in order; it leaves both."""
        self.types(f"transfer {one} --to-call {other}")

    def heard(self) -> bytes:
        """What it heard in its call, 16-bit mono at 8 kHz, once the call is over."""
        with wave.open(str(self._heard)) as file:
            assert (file.getnchannels(), file.getframerate()) == (1, 8000)
            return file.readframes(file.getnframes())

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        super().__exit__(*error)
