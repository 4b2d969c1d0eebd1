"""`python -m bench.sealed LEGS SECONDS`: so many legs of one media worker talk with those of
another, in the clear and sealed in turn. Prints the CPU of a leg in either, in ms a second."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time

from bench.rig import cpu
from offhook.media.orders import Srtp
from offhook.media.plane import MediaPlane, Remote, RtpLeg

HOST = "127.0.0.1"
SUITE, KEY = "AES_CM_128_HMAC_SHA1_80", 30  # what phones agree on, and the bytes of its key
ROUNDS = 2
SETTLE = 1.0  # seconds until what was agreed is what is heard
TONE = (((440,), 1.0),)


def agree(here: RtpLeg, there: RtpLeg, sealed: bool) -> None:
    ours, theirs = secrets.token_bytes(KEY), secrets.token_bytes(KEY)
    for one, other, keys in ((here, there, (ours, theirs)), (there, here, (theirs, ours))):
        srtp = Srtp(SUITE, *keys) if sealed else None
        one.connect(Remote(HOST, other.port, "PCMU", 0, 101, srtp=srtp))


async def main(legs: int, seconds: float) -> None:
    plane = await MediaPlane.workers(2, range(20000, 30000))
    pairs = [(await plane.open_rtp(HOST), await plane.open_rtp(HOST)) for _ in range(legs)]
    workers = [leg.host.pid for leg in pairs[0]]  # type: ignore[attr-defined]
    costs: dict[bool, list[float]] = {False: [], True: []}
    async with asyncio.TaskGroup() as tasks:
        playing = [tasks.create_task(leg.play_tone(TONE)) for pair in pairs for leg in pair]
        for sealed in (False, True) * ROUNDS:
            for pair in pairs:
                agree(*pair, sealed)
            await asyncio.sleep(SETTLE)
            used, began = sum(map(cpu, workers)), time.monotonic()
            await asyncio.sleep(seconds)
            spent = (sum(map(cpu, workers)) - used) / (time.monotonic() - began)
            costs[sealed].append(spent / (2 * legs) * 1000)
        for task in playing:
            task.cancel()
    stats = [await leg.close() for pair in pairs for leg in pair]
    await plane.close()
    clear, sealed_ = (sum(each) / ROUNDS for each in costs.values())
    heard = min(one.packets_received for one in stats) / 50 / (ROUNDS * 2 * (seconds + SETTLE))
    print(json.dumps({"clear": clear, "sealed": sealed_, "heard": heard}))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
