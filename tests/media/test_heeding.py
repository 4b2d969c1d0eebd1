"""What comes from far ends is made sound as soon as anybody listens, whoever that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from media_sounds import AGREED, FarEnd, Sound, Studio, joined, share, tone

from offhook.media import codecs, keys
from offhook.media.clip import SAMPLES
from offhook.media.orders import RecorderOrder

VOICE = tone(440, 2).reshape(-1, SAMPLES)
BESIDE = replace(AGREED, host="192.0.2.8")
NOISE = replace(AGREED, noise_payload_type=13)


def spoken(studio: Studio, leg: int, frames: range, sound: Sound = VOICE) -> None:
    far = FarEnd()
    for n in frames:
        payload = codecs.encode(codecs.PCMU, sound[n]).tobytes()
        studio.arrive(leg, far.packet(n, payload))
        studio.tick()


def sent(studio: Studio, leg: int) -> Sound:
    """What this leg has said in PCMU, a row a frame."""
    payload = b"".join(packet.payload for packet in studio.sent(leg))
    return codecs.decode(codecs.PCMU, np.frombuffer(payload, np.uint8)).reshape(-1, SAMPLES)


def echoed(studio: Studio) -> Callable[[], Sound]:
    studio.engine.echo(1, True)
    return lambda: sent(studio, 1)


def in_a_room(studio: Studio) -> Callable[[], Sound]:
    studio.engine.open_room(9)
    for leg in (1, 2):
        studio.engine.sit(9, leg, True, True)
    return lambda: sent(studio, 2)


def recorded(studio: Studio) -> Callable[[], Sound]:
    studio.engine.record(9, RecorderOrder("", (((1, "in"),),), 60, 0, trim=False))

    def frames() -> Sound:
        studio.engine.stop_recorder(9)
        studio.outputs.append(studio.engine.collect())
        blocks = [block for output in studio.outputs for block in output.blocks]
        return np.frombuffer(b"".join(block.samples for block in blocks), "<i2").reshape(
            -1, SAMPLES
        )

    return frames


def tapped(studio: Studio) -> Callable[[], Sound]:
    studio.engine.tap(1, True)
    return lambda: joined(studio.heard(1)).reshape(-1, SAMPLES)


@pytest.mark.parametrize("listen", [echoed, in_a_room, recorded, tapped])
def test_whoever_begins_to_listen_hears_from_the_next_frame_on(
    listen: Callable[[Studio], Callable[[], Sound]],
):
    studio = Studio()
    studio.rtp_leg(1, tapped=False)
    studio.rtp_leg(2, BESIDE, tapped=False)
    spoken(studio, 1, range(20))
    before = len(studio.sent(1))
    frames = listen(studio)
    spoken(studio, 1, range(20, 40))
    heard = frames()[-20:]
    assert before == 20
    assert all(share(frame, 440) > 0.9 for frame in heard)


@pytest.mark.parametrize(("agreed", "key"), [((None,), "5"), ((None, 101), ""), ((101, None), "5")])
def test_keys_that_are_tones_are_heard_though_nobody_else_listens(
    agreed: tuple[int | None, ...], key: str
):
    """As agreed last: whoever has events presses no key twice."""
    studio = Studio()
    studio.rtp_leg(1, tapped=False)
    for payload_type in agreed:
        studio.engine.connect(1, replace(AGREED, dtmf_payload_type=payload_type))
    pressed = np.tile(keys.tone("5"), (4, 1))[:10]
    spoken(studio, 1, range(20), np.concatenate((VOICE[:5] * 0, pressed, VOICE[:20] * 0)))
    assert studio.keys(1) == key


def test_a_voice_that_nobody_heard_has_ended_the_noise_before_it():
    """RFC 3389: what a far end's silence sounds like is asked for until it speaks again."""
    studio, far = Studio(), FarEnd()
    studio.rtp_leg(1, NOISE, tapped=False)
    studio.rtp_leg(2, BESIDE, tapped=False)
    spoken(studio, 1, range(10))
    studio.arrive(1, far.packet(10, b"\x20", payload_type=13))
    studio.tick(20)
    for n in range(31, 61):
        studio.arrive(1, far.packet(n, bytes([codecs.SILENCE[codecs.PCMU]]) * SAMPLES))
        studio.tick()
    in_a_room(studio)
    studio.tick(20)
    assert not sent(studio, 2)[-10:].any()


def test_what_was_heard_of_a_leg_before_is_not_gone_on_with():
    """Whoever falls silent while nobody listens is not heard when somebody does again."""
    studio = Studio()
    studio.rtp_leg(1, tapped=False)
    studio.rtp_leg(2, BESIDE, tapped=False)
    in_a_room(studio)
    spoken(studio, 1, range(20))
    studio.engine.leave(9, 1)
    spoken(studio, 1, range(20, 30))
    studio.tick(10)
    studio.engine.sit(9, 1, True, True)
    before = len(studio.sent(2))
    studio.tick(5)
    assert not sent(studio, 2)[before:].any()
