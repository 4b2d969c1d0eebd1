"""Ports for a media plane of a test."""

from __future__ import annotations

import os
import random
import re
import socket

ROW = 1000  # ports of each of pytest's workers


def free_ports(count: int) -> range:
    """So many in a row, from an even one on, that nobody has, nor the kernel gives to who asks.

    Linux gives away 32768 to 60999; other tests' sockets, in this process and the next, have those.
    """
    own = int("".join(re.findall(r"\d+", os.environ.get("PYTEST_XDIST_WORKER", "")) or "0")) % 4
    first = 61000 + own * ROW
    while True:
        start = random.randrange(first, first + ROW - count, 2)
        row = range(start, start + count)
        if all(map(_free, row)):
            return row


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
