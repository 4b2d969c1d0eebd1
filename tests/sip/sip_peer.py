"""A peer that says exactly what it is told: for what no well-behaved phone would say."""

from __future__ import annotations

import asyncio
from typing import Any

from sip_ends import sip


class Sender(asyncio.DatagramProtocol):
    """A peer that says exactly what it is told."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heard.put_nowait(data.decode(errors="surrogateescape"))

    def says(self, data: bytes, to: str = "127.0.0.2", port: int = 5060) -> None:
        self.transport.sendto(data, (to, port))

    async def hears(self, start: str) -> str:
        while True:
            async with asyncio.timeout(100):
                text = await self.heard.get()
            if text.startswith(start):
                return text


async def sender(host: str, port: int = 5060) -> Sender:
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_datagram_endpoint(Sender, local_addr=(host, port))
    return protocol


SDP = """v=0
o=- 1 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio 30000 RTP/AVP 0 101
a=rtpmap:101 telephone-event/8000
"""


def invite(host: str, body: str | None = None, *fields: str, **more: str) -> bytes:
    given = {"branch": "1", "cseq": "1", "to": "<sip:+15550001111@127.0.0.2>"} | more
    body = SDP.format(host=host) if body is None else body
    type_ = ["Content-Type: application/sdp"] if body else []
    lines = "\n".join(
        [
            "INVITE sip:+15550001111@127.0.0.2 SIP/2.0",
            f"Via: SIP/2.0/UDP {host};rport;branch=z9hG4bK{given['branch']}",
            f"From: <sip:+15550009999@{host}>;tag=a",
            f"To: {given['to']}",
            f"Call-ID: raw@{host}",
            f"CSeq: {given['cseq']} INVITE",
            f"Contact: <sip:{host}>",
            *type_,
            *fields,
        ]
    )
    return sip(f"{lines}\n\n{body}")


def ack(host: str, to: str, cseq: str = "1", body: str = "") -> bytes:
    return sip(f"""
ACK sip:127.0.0.2 SIP/2.0
Via: SIP/2.0/UDP {host};rport;branch=z9hG4bKack{cseq}
From: <sip:+15550009999@{host}>;tag=a
To: {to}
Call-ID: raw@{host}
CSeq: {cseq} ACK
{"Content-Type: application/sdp" if body else "Max-Forwards: 70"}

{body}""")


def field(text: str, name: str) -> str:
    lines = text.partition("\r\n\r\n")[0].split("\r\n")
    return next(line.partition(": ")[2] for line in lines if line.startswith(f"{name}: "))


def description(text: str) -> str:
    return text.partition("\r\n\r\n")[2]


class Caller:
    """A call of such a peer that is up; what it sends is its own business."""

    def __init__(self, peer: Sender, host: str, to: tuple[str, int], answer: str) -> None:
        self.peer, self.host, self.to, self.answer = peer, host, to, answer
        self._cseq = 1

    async def hears(self, start: str) -> str:
        return await self.peer.hears(start)

    async def reinvites(self, more: str = "") -> str:
        """The answer to a re-INVITE with a description that has `more` at its end."""
        self._cseq += 1
        given = {"branch": f"re{self._cseq}", "cseq": str(self._cseq)}
        body = SDP.format(host=self.host) + more
        self.peer.says(invite(self.host, body, **given, to=field(self.answer, "To")), *self.to)
        answer = await self.hears("SIP/2.0 200")
        self.peer.says(ack(self.host, field(answer, "To"), given["cseq"]), *self.to)
        return answer


async def sender_call(
    host: str,
    to: tuple[str, int] = ("127.0.0.2", 5060),
    number: str = "+15550001111",
    acks: bool = True,
) -> Caller:
    peer = await sender(host)
    peer.says(invite(host).replace(b"+15550001111", number.encode()), *to)
    answer = await peer.hears("SIP/2.0 200")
    if acks:
        peer.says(ack(host, field(answer, "To")), *to)
    return Caller(peer, host, to, answer)
