"""`python -m bench.application PORT ANSWERER`: what answers for the measured numbers, in a process
of its own and as cheap as Python can have it, so that the machine is left to what is measured."""

from __future__ import annotations

import asyncio
import re
import sys

PROMPT = "This is what every caller of the measurement hears, said again and again. " * 4
ANSWERS = {
    "playback": f'<Say loop="0">{PROMPT}</Say>',
    "setup": "<Say>Good day to you.</Say><Hangup/>",
    "bridge": "<Dial><Sip>sip:answer@127.0.0.1:{answerer}</Sip></Dial>",
    "record": '<Record timeout="600" maxLength="600" playBeep="false"/>',
}
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Conversation(asyncio.Protocol):
    """One connection: HTTP/1.1 with keep-alive, the TwiML by the path asked for."""

    def __init__(self, answerer: str) -> None:
        self._answerer = answerer
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._unread, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._unread) < whole:
                return
            path = self._unread.split(b" ", 2)[1].decode()
            self._unread = self._unread[whole:]
            self._transport.write(self._answer(path))

    def _answer(self, path: str) -> bytes:
        verbs = ANSWERS.get(path.strip("/"), "").replace("{answerer}", self._answerer)
        body = f"<Response>{verbs}</Response>"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        return (head + body).encode()


async def main(port: int, answerer: str) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(answerer), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
