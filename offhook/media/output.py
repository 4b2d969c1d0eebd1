"""What one tick of the engine gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from offhook.media.orders import Event
from offhook.media.recorders import Block
from offhook.media.rtp import Address


@dataclass(slots=True)
class Output:
    """`media` are slots whose row of `Engine.rows` goes to `Engine.targets`."""

    media: list[int] = field(default_factory=list)
    packets: list[tuple[int, bytes]] = field(default_factory=list)  # others, by slot, the same way
    replies: list[tuple[int, bytes, Address]] = field(default_factory=list)  # to where it says
    reports: list[tuple[int, bytes, Address]] = field(default_factory=list)  # RTCP, likewise
    farewells: list[tuple[int, bytes, Address]] = field(default_factory=list)  # of legs that close
    events: list[Event] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
