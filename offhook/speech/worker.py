"""A speech process: `python -m offhook.speech.worker ROLE FD ENGINE`.

It answers requests on the socket FD, one at a time, until that is closed. Roles:
`speak` (text to sound, by ENGINE), `decode` (strangers' files; may open no file itself) and
`encode` (recordings to what is downloaded).
"""

from __future__ import annotations

import contextlib
import math
import resource
import signal
import socket
import sys
from collections.abc import Callable

from offhook.errors import SpeechError
from offhook.speech import frames
from offhook.speech.voices import Voice

MAX_MEMORY = 2 << 30  # bytes of address space

Handle = Callable[[frames.Header, bytes], bytes]


def _speak(engine_name: str) -> tuple[Handle, str]:
    from offhook.speech.engines import load

    engine = load(engine_name)

    def handle(request: frames.Header, _body: bytes) -> bytes:
        return engine.synthesize(request["text"], request["ssml"], Voice(**request["voice"]))

    return handle, engine.version


def _decode(_engine_name: str) -> tuple[Handle, str]:
    import av.logging

    from offhook.speech.decode import decode

    av.logging.set_level(av.logging.PANIC)
    with contextlib.suppress(SpeechError):
        decode(bytes(8000), "audio/wav")  # loads what would be loaded later from files
    decode(bytes(8000), "audio/ulaw")
    _limit(resource.RLIMIT_NOFILE, 0)
    return lambda request, body: decode(body, request["type"]), ""


def _encode(_engine_name: str) -> tuple[Handle, str]:
    from offhook.speech import encode

    convert = {"mp3": encode.mp3, "wav": encode.wav}
    return lambda request, _body: convert[request["to"]](request["path"], request["mix"]), ""


ROLES = {"speak": _speak, "decode": _decode, "encode": _encode}


def _limit(what: int, amount: int) -> None:
    """Where the system can (macOS does not bound address space)."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(what, (amount, amount))


def _answer(handle: Handle, request: frames.Header, body: bytes) -> tuple[frames.Header, bytes]:
    # If the main process dies meanwhile, nobody else would end a request that never does.
    signal.alarm(math.ceil(request["seconds"]) + 1)
    try:
        return {}, handle(request, body)
    except SpeechError as error:
        return {"code": error.code, "message": error.message}, b""
    except Exception as error:  # whatever a stranger's input brought about is that request's
        return {"code": 0, "message": f"{type(error).__name__}: {error}"}, b""
    finally:
        signal.alarm(0)


def main(role: str, descriptor: str, engine: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process to act on
    with socket.socket(fileno=int(descriptor)) as sock:
        _limit(resource.RLIMIT_CORE, 0)
        handle, version = ROLES[role](engine)
        _limit(resource.RLIMIT_AS, MAX_MEMORY)
        frames.send(sock, {"version": version})
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                frames.send(sock, *_answer(handle, *frames.receive(sock)))


if __name__ == "__main__":
    main(*sys.argv[1:])
