"""Sealed sound.  RFC 3711 (SRTP), RFC 4568 (its suites), RFC 7714 (GCM)."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from media_sounds import AGREED, FAR, FarEnd, Studio, number, tone
from pylibsrtp import Error, Policy, Session

from offhook.media import rtcp, rtp
from offhook.media.engine import Engine
from offhook.media.orders import Srtp, Stats
from offhook.media.rtp import Address
from offhook.media.secure import PROFILES

SUITES = {
    "AES_CM_128_HMAC_SHA1_80": 30,
    "AES_CM_128_HMAC_SHA1_32": 30,
    "AEAD_AES_128_GCM": 28,
    "AEAD_AES_256_GCM": 44,
}
SHA1 = "AES_CM_128_HMAC_SHA1_80"
STRANGER: Address = ("198.51.100.9", 9)


def keys(suite: str = SHA1, ours: int = 1, theirs: int = 2) -> Srtp:
    size = SUITES[suite]
    return Srtp(suite, bytes([ours]) * size, bytes([theirs]) * size)


class SealedEnd(FarEnd):
    """A far end with keys of its own: what is `theirs` to us is its to seal with."""

    def __init__(self, agreed: Srtp) -> None:
        super().__init__()
        profile = PROFILES[agreed.suite]
        self.seals = Session(Policy(agreed.theirs, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self.opens = Session(Policy(agreed.ours, Policy.SSRC_ANY_INBOUND, 0, profile))

    def sealed(self, n: int) -> bytes:
        return self.seals.protect(self.packet(n))


def sent(studio: Studio, leg: int) -> list[bytes]:
    slot = studio.slots[leg]
    return [data for output in studio.outputs for n, data in output.packets if n == slot]


def reported(studio: Studio, leg: int) -> list[bytes]:
    slot = studio.slots[leg]
    return [data for output in studio.outputs for n, data, _ in output.reports if n == slot]


def heard(studio: Studio, leg: int) -> list[int | None]:
    return [number(frame) for frame in studio.heard(leg)]


@pytest.mark.parametrize("suite", SUITES)
def test_sound_goes_both_ways_in_every_suite(suite: str):
    studio, agreed = Studio(), keys(suite)
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.engine.play(leg, 1, tone(440, 0.2))
    for n in range(8):
        studio.arrive(leg, far.sealed(n))
        studio.tick()
    assert heard(studio, leg)[:5] == [0, 1, 2, 3, 4]
    opened = [rtp.read(far.opens.unprotect(data)) for data in sent(studio, leg)]
    plain = Studio()
    plain.engine.play(plain.rtp_leg(1), 1, tone(440, 0.2))
    plain.tick(8)
    assert [one.payload for one in opened if one] == [one.payload for one in plain.sent(1)]


def test_nothing_is_taken_in_the_clear():
    studio = Studio()
    leg = studio.rtp_leg(1, replace(AGREED, srtp=keys()))
    for n in range(6):
        studio.arrive(leg, FarEnd().packet(n))
        studio.tick()
    assert studio.heard(leg) == []


def test_forged_and_repeated_packets_are_not_heard():
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    first = far.sealed(0)
    studio.arrive(leg, first)
    studio.arrive(leg, first)
    studio.arrive(leg, far.sealed(1)[:-1] + b"\x00")
    studio.arrive(leg, bytes(500))
    studio.tick(3)
    studio.engine.close(leg)
    [closed] = studio.events("closed", leg)
    assert isinstance(closed.value, Stats)
    assert (closed.value.packets_received, closed.value.duplicates) == (1, 0)
    assert closed.value.refused == 3


def test_what_was_refused_is_not_told_of_the_next_leg_in_its_place():
    studio = Studio()
    first = studio.rtp_leg(1, replace(AGREED, srtp=keys()))
    studio.arrive(first, bytes(500))
    studio.tick()
    studio.engine.close(first)
    second = studio.rtp_leg(2, replace(AGREED, srtp=keys()))
    studio.engine.close(second)
    [closed] = studio.events("closed", second)
    assert studio.slots[first] == studio.slots[second]
    assert isinstance(closed.value, Stats)
    assert closed.value.refused == 0


def test_a_stranger_without_the_key_does_not_take_the_call_over():
    """Symmetric RTP follows whoever sends; here only whoever has the key."""
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    stranger = SealedEnd(keys(theirs=9))
    studio.arrive(leg, stranger.sealed(0), STRANGER)
    studio.tick()
    assert studio.engine.targets[studio.slots[leg]] == FAR
    studio.arrive(leg, far.sealed(0), ("192.0.2.7", 5555))
    studio.tick()
    assert studio.engine.targets[studio.slots[leg]] == ("192.0.2.7", 5555)


def test_who_has_the_key_may_move_in_the_middle_of_a_word():
    """Nobody else can make his packets; those still under way from where he was move nothing."""
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    packets = [far.sealed(n) for n in range(12)]
    for n, packet in enumerate(packets):
        there = STRANGER if n in (5, 6, 8, 9, 10, 11) else FAR
        if n != 7:
            studio.arrive(leg, packet, there)
        if n == 9:
            studio.arrive(leg, packets[7], FAR)
        studio.tick()
        if n > 4:
            assert studio.engine.targets[studio.slots[leg]] == STRANGER
    assert heard(studio, leg)[:7] == [0, 1, 2, 3, 4, 5, 6]


def test_keys_pressed_are_sealed_too():
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.engine.press(leg, 1, "5")
    studio.tick(12)
    opened = [rtp.read(far.opens.unprotect(data)) for data in sent(studio, leg)]
    assert 101 in {one.payload_type for one in opened if one}


def test_reports_are_sealed_and_opened():
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick(260)
    reports = [data for output in studio.outputs for _, data, _ in output.reports]
    assert rtcp.read(far.opens.unprotect_rtcp(reports[0]))
    with pytest.raises(Error):
        far.opens.unprotect_rtcp(reports[0][:-1] + b"\x00")
    [packet] = [rtp.read(far.opens.unprotect(sent(studio, leg)[0]))]
    assert packet
    lost = rtcp.Reception(packet.ssrc, 0, 17, 0, 0, 0, 0)
    studio.engine.report(
        studio.slots[leg], far.seals.protect_rtcp(rtcp.report(7, b"far", None, lost))
    )
    studio.engine.close(leg)
    [closed] = studio.events("closed", leg)
    assert isinstance(closed.value, Stats)
    assert closed.value.far_lost == 17


def test_agreeing_anew_on_the_same_keys_repeats_no_packet_number():
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.arrive(leg, first := far.sealed(0))
    studio.tick(2)
    studio.engine.connect(leg, replace(AGREED, srtp=agreed, send=False))
    studio.engine.connect(leg, replace(AGREED, srtp=agreed))
    studio.arrive(leg, first)
    studio.tick(2)
    assert len({far.opens.unprotect(data) for data in sent(studio, leg)}) == 4
    studio.engine.close(leg)
    [closed] = studio.events("closed", leg)
    assert isinstance(closed.value, Stats)
    assert closed.value.packets_received == 1


def test_the_far_end_may_change_its_key_alone():
    studio, agreed, next_ = Studio(), keys(), keys(theirs=3)
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick(2)
    studio.engine.connect(leg, replace(AGREED, srtp=next_))
    changed = SealedEnd(next_)
    for n in range(5):
        studio.arrive(leg, changed.sealed(n))
        studio.tick()
    assert heard(studio, leg)[:2] == [0, 1]
    assert len({far.opens.unprotect(data) for data in sent(studio, leg)}) == 7


def test_what_the_far_end_had_before_it_may_have_again():
    """Agreed on three times, and each time on what is not what was agreed on just before."""
    studio, first, other = Studio(), keys(), keys(ours=3, theirs=4)
    leg = studio.rtp_leg(1, replace(AGREED, srtp=first))
    for n, agreed in enumerate((first, other, first)):
        studio.engine.connect(leg, replace(AGREED, srtp=agreed))
        far, before = SealedEnd(agreed), len(sent(studio, leg))
        for packet in range(5):
            studio.arrive(leg, far.sealed(5 * n + packet))
            studio.tick()
        assert all(far.opens.unprotect(data) for data in sent(studio, leg)[before:])
    assert heard(studio, leg) == list(range(14))


def test_the_same_keys_may_be_agreed_on_for_another_suite():
    studio, agreed = Studio(), keys()
    leg = studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick(2)
    agreed = replace(agreed, suite="AES_CM_128_HMAC_SHA1_32")
    studio.engine.connect(leg, replace(AGREED, srtp=agreed))
    far = SealedEnd(agreed)
    for n in range(5):
        studio.arrive(leg, far.sealed(n))
        studio.tick()
    assert heard(studio, leg)[:2] == [0, 1]
    assert all(far.opens.unprotect(data) for data in sent(studio, leg)[2:])


class Highest(Random):
    """Chance that gives the most it can."""

    def getrandbits(self, k: int, /) -> int:
        return (1 << k) - 1


def test_agreeing_anew_does_not_forget_that_the_numbers_have_begun_again():
    """RFC 3711 section 3.3.1: how often they have is a part of every packet's seal."""
    studio, agreed = Studio(Engine(Highest(), capacity=64)), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick(3)
    studio.engine.connect(leg, replace(AGREED, srtp=replace(agreed, theirs=keys(theirs=3).theirs)))
    studio.tick(2)
    opened = [rtp.read(far.opens.unprotect(data)) for data in sent(studio, leg)]
    assert [one.seq for one in opened if one] == [0xFFFF, 0, 1, 2, 3]


def test_what_was_sealed_may_go_on_in_the_clear():
    studio, agreed = Studio(), keys()
    leg = studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick(2)
    studio.engine.connect(leg, AGREED)
    for n in range(5):
        studio.arrive(leg, FarEnd().packet(n))
        studio.tick()
    assert heard(studio, leg)[:2] == [0, 1]
    assert [len(data) for data in sent(studio, leg)[2:]] == [rtp.SIZE] * 5


@pytest.mark.parametrize("data", [b"", bytes(40), bytes(2048)])
def test_a_report_that_cannot_be_opened_is_none(data: bytes):
    studio, agreed = Studio(), keys()
    far, leg = SealedEnd(agreed), studio.rtp_leg(1, replace(AGREED, srtp=agreed))
    studio.tick()
    studio.engine.report(studio.slots[leg], data)
    packet = rtp.read(far.opens.unprotect(sent(studio, leg)[0]))
    assert packet
    lost = rtcp.report(7, b"far", None, rtcp.Reception(packet.ssrc, 0, 17, 0, 0, 0, 0))
    studio.engine.report(studio.slots[leg], lost)
    studio.engine.close(leg)
    [closed] = studio.events("closed", leg)
    assert isinstance(closed.value, Stats)
    assert closed.value.far_lost == 0, "nor is one in the clear"


def test_plain_legs_beside_sealed_ones_stay_as_they_are():
    studio, agreed = Studio(), keys()
    sealed, plain = studio.rtp_leg(1, replace(AGREED, srtp=agreed)), studio.rtp_leg(2)
    far = SealedEnd(agreed)
    for n in range(6):
        studio.arrive(sealed, far.sealed(n))
        studio.arrive(plain, FarEnd().packet(n))
        studio.tick()
    assert heard(studio, sealed) == heard(studio, plain) == [0, 1, 2, 3, 4]
    assert len(studio.sent(plain)[0].payload) == 160
    studio.engine.press(plain, 1, "5")
    studio.tick(250)
    assert 101 in {packet.payload_type for packet in studio.sent(plain)}
    assert [rtcp.read(data) is not None for data in reported(studio, plain)] == [True]
    assert [rtcp.read(far.opens.unprotect_rtcp(data)) for data in reported(studio, sealed)]
