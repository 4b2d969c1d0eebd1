"""Session descriptions, offered and answered.  RFC 4566, RFC 3264, RFC 4733 for the keys.

We speak PCMU, PCMA, G.722, Opus and telephone-event over RTP/AVP, over RTP/SAVP with keys of
RFC 4568, and as browsers do; whatever else a description offers is read past, and refused in the
answer by port 0. Feedback (an F at the end of the profile) is agreed to and not given.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace
from functools import lru_cache
from typing import Literal

from offhook.frozen import frozen
from offhook.sip import crypto, ice
from offhook.sip.crypto import Crypto
from offhook.sip.sdp_lines import BadSdp
from offhook.sip.sdp_media import MUX, NOISE, REVERSED, Direction, Media, parse

__all__ = ["BadSdp", "Media", "parse"]  # besides what is here

Codec = Literal["PCMU", "PCMA", "G722", "opus"]
NAMES: dict[Codec, str] = {
    "PCMU": "PCMU/8000", "PCMA": "PCMA/8000", "G722": "G722/8000", "opus": "opus/48000/2",
}  # fmt: skip
CODECS = {name.upper(): codec for codec, name in NAMES.items()}
PLAIN = ("PCMU", "PCMA")  # what we are made of inside: nothing is gained by the others
OUR_TYPES: dict[Codec, int] = {"PCMU": 0, "PCMA": 8, "G722": 9, "opus": 111}
OUR_KEYS_TYPES = {8000: 101, 48000: 110}
KEYS = {8000: "TELEPHONE-EVENT/8000", 48000: "TELEPHONE-EVENT/48000"}
OPUS = "maxplaybackrate=8000;sprop-maxcapturerate=8000;stereo=0"  # RFC 7587 section 6.1
FRAME_MS, LONGEST_MS = 20, 120  # of a packet that we send, and that we understand
WEB, ICE_LITE, SHARED = "UDP/TLS/RTP/SAVPF", "a=ice-lite", f"a={MUX}"
MID = "0"  # of the one section that we offer to browsers


@frozen
class Ours:
    """Our side: where we listen, and the o= line's identity. `version` grows with each change.

    `secret` is what our keys are made of; with `secured` we offer nothing in the clear, and if
    `strict`, we agree to nothing in the clear either. With `web` we offer what browsers take:
    `fingerprint` is that of our certificate, `nearby` where we can be reached beside `host`,
    `active` that the handshake was ours to begin. Later offers keep to the sections that there
    were: those `refused`, and ours at its `place` by its name `mid`. `sealed` is the key of ours
    that was agreed on, if any.
    """

    host: str
    port: int
    id: int
    version: int = 1
    secret: bytes = field(default=b"", repr=False)
    secured: bool = False
    strict: bool = False
    web: bool = False
    fingerprint: str = ""
    nearby: tuple[str, ...] = ()
    restarts: int = 0
    active: bool = False
    refused: tuple[Media, ...] = ()
    place: int = 0
    mid: str = ""
    sealed: tuple[Crypto, ...] = ()

    @property
    def side(self) -> ice.Side:
        return ice.ours(self.secret, self.fingerprint, self.restarts)


@frozen
class Agreed:
    """What both sides said yes to. `send` and `receive` are ours; `nowhere` is the old hold.

    `keys` are ours and theirs, of one suite, where the sound is sealed; `web` are ours and theirs
    where a browser is at the other end. `mux`: reports share the port; else they go to `reports`,
    if that is said. `host` may be a name. `others` are more payload types under which they may
    send: pairs with a codec, or "keys".
    """

    host: str
    port: int
    codec: Codec
    payload_type: int
    keys_type: int | None
    send: bool
    receive: bool
    nowhere: bool = False
    noise_type: int | None = None
    keys_clock: int = 8000  # Hz, of the durations of keys
    keys: tuple[Crypto, Crypto] | None = None
    web: tuple[ice.Side, ice.Side] | None = None
    mux: bool = False
    reports: tuple[str, int] | None = None
    others: tuple[tuple[int, str], ...] = ()


def speakable(offered: list[Media], *, strict: bool = False) -> bool:
    """Whether an answer could take any of these; `strict` as in Ours."""
    return bool(_able(offered, strict))


def _able(offered: list[Media], strict: bool) -> list[Media]:
    """Sealed ones before others."""
    able = [media for media in offered if _speaks(media) and (not strict or media.sealable)]
    return sorted(able, key=lambda media: not media.secured)


def offer(ours: Ours) -> bytes:
    """Everything we can do, in our order; for browsers, sealed, or not, as `ours` says."""
    types = [*OUR_TYPES.values(), *OUR_KEYS_TYPES.values()]
    maps = [line for codec, number in OUR_TYPES.items() for line in _mapped(codec, number)]
    for clock, number in OUR_KEYS_TYPES.items():
        maps += _keys_mapped(number, clock)
    protocol = WEB if ours.web else "RTP/SAVP" if ours.secured else "RTP/AVP"
    mid = ours.mid or (MID if ours.web else "")
    if mid:
        maps.append(f"a=mid:{mid}")
    if ours.web:
        maps += _web(ours, ours.side)
    elif ours.secured:
        maps += map(str, crypto.offered(ours.secret))
    sections = [_refused(media) for media in ours.refused]
    sections.insert(ours.place, _section(ours, types, maps, "sendrecv", protocol))
    return _described(ours, sections, [ICE_LITE, _group(mid)] if ours.web else [])


def keeping(ours: Ours, offered: list[Media]) -> Ours:
    """Ours, once these were answered: as many sections will be offered from then on, and in that
    order (RFC 3264 section 8)."""
    chosen = _able(offered, ours.strict)[0]
    refused = tuple(media for media in offered if media is not chosen)
    place = next(n for n, media in enumerate(offered) if media is chosen)
    if (refused, place, chosen.mid) == (ours.refused, ours.place, ours.mid):
        return ours
    return replace(ours, refused=refused, place=place, mid=chosen.mid)


def answer(offered: list[Media], ours: Ours) -> tuple[bytes, Agreed]:
    """The answer to an offer, and what it agrees on. Raises BadSdp when we share nothing.

    The first audio section that we can speak is taken, a sealed one before others, with the
    offerer's preferred codec, G.711 before others; every other section is refused (RFC 3264
    section 6).
    """
    able = _able(offered, ours.strict)
    if not able:
        raise BadSdp("no common codec")
    chosen = able[0]
    direction = REVERSED[chosen.direction]
    if chosen.held and direction == "sendrecv":
        direction = "recvonly"
    sealed, web = None, None
    if chosen.web:
        web = (ice.reply(ours.side, chosen.web, ours.active), chosen.web)
    elif chosen.cryptos and ours.secret:
        theirs = chosen.cryptos[0]
        sealed = (crypto.ours(theirs.tag, theirs.suite, ours.secret), theirs)
    agreed = _agreed(chosen, direction, sealed, web)
    taken = _taken(ours, chosen, agreed, direction)
    sections = [taken if media is chosen else _refused(media) for media in offered]
    general = [ICE_LITE] if web else []
    if chosen.bundled:
        general.append(_group(chosen.mid))
    return _described(ours, sections, general), agreed


def _taken(ours: Ours, chosen: Media, agreed: Agreed, direction: Direction) -> list[str]:
    """The section of our answer that is not refused."""
    types = [agreed.payload_type]
    maps = _mapped(agreed.codec, agreed.payload_type)
    if agreed.keys_type is not None:
        types.append(agreed.keys_type)
        maps += _keys_mapped(agreed.keys_type, agreed.keys_clock)
    if agreed.noise_type is not None:
        types.append(agreed.noise_type)
        maps.append(f"a=rtpmap:{agreed.noise_type} {NOISE}")
    if agreed.web:
        maps += _web(ours, agreed.web[0])
    elif agreed.keys:
        maps.append(str(agreed.keys[0]))
    if chosen.mux and not agreed.web:
        maps.append(SHARED)
    if chosen.mid:
        maps.append(f"a=mid:{chosen.mid}")
    return _section(ours, types, maps, direction, chosen.protocol)


def accepted(answered: list[Media], ours: Ours) -> Agreed:
    """What the answer to our offer agrees on. Raises BadSdp when it refuses the sound, or would
    have it in the clear where we did not offer that."""
    if len(answered) <= ours.place or not _speaks(answered[ours.place]):
        raise BadSdp("no common codec")
    media = answered[ours.place]
    undecided = media.web is not None and media.web.setup == "actpass"
    if media.secured != (ours.secured or ours.web) or (ours.web and not media.web) or undecided:
        raise BadSdp("not the protocol that was offered")
    sealed, web = None, (ours.side, media.web) if ours.web and media.web else None
    if ours.secured and not web:
        said = (*crypto.offered(ours.secret), *ours.sealed)  # that of an answer may be said again
        mine = {(one.tag, one.suite): one for one in said}
        theirs = next(iter(media.cryptos), None)  # none where they took us for a browser
        if theirs is None or (theirs.tag, theirs.suite) not in mine:
            raise BadSdp("not a crypto that was offered")
        sealed = (mine[theirs.tag, theirs.suite], theirs)
    agreed = _agreed(media, REVERSED[media.direction], sealed, web)
    return replace(agreed, others=_others(media, agreed))


def agreeing(ours: Ours, agreed: Agreed) -> Ours:
    """Ours, for the offers and answers that come after this."""
    sealed = agreed.keys[:1] if agreed.keys else ()
    secured, web = agreed.keys is not None, agreed.web is not None
    active = agreed.web is not None and ice.begins(*agreed.web)
    if (secured, sealed, web, active) == (ours.secured, ours.sealed, ours.web, ours.active):
        return ours
    return replace(ours, secured=secured, sealed=sealed, web=web, active=active)


def _others(media: Media, agreed: Agreed) -> tuple[tuple[int, str], ...]:
    """All that was offered and taken may come (RFC 3264 section 7): under our numbers, or, as some
    do it, under those of the answer."""
    ours: dict[int, str] = {}
    theirs: dict[int, str] = {}
    for number, name in media.codecs.items():
        if codec := CODECS.get(name):
            ours[OUR_TYPES[codec]] = theirs[number] = codec
        elif name in KEYS.values():
            ours[OUR_KEYS_TYPES[_clock(name)]] = theirs[number] = "keys"
    main = (agreed.payload_type, agreed.keys_type)
    return tuple(each for each in (theirs | ours).items() if each[0] not in main)


def _agreed(
    media: Media,
    direction: Direction,
    keys: tuple[Crypto, Crypto] | None,
    web: tuple[ice.Side, ice.Side] | None,
) -> Agreed:
    types = _types(tuple(media.codecs.items()))
    return Agreed(
        host=media.host,
        port=media.port,
        codec=types.codec,
        payload_type=types.sound,
        keys_type=types.keys,
        keys_clock=types.keys_clock,
        send=direction in ("sendrecv", "sendonly") and not media.held,
        receive=direction in ("sendrecv", "recvonly"),
        nowhere=media.held,
        noise_type=types.noise,
        keys=keys,
        web=web,
        mux=media.mux,
        reports=media.reports,
    )


def _speaks(media: Media) -> bool:
    match media.profile:
        case "RTP/AVP":
            ours = True
        case "RTP/SAVP":
            ours = bool(media.cryptos or media.web)
        case _:
            ours = media.web is not None
    live = media.kind == "audio" and media.port > 0 and ours
    return live and not CODECS.keys().isdisjoint(media.codecs.values())


@frozen
class _Types:
    """The payload types that we take of an offer: the preferred codec's; that of telephone events,
    by preference of the codec's clock (RFC 4733 2.1); and that of comfort noise, which we send
    nowhere."""

    sound: int
    codec: Codec
    keys: int | None
    keys_clock: int
    noise: int | None


@lru_cache(maxsize=256)
def _types(codecs: tuple[tuple[int, str], ...]) -> _Types:
    able = [(number, name) for number, name in codecs if name in CODECS]
    sound, name = next((each for each in able if CODECS[each[1]] in PLAIN), able[0])
    clock = _clock(name)
    events = {number: _clock(name) for number, name in codecs if name in KEYS.values()}
    fitting = (number for number, of in events.items() if of == clock)
    keys = next(fitting, next(iter(events), None))
    noise = next((number for number, name in codecs if name == NOISE), None)
    return _Types(
        sound, CODECS[name], keys, 8000 if keys is None else events[keys],
        noise if clock == 8000 else None,
    )  # fmt: skip


def _clock(name: str) -> int:
    return int(name.split("/")[1])


def _mapped(codec: Codec, number: int) -> list[str]:
    lines = [f"a=rtpmap:{number} {NAMES[codec]}"]
    return [*lines, f"a=fmtp:{number} {OPUS}"] if codec == "opus" else lines


def _keys_mapped(number: int, clock: int) -> list[str]:
    return [f"a=rtpmap:{number} telephone-event/{clock}", f"a=fmtp:{number} 0-15"]


def _section(
    ours: Ours,
    types: list[int],
    maps: list[str],
    direction: Direction,
    protocol: str,
) -> list[str]:
    lines = [f"m=audio {ours.port} {protocol} {' '.join(map(str, types))}", *maps]
    return [*lines, f"a=ptime:{FRAME_MS}", f"a=maxptime:{LONGEST_MS}", f"a={direction}"]


def _web(ours: Ours, side: ice.Side) -> list[str]:
    return [SHARED, *ice.lines(side, (ours.host, *ours.nearby), ours.port)]


def _group(mid: str) -> str:
    return f"a=group:BUNDLE {mid}"


def _refused(media: Media) -> list[str]:
    line = f"m={media.kind} 0 {media.protocol} {' '.join(media.formats) or '0'}"
    return [line, f"a=mid:{media.mid}"] if media.mid else [line]


def _described(ours: Ours, sections: list[list[str]], general: Iterable[str] = ()) -> bytes:
    family = "IP6" if ":" in ours.host else "IP4"
    lines = [
        "v=0",
        f"o=- {ours.id} {ours.version} IN {family} {ours.host}",
        "s=-",
        f"c=IN {family} {ours.host}",
        "t=0 0",
        *general,
    ]
    for section in sections:
        lines += section
    return "\r\n".join([*lines, ""]).encode()
