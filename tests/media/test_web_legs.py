"""Browsers' legs: ICE-lite, DTLS and SRTP on one port.  RFC 8445, RFC 5763, RFC 5764, RFC 7983."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from media_sounds import FarEnd, tone
from OpenSSL import SSL
from pylibsrtp import Policy, Session
from web_browser import NOW, OURS, THEIRS, Browser, mapped

from offhook.media import codecs, rtcp, rtp, stun
from offhook.media.clip import FRAME, SAMPLES
from offhook.media.dtls import identity
from offhook.media.orders import Event, Identity, Remote, Srtp, Stats, Web
from offhook.media.output import Output
from offhook.media.rtp import Address
from offhook.media.studio import Studio

HERE: Address = ("198.51.100.20", 40000)
ELSEWHERE: Address = ("198.51.100.21", 41000)
WEB = Web("ours", "our password of 22 ch.", THEIRS.fingerprint, OURS)
FEEDBACK = [(1, 205), (15, 205), (1, 206), (15, 206)]
AGREED = Remote("0.0.0.0", 9, "PCMU", 0, None, web=WEB)


@dataclass
class Desk:
    """A studio with one browser's leg; what it sends to an address lies there."""

    remote: Remote = AGREED
    told: list[Event] = field(default_factory=list)
    sent: list[tuple[bytes, Address]] = field(default_factory=list)
    ticks: int = 0

    def __post_init__(self) -> None:
        self.studio = Studio(Random(1), lambda work, then: then(work()), self.told.append)
        self.slot = self.studio.open_rtp(1)
        self.studio.connect(1, self.remote)
        self.studio.tap(1, True)

    def take(self, output: Output) -> None:
        self.told += output.events
        self.sent += [(data, source) for _, data, source in output.replies]
        self.sent += [(data, self.studio.targets[slot]) for slot, data in output.packets]
        rows = self.studio.rows
        self.sent += [(bytes(rows[slot]), self.studio.targets[slot]) for slot in output.media]
        assert not output.reports
        assert not output.farewells

    def arrive(self, data: bytes, source: Address = HERE) -> list[bytes]:
        """A datagram; what is said to it at once."""
        self.studio.now = self.ticks * FRAME
        packet = self.studio.enter(self.slot, data, source)
        before = len(self.sent)
        self.take(self.studio.collect())
        arrived = [(self.slot, packet, source, self.ticks * FRAME)] if packet else []
        self.tick(arrived) if arrived else None
        return [data for data, _ in self.sent[before:]]

    def tick(self, arrived: list[rtp.Arrived] | None = None) -> None:
        self.ticks += 1
        self.take(self.studio.process(rtp.batches(arrived or []), self.ticks * FRAME))

    def meet(self, browser: Browser, source: Address = HERE) -> None:
        """A check, and the whole handshake."""
        self.arrive(browser.check(), source)
        flight = browser.shake()
        for _ in range(10):
            replies = [reply for data in flight for reply in self.arrive(data, source)]
            flight = [data for reply in replies for data in browser.receive(reply)]
        self.sent.clear()

    def stats(self) -> Stats:
        """The leg's figures, at its end."""
        self.studio.close(1)
        self.take(self.studio.collect())
        [stats] = [event.value for event in self.told if isinstance(event.value, Stats)]
        return stats

    def heard(self) -> list[bytes]:
        return [event.value for event in self.told if event.kind == "heard"]  # type: ignore[misc]


def browser() -> Browser:
    return Browser(WEB.user, WEB.password)


def test_a_browser_is_heard_and_hears():
    desk, far = Desk(), browser()
    desk.meet(far)
    assert far.seals is not None
    assert far.opens is not None
    desk.studio.play(1, 1, tone(440, 0.4))
    for n in range(10):
        desk.arrive(far.seals.protect(FarEnd().packet(n)))
    assert len(desk.heard()) >= 8
    assert {to for _, to in desk.sent} == {HERE}
    opened = [rtp.read(far.opens.unprotect(data)) for data, _ in desk.sent]
    sound = b"".join(packet.payload for packet in opened if packet)
    assert len(set(codecs.decode(0, np.frombuffer(sound, np.uint8)).tolist())) > 20


@pytest.mark.parametrize(
    "profiles",
    [b"SRTP_AEAD_AES_128_GCM", b"SRTP_AEAD_AES_256_GCM", b"SRTP_AES128_CM_SHA1_80"],
)
def test_every_profile_gives_both_sides_the_same_keys(profiles: bytes):
    desk, far = Desk(), Browser(WEB.user, WEB.password, profiles=profiles)
    desk.meet(far)
    desk.tick()
    assert far.opens is not None
    assert [rtp.read(far.opens.unprotect(data)) is not None for data, _ in desk.sent] == [True]


def test_nothing_is_said_or_heard_before_there_are_keys():
    desk, far = Desk(), browser()
    desk.studio.play(1, 1, tone(440, 0.4))
    desk.arrive(far.check())
    desk.sent.clear()
    desk.arrive(FarEnd().packet(0))
    for _ in range(260):
        desk.tick()
    assert desk.sent == []
    assert desk.heard() == []


def test_a_check_is_told_where_it_came_from():
    """RFC 8445 section 7.3.1.2: the address, behind whatever NAT there is."""
    desk, far = Desk(), browser()
    [answer] = desk.arrive(far.check(), ELSEWHERE)
    assert mapped(answer) == ELSEWHERE


@pytest.mark.parametrize(
    "stranger", [Browser(WEB.user, "guessed"), Browser("guessed", WEB.password)]
)
def test_who_does_not_know_user_and_password_is_neither_answered_nor_listened_to(
    stranger: Browser,
):
    desk = Desk()
    assert desk.arrive(stranger.check()) == []
    assert [desk.arrive(data) for data in stranger.shake()] == [[]]
    assert desk.stats().refused == 2


def test_a_flight_that_is_long_goes_in_datagrams_that_every_path_takes():
    """RFC 6347 section 4.1.1.1: records of a flight share datagrams as far as they fit."""
    desk, far = Desk(replace(AGREED, web=replace(WEB, identity=large(OURS)))), browser()
    desk.arrive(far.check())
    flight = [reply for data in far.shake() for reply in desk.arrive(data)]
    assert len(flight) > 1
    assert all(len(reply) <= 1200 for reply in flight)
    for data in [data for reply in flight for data in far.receive(reply)]:
        for reply in desk.arrive(data):
            far.receive(reply)
    assert far.seals is not None


def test_a_handshake_that_is_long_over_costs_nothing():
    desk, far = Desk(), browser()
    desk.meet(far)
    kept = connections()
    desk.arrive(b"\x16\xfe\xfd" + bytes(10))
    assert connections() == kept
    for _ in range(round(31 / FRAME)):
        desk.tick()
    assert connections() == kept - 1
    desk.arrive(b"\x16\xfe\xfd" + bytes(10))
    desk.sent.clear()
    desk.tick()
    assert far.opens is not None
    assert far.opens.unprotect(desk.sent[0][0])


def connections() -> int:
    gc.collect()
    return sum(isinstance(one, SSL.Connection) for one in gc.get_objects())


def large(own: Identity) -> Identity:
    """As long as certificates with many names are."""
    names = [x509.DNSName(f"{n}.{'x' * 60}.example") for n in range(40)]
    private = ec.generate_private_key(ec.SECP256R1())
    us = x509.Name([])
    made = x509.CertificateBuilder(us, us, private.public_key(), 1, NOW, NOW)
    made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    signed = made.sign(private, hashes.SHA256())
    return replace(own, certificate=signed.public_bytes(Encoding.PEM), key=secret)


def test_a_check_that_is_refused_opens_no_door():
    """RFC 8445 section 7.3.1.1: only one side of the two may nominate."""
    desk, far = Desk(), browser()
    [answer] = desk.arrive(far.check(role=stun.CONTROLLED))
    assert answer[:2] == b"\x01\x11"
    assert [desk.arrive(data) for data in far.shake()] == [[]]


def test_who_shows_no_certificate_gets_no_keys():
    desk, far = Desk(), Browser(WEB.user, WEB.password, own=None)
    desk.meet(far)
    assert [event.kind for event in desk.told] == ["dead"]


def test_the_same_browser_in_the_same_place_gets_keys_of_its_own():
    desk = Desk()
    desk.meet(browser())
    desk.stats()
    desk.sent.clear()
    assert desk.studio.open_rtp(1) == desk.slot
    desk.studio.connect(1, AGREED)
    desk.tick()
    assert desk.sent == []
    far = browser()
    desk.meet(far)
    desk.tick()
    assert far.opens is not None
    assert far.opens.unprotect(desk.sent[0][0])


def test_a_browser_that_knows_us_from_before_begins_anew():
    first, desk = browser(), Desk()
    desk.meet(first)
    second, desk = Browser(WEB.user, WEB.password, before=first), Desk()
    desk.meet(second)
    assert second.seals is not None
    assert [event.kind for event in desk.told] == []


def test_a_handshake_from_an_address_without_a_check_is_not_answered():
    desk, far = Desk(), browser()
    desk.arrive(far.check(), HERE)
    assert [desk.arrive(data, ELSEWHERE) for data in far.shake()] == [[]]


def test_another_certificate_than_the_description_says_gives_no_keys():
    """RFC 5763 section 5: whoever sits between the two has a certificate of its own."""
    stranger = identity(NOW)
    desk, far = Desk(), Browser(WEB.user, WEB.password, own=stranger)
    desk.meet(far)
    desk.tick()
    assert desk.sent == []
    assert far.seals is not None
    desk.arrive(far.seals.protect(FarEnd().packet(0)))
    assert desk.heard() == []
    [why] = [event.value for event in desk.told if event.kind == "dead"]
    assert why == "no keys were agreed on with the browser"
    assert desk.stats().refused == 2  # the certificate, and the packet


def test_of_several_certificates_that_the_description_says_any_will_do():
    """RFC 8122 section 5."""
    said = f"{identity(NOW).fingerprint},{THEIRS.fingerprint}"
    desk, far = Desk(replace(AGREED, web=replace(WEB, fingerprint=said))), browser()
    desk.meet(far)
    assert far.seals is not None
    desk.arrive(far.seals.protect(FarEnd().packet(0)))
    desk.arrive(far.seals.protect(FarEnd().packet(1)))
    assert desk.heard()


def test_the_nominated_pair_is_where_sound_goes():
    """Section 8.1.1: the browser may change its mind, by another check that nominates."""
    desk, far = Desk(), browser()
    desk.meet(far)
    desk.arrive(far.check(nominate=False), ELSEWHERE)
    desk.sent.clear()
    desk.tick()
    assert [to for _, to in desk.sent] == [HERE]
    desk.arrive(far.check(), ELSEWHERE)
    desk.sent.clear()
    desk.tick()
    assert [to for _, to in desk.sent] == [ELSEWHERE]


def test_a_flight_that_is_lost_is_said_again():
    """RFC 6347 section 4.2.4: after half a second, then after twice as long each time."""
    desk, far = Desk(), browser()
    desk.arrive(far.check())
    lost = [reply for data in far.shake() for reply in desk.arrive(data)]
    desk.sent.clear()
    repeated = []
    for tick in range(1, 200):
        desk.tick()
        repeated += [tick] if desk.sent else []
        assert [data for data, _ in desk.sent] in ([], lost)
        desk.sent.clear()
    assert repeated == [25, 75, 175]
    flight = [data for reply in lost for data in far.receive(reply)]
    last = [reply for data in flight for reply in desk.arrive(data)]
    for reply in last:
        far.receive(reply)
    assert far.opens is not None
    desk.sent.clear()
    desk.tick()
    assert far.opens.unprotect(desk.sent[0][0])


def test_who_is_to_begin_the_handshake_can_be_we():
    """RFC 8842 section 5.3: a browser that we call may answer that it is passive."""
    desk = Desk(replace(AGREED, web=replace(WEB, active=True)))
    far = Browser(WEB.user, WEB.password, server=True)
    flight = desk.arrive(far.check())[1:]
    for _ in range(6):
        flight = [reply for data in flight for reply in far.receive(data)]
        flight = [reply for data in flight for reply in desk.arrive(data)]
    assert far.seals is not None
    assert far.opens is not None
    desk.sent.clear()
    for n in range(5):
        desk.arrive(far.seals.protect(FarEnd().packet(n)))
    assert len(desk.heard()) >= 3
    assert far.opens.unprotect(desk.sent[-1][0])


def test_what_it_cost_is_given_back_though_checks_go_on():
    """Browsers ask every few seconds whether we still want to hear them (RFC 7675)."""
    desk = Desk(replace(AGREED, web=replace(WEB, active=True)))
    far = Browser(WEB.user, WEB.password, server=True)
    flight = desk.arrive(far.check())[1:]
    for _ in range(6):
        flight = [reply for data in flight for reply in far.receive(data)]
        flight = [reply for data in flight for reply in desk.arrive(data)]
    kept = connections()
    for _ in range(12):
        desk.arrive(far.check())
        for _ in range(round(3 / FRAME)):
            desk.tick()
    assert connections() == kept - 1


def test_checks_can_begin_anew_while_the_keys_stay():
    """RFC 8839 section 4.4.1.1.1, RFC 8842 section 4."""
    desk, far = Desk(), browser()
    desk.meet(far)
    fresh = replace(WEB, user="anew", password="another password, as long")
    desk.studio.connect(1, replace(AGREED, web=fresh))
    assert desk.arrive(far.check(), ELSEWHERE) == []
    desk.tick()
    assert {to for _, to in desk.sent} == {HERE}
    far.user, far.password = fresh.user, fresh.password
    desk.arrive(far.check(), ELSEWHERE)
    desk.sent.clear()
    desk.tick()
    assert {to for _, to in desk.sent} == {ELSEWHERE}
    assert far.opens is not None
    assert far.opens.unprotect(desk.sent[0][0])


def test_a_browser_has_so_many_places_and_no_more():
    """On a long way it has many, one after the other: where it is counts, and the latest."""
    desk, far = Desk(), browser()
    desk.meet(far)
    assert far.seals is not None
    places = [("198.51.100.20", port) for port in range(41000, 41040)]
    for place in places:
        assert desk.arrive(far.check(nominate=False), place)
    assert desk.studio.targets[desk.slot] == HERE
    for n, place in enumerate((HERE, places[-1], places[-31], places[-32], places[0])):
        desk.arrive(far.seals.protect(FarEnd().packet(n)), place)
    desk.arrive(far.check(), ELSEWHERE)
    assert desk.studio.targets[desk.slot] == ELSEWHERE
    assert desk.stats().refused == 2, "two of places that were long ago"


def test_another_certificate_agreed_on_is_another_handshake():
    desk, far = Desk(), browser()
    desk.meet(far)
    own = identity(NOW)
    desk.studio.connect(1, replace(AGREED, web=replace(WEB, fingerprint=own.fingerprint)))
    other = Browser(WEB.user, WEB.password, own=own)
    desk.meet(other)
    desk.tick()
    assert other.opens is not None
    assert other.opens.unprotect(desk.sent[0][0])


def test_agreeing_anew_keeps_the_keys_and_the_place():
    desk, far = Desk(), browser()
    desk.meet(far)
    desk.studio.connect(1, replace(AGREED, host="192.0.2.99", port=5000))
    desk.tick()
    assert [to for _, to in desk.sent] == [HERE]
    assert far.opens is not None
    assert far.opens.unprotect(desk.sent[0][0])


def test_reports_share_the_port():
    """RFC 5761: both ways, told apart by the payload type."""
    desk, far = Desk(), browser()
    desk.meet(far)
    for _ in range(260):
        desk.tick()
    assert far.opens is not None
    assert far.seals is not None
    reports = [data for data, _ in desk.sent if data[1] == rtcp.SENDER_REPORT]
    assert rtcp.read(far.opens.unprotect_rtcp(reports[0]))
    media = next(data for data, _ in desk.sent if data[1] & 0x7F == 0)
    ssrc = int.from_bytes(media[8:12])
    told = rtcp.report(7, b"far", None, rtcp.Reception(ssrc, 0, 11, 0, 0, 0, 0))
    desk.arrive(far.seals.protect_rtcp(told))
    assert desk.stats().far_lost == 11


def test_the_farewell_shares_the_port_as_well():
    """RFC 3550 section 6.6."""
    desk, far = Desk(), browser()
    desk.meet(far)
    desk.stats()
    assert far.opens is not None
    [(farewell, to)] = desk.sent
    assert to == HERE
    assert b"\x81\xcb" in far.opens.unprotect_rtcp(farewell)


def test_feedback_that_we_have_no_use_for_is_read_past():
    """RFC 4585: NACK, PLI and what Chromium says of its bandwidth, before a report and alone."""
    desk, far = Desk(), browser()
    desk.meet(far)
    assert far.seals is not None
    desk.tick()
    ssrc = int.from_bytes(desk.sent[-1][0][8:12])
    odd = [bytes([0x80 | kind, packet, 0, 3]) + bytes(12) for kind, packet in FEEDBACK]
    told = rtcp.report(7, b"far", None, rtcp.Reception(ssrc, 0, 12, 0, 0, 0, 0))
    for data in (*odd, b"".join((*odd, told))):
        desk.arrive(far.seals.protect_rtcp(data))
    stats = desk.stats()
    assert (stats.far_lost, stats.refused) == (12, 0)


def test_the_next_leg_in_its_place_is_an_ordinary_one():
    desk, far = Desk(), browser()
    desk.meet(far)
    desk.studio.close(1)
    assert desk.studio.open_rtp(2) == desk.slot
    desk.studio.connect(2, replace(AGREED, host="192.0.2.7", port=4000, web=None))
    desk.take(desk.studio.collect())
    assert [to for _, to in desk.sent[-1:]] == [HERE], "a goodbye"
    desk.sent.clear()
    desk.tick()
    assert [(len(data), to) for data, to in desk.sent] == [(12 + SAMPLES, ("192.0.2.7", 4000))]
    assert desk.slot not in desk.studio.doors.slots


@pytest.mark.parametrize("srtp", [None, Srtp("AES_CM_128_HMAC_SHA1_80", b"o" * 30, b"t" * 30)])
def test_other_legs_may_have_their_reports_on_one_port_as_well(srtp: Srtp | None):
    """RFC 5761, where it was offered."""
    desk = Desk(replace(AGREED, host=HERE[0], port=HERE[1], web=None, mux=True, srtp=srtp))
    for _ in range(260):
        desk.tick()
    kinds = {data[1] for data, to in desk.sent if to == HERE}
    assert rtcp.SENDER_REPORT in kinds
    seals, opens = Session(policy(b"t" * 30)), Session(policy(b"o" * 30))
    first = desk.sent[0][0]
    ssrc = int.from_bytes((opens.unprotect(first) if srtp else first)[8:12])
    told = rtcp.report(7, b"far", None, rtcp.Reception(ssrc, 0, 13, 0, 0, 0, 0))
    desk.arrive(seals.protect_rtcp(told) if srtp else told)
    for n in range(5):
        packet = FarEnd().packet(n)
        desk.arrive(seals.protect(packet) if srtp else packet)
    assert len(desk.heard()) >= 3
    assert desk.stats().far_lost == 13


def policy(key: bytes) -> Policy:
    return Policy(key, Policy.SSRC_ANY_INBOUND if key[:1] == b"o" else Policy.SSRC_ANY_OUTBOUND)


@pytest.mark.parametrize(
    "data", [b"", b"\x16", b"\x16" + b"\xfe" * 40, b"\x80", b"\x80\xc8", bytes(1500), b"\x50abc"]
)
def test_what_is_nothing_at_all_breaks_nothing(data: bytes):
    desk, far = Desk(), browser()
    desk.arrive(far.check())
    desk.arrive(data)
    desk.meet(far)
    desk.tick()
    assert len(desk.sent) == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=80), max_size=8), st.binary(max_size=3))
def test_no_bytes_break_a_leg_or_are_heard_on_it(noise: list[bytes], start: bytes):
    desk, far = Desk(), browser()
    desk.arrive(far.check())
    for data in noise:
        desk.arrive(start + data)
    desk.tick()
    assert desk.heard() == []
    desk.meet(far)
    desk.tick()
    assert far.opens is not None
    assert far.opens.unprotect(desk.sent[0][0])


def test_a_handshake_without_an_end_is_cut():
    """What a far end may make us work for is limited, with a right check as well."""
    desk, far = Desk(), browser()
    desk.arrive(far.check())
    for _ in range(60):
        desk.arrive(b"\x16\xfe\xfd" + bytes(1400))
    assert [desk.arrive(data) for data in far.shake()] == [[]]
