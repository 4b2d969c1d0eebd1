"""Keys in session descriptions, and calls that use them.  RFC 4568, RFC 7714, RFC 8643."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sip_carriers import Phone, carrier, not_ringing, target, traced

from offhook.carriers.sip_sound import Sound
from offhook.carriers.trunks import Trunk
from offhook.errors import CarrierError
from offhook.media.clip import Clip
from offhook.media.plane import MediaPlane
from offhook.sip import crypto, sdp
from offhook.sip.sdp import BadSdp, Ours

SECRET = bytes(range(64))
OURS = Ours("192.0.2.1", 10000, 77, secret=SECRET)
SEALED = Ours("192.0.2.1", 10000, 77, secret=SECRET, secured=True)
HEAD = "v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\n"
KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"  # of RFC 4568 section 6
SHA1 = f"AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def parsed(text: str) -> list[sdp.Media]:
    return sdp.parse((HEAD + text).replace("\n", "\r\n").encode())


def lines(body: bytes, start: str) -> list[str]:
    return [line for line in body.decode().split("\r\n") if line.startswith(start)]


@pytest.mark.parametrize(
    "value",
    [
        f"1 {SHA1}",
        f"1 {SHA1}|2^20",
        f"1 {SHA1}|1048576",
        f"1 {SHA1} -SOMETHING=1",
        f"4294967 AES_CM_128_HMAC_SHA1_32 inline:{KEY}",
    ],
)
def test_a_key_that_we_can_use(value: str):
    found = crypto.read(value)
    assert found is not None
    assert found.key.startswith(b"YS___")
    assert len(found.key) == 30


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        f"1 {SHA1}|2^20|1:4",  # an MKI
        f"1 {SHA1} UNENCRYPTED_SRTP",
        f"1 {SHA1} KDR=0",
        f"1 F8_128_HMAC_SHA1_80 inline:{KEY}",
        f"1 AEAD_AES_128_GCM inline:{KEY}",  # 30 bytes where 28 are due
        "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
        "1 AES_CM_128_HMAC_SHA1_80 inline:####",
        f"x {SHA1}",
    ],
)
def test_a_key_that_is_left_aside(value: str):
    assert crypto.read(value) is None


def test_a_sealed_offer_has_nothing_in_the_clear():
    made = sdp.offer(SEALED)
    assert lines(made, "m=") == ["m=audio 10000 RTP/SAVP 0 8 9 111 101 110"]
    suites = [line.split()[1] for line in lines(made, "a=crypto")]
    assert suites == list(crypto.KEY_BYTES)
    assert all(crypto.read(line[9:]) for line in lines(made, "a=crypto"))


def test_both_sides_of_this_project_agree_on_each_others_keys():
    there = Ours("192.0.2.2", 20000, 5, secret=bytes(reversed(SECRET)))
    made, theirs = sdp.answer(sdp.parse(sdp.offer(SEALED)), there)
    ours = sdp.accepted(sdp.parse(made), SEALED)
    assert ours.keys is not None
    assert theirs.keys == ours.keys[::-1]
    assert ours.keys[0].suite == "AES_CM_128_HMAC_SHA1_80"
    assert ours.keys[0].key != ours.keys[1].key


def test_the_first_key_that_we_can_use_is_answered_under_its_tag():
    offer = f"m=audio 4000 RTP/SAVP 0\na=crypto:1 NEW_SUITE inline:{KEY}\na=crypto:7 {SHA1}\n"
    made, agreed = sdp.answer(parsed(offer), OURS)
    assert lines(made, "m=") == ["m=audio 10000 RTP/SAVP 0"]
    [line] = lines(made, "a=crypto")
    assert line.startswith("a=crypto:7 AES_CM_128_HMAC_SHA1_80 inline:")
    assert agreed.keys is not None
    assert len(agreed.keys[0].key) == 30


def test_no_suite_has_another_ones_key():
    """With another suite the numbers of packets begin anew, and would come twice under one key."""
    keys = [one.key[:14] for one in crypto.offered(SECRET)]
    assert len(set(keys)) == len(crypto.KEY_BYTES)


async def test_an_answer_of_ours_that_is_said_again_is_answered_under_its_tag():
    """A session is refreshed by the description that was said last (RFC 4028 section 7.4), and the
    far end may have another key by then."""
    media = await MediaPlane.local(range(10000, 10010))
    sound = Sound(await media.open_rtp("127.0.0.1"), OURS, "10.0.0.1", lambda *_: None)
    said = f"m=audio 4000 RTP/SAVP 0\na=crypto:7 {SHA1}\n"
    sound.answer(parsed(said))
    sound.accept((HEAD + said.replace("WVN", "XXX")).encode())
    with pytest.raises(BadSdp):
        sound.accept((HEAD + said.replace("crypto:7", "crypto:8")).encode())
    await media.close()


def test_who_agrees_to_nothing_in_the_clear_refuses_that():
    offer = parsed("m=audio 4000 RTP/AVP 0\n")
    assert not sdp.speakable(offer, strict=True)
    with pytest.raises(BadSdp):
        sdp.answer(offer, replace(OURS, strict=True))


def test_of_a_sealed_and_a_plain_offer_the_sealed_one_is_taken():
    offer = f"m=audio 4000 RTP/AVP 0\nm=audio 4002 RTP/SAVP 0\na=crypto:1 {SHA1}\n"
    made, agreed = sdp.answer(parsed(offer), OURS)
    assert lines(made, "m=") == ["m=audio 0 RTP/AVP 0", "m=audio 10000 RTP/SAVP 0"]
    assert agreed.port == 4002


def test_keys_beside_a_plain_offer_are_used():
    """RFC 8643: for those who like, in the protocol that was offered."""
    made, agreed = sdp.answer(parsed(f"m=audio 4000 RTP/AVP 0\na=crypto:1 {SHA1}\n"), OURS)
    assert lines(made, "m=") == ["m=audio 10000 RTP/AVP 0"]
    assert len(lines(made, "a=crypto")) == 1
    assert agreed.keys is not None


def test_a_sealed_offer_without_a_key_that_we_can_use_shares_nothing():
    offered = parsed(f"m=audio 4000 RTP/SAVP 0\na=crypto:1 {SHA1} UNENCRYPTED_SRTP\n")
    assert not sdp.speakable(offered)
    with pytest.raises(BadSdp):
        sdp.answer(offered, OURS)


@pytest.mark.parametrize(
    "answer",
    [
        "m=audio 4000 RTP/AVP 0\n",
        f"m=audio 4000 RTP/AVP 0\na=crypto:1 {SHA1}\n",
        "m=audio 4000 RTP/SAVP 0\n",
        f"m=audio 4000 RTP/SAVP 0\na=crypto:2 {SHA1}\n",
        f"m=audio 4000 RTP/SAVP 0\na=crypto:9 {SHA1}\n",
    ],
)
def test_an_answer_that_is_not_what_we_offered_is_an_error(answer: str):
    with pytest.raises(BadSdp):
        sdp.accepted(parsed(answer), SEALED)


def test_a_sealed_answer_to_a_plain_offer_is_an_error():
    with pytest.raises(BadSdp):
        sdp.accepted(parsed(f"m=audio 4000 RTP/SAVP 0\na=crypto:1 {SHA1}\n"), OURS)


# Calls

SECURE = "sip:+15550001111@127.0.0.2;secure=true;transport=udp"


async def test_a_secure_call_is_heard_and_its_keys_are_not_shown():
    phone = Phone()
    async with carrier("127.0.0.1", Phone()) as here, carrier("127.0.0.2", phone) as _:
        leg = await here.dial(target(SECURE), not_ringing)
        frames: list[bytes] = []
        phone.leg.media.tap(frames.append)
        await leg.media.play(Clip(0.4, pcm=b"\x00\x20" * 3200))
        assert len([frame for frame in frames if any(frame)]) >= 15
        story = "".join(data.get("text", "") for _, data in traced(leg))
        assert "RTP/SAVP" in story
        assert "inline:(not shown)" in story
        assert story.count("inline:") == story.count("inline:(not shown)")
        assert "secure=true" not in story
        await leg.hang_up()


async def test_a_trunk_that_seals_its_calls():
    phone, trunk = Phone(), Trunk("t", address="127.0.0.2", srtp=True)
    async with carrier("127.0.0.1", Phone(), trunks=(trunk,)) as here, carrier("127.0.0.2", phone):
        leg = await here.dial(target("+15550001111"), not_ringing)
        assert "RTP/SAVP" in traced(leg)[0][1]["text"]
        await leg.hang_up()


async def test_secure_alone_means_tls():
    async with carrier("127.0.0.1", Phone()) as here:
        with pytest.raises(CarrierError) as refused:
            await here.dial(target("sip:bob@127.0.0.2;secure=true"), not_ringing)
        assert refused.value.code == 503
