"""`python -m bench.rooms PORT WORKERS`: SIP and the media plane with nothing above them.

Callers of one address sit in one room. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import gc
import sys

from offhook.carriers.sip_carrier import SipCarrier, SipSettings
from offhook.line.leg import Leg
from offhook.media.plane import MediaPlane, Room


async def main(port: int, workers: int) -> None:
    media = await MediaPlane.workers(workers, range(20000, 30000))
    rooms: dict[str, Room] = {}

    async def seat(leg: Leg, to: str, from_: str) -> None:
        await leg.answer()
        if to not in rooms:
            rooms[to] = await media.open_room()
        await rooms[to].add(leg.media)
        await asyncio.shield(leg.ended)

    carrier = await SipCarrier.open(SipSettings(port=port), media, seat)
    gc.freeze()
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await carrier.close()
    await media.close()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
