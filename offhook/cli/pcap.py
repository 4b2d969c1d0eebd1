"""A call's SIP messages as a capture file that packet analysers open.

libpcap's file format, link type 101 (raw IP); each message is one UDP datagram.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Any

_FILE = struct.Struct("<IHHiIII")
_PACKET = struct.Struct("<IIII")
RAW_IP = 101
UDP = 17


def capture(events: Iterable[Mapping[str, Any]]) -> bytes:
    """The file. Events that are no SIP message are left out."""
    written = [_FILE.pack(0xA1B2C3D4, 2, 4, 0, 0, 262_144, RAW_IP)]
    for event in events:
        if event["kind"] == "sip":
            packet = _datagram(event["data"])
            at = datetime.fromisoformat(event["at"])
            written.append(
                _PACKET.pack(int(at.timestamp()), at.microsecond, len(packet), len(packet))
            )
            written.append(packet)
    return b"".join(written)


def _datagram(data: Mapping[str, Any]) -> bytes:
    ends = (_address(data.get("local", "")), _address(data.get("remote", "")))
    (source, sport), (target, tport) = ends if data.get("direction") == "sent" else ends[::-1]
    body = str(data.get("text", "")).encode()[:65_000]
    udp = struct.pack("!HHHH", sport, tport, 8 + len(body), 0) + body
    if source.version == 4 and target.version == 4:
        return _ipv4(source.packed, target.packed, udp)
    six = [_mapped(address) for address in (source, target)]
    return struct.pack("!IHBB", 6 << 28, len(udp), UDP, 64) + six[0] + six[1] + udp


def _ipv4(source: bytes, target: bytes, payload: bytes) -> bytes:
    length = 20 + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, UDP, 0, source, target)
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + payload


def _mapped(address: Any) -> bytes:
    packed: bytes = address.packed
    return packed if len(packed) == 16 else b"\0" * 10 + b"\xff\xff" + packed


def _address(text: str) -> tuple[Any, int]:
    host, _, port = text.rpartition(":")
    try:
        return ip_address(host.strip("[]")), int(port)
    except ValueError:
        return ip_address("0.0.0.0"), 0
