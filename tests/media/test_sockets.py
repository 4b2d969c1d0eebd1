"""The UDP sockets of a worker, on the loopback."""

from __future__ import annotations

import socket

import pytest

from offhook.media.output import Output
from offhook.media.sockets import Sockets

EXPEDITED = 0xB8  # RFC 4594 section 4.1, in the byte of RFC 2474


@pytest.mark.parametrize(
    ("ip", "family", "level", "asked"),
    [
        ("127.0.0.1", socket.AF_INET, socket.IPPROTO_IP, socket.IP_RECVTOS),
        ("::1", socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS),
    ],
)
def test_sound_is_marked_for_routers_to_pass_it_first(
    ip: str, family: socket.AddressFamily, level: int, asked: int
):
    with socket.socket(family, socket.SOCK_DGRAM) as far, socket.socket(family, far.type) as free:
        try:
            far.bind((ip, 0))
        except OSError:
            pytest.skip(f"this machine has no {ip}")
        far.settimeout(10)
        far.setsockopt(level, asked, 1)
        free.bind((ip, 0))
        port = min(free.getsockname()[1], 65000) + 1
        ours = Sockets()
        ours.prepare(ip, port)
        ours.open(0, port)
        ours.send(Output(packets=[(0, b"sound")]), [], {0: far.getsockname()})
        data, [(_, _, marked)], _, source = far.recvmsg(100, 100)
        ours.close(0)
    assert (data, source[1], marked[0]) == (b"sound", port, EXPEDITED)
