"""What strangers' bytes reach, each with what must hold for any bytes whatever.

A target takes one input and raises where something does not hold; the exceptions that a parser
declares are caught here, every other is a finding.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from random import Random

from offhook.errors import DocumentError
from offhook.media import rtcp, rtp, stun
from offhook.media.clip import FRAME
from offhook.media.engine import Engine
from offhook.media.orders import Remote, Srtp
from offhook.sip import digest, grammar, interval, sdp
from offhook.sip.grammar import BadSip
from offhook.sip.hop import hop_of, is_ip
from offhook.sip.message import Request, Response, answerable, fault, parse, respond
from offhook.sip.stream import Stream
from offhook.sip.uri import Address, parse_address, parse_uri
from offhook.sip.via import parse_via
from offhook.twiml import document

LOGIN = b"$LOGIN"  # stands for a right answer to the challenge
SDP_SECRET = bytes(range(60))
FAR: rtp.Address = ("192.0.2.7", 4000)
STRANGER: rtp.Address = ("192.0.2.66", 4000)


def message(data: bytes) -> None:
    """What was read is written so that it reads the same, and a refusal of it can be sent."""
    try:
        read = parse(data)
    except BadSip:
        return
    if fault(read) is None:
        again = parse(read.encode())
        assert fault(again) is None
        assert (again.body, _but_length(again)) == (read.body, _but_length(read))
        assert parse(again.encode()) == again
    if isinstance(read, Request) and answerable(read):
        with suppress(BadSip):
            assert isinstance(parse(respond(read, 400, tag="t").encode()), Response)
        if fault(read) is None:
            _look_into(read)


def _but_length(read: Request | Response) -> list[tuple[str, str]]:
    """Its fields, without the one that is written anew."""
    return [each for each in read.fields if each[0].lower() not in ("content-length", "l")]


def _look_into(read: Request) -> None:
    for name in ("route", "record-route", "contact", "path"):
        with suppress(BadSip):
            for one in read.all(name):
                hop_of(parse_address(one).parsed)
    read.tags("require")
    interval.expires(read)
    interval.too_short(read, interval.Interval())


def uri(data: bytes) -> None:
    """A URI is written as one that means the same, on one line; so is an address."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(BadSip):
        read = parse_uri(text)
        assert parse_uri(str(read)) == read
        assert str(parse_uri(str(read.bare()))) == str(read.bare())
        Request((), b"", "INVITE", str(read)).encode()
        assert 0 <= hop_of(read).port < 65536
        if is_ip(host := hop_of(read).host):
            _known_to_sockets(host, 5060)
    with suppress(BadSip):
        address = parse_address(text)
        written = str(Address(address.uri, address.display, address.params))
        assert parse_address(written).uri == address.uri
        assert parse_address(written).display == address.display


def header(data: bytes) -> None:
    """Lists and parameters come apart and together again."""
    text = data.decode("utf-8", "surrogateescape")
    with suppress(BadSip):
        elements = grammar.split_list(text)
        assert grammar.split_list(", ".join(elements)) == elements
    with suppress(BadSip):
        params = grammar.split_params(text)
        assert grammar.split_params(grammar.join_params(params)) == params
    assert grammar.unquoted(grammar.quoted(text)) == text
    with suppress(BadSip):
        assert 0 <= (parse_via(text).port or 0) < 65536
    pretended = Request((("Session-Expires", text), ("Min-SE", text), ("Require", text)))
    interval.expires(pretended)
    interval.least(pretended)
    assert all(grammar.TOKEN.fullmatch(tag) for tag in pretended.tags("require"))


def challenge(data: bytes) -> None:
    """Nobody gets in by chance, and whatever we are asked is answered on one line or not at all."""
    server = digest.Server("r", b"k", lambda: "ab" * 16)
    client = digest.Client(digest.Credentials("ann", "secret"), lambda: "cd" * 16)
    login = (client.answer(server.challenges(0), "REGISTER", "sip:h") or "").encode()
    text = data.replace(LOGIN, login).decode("utf-8", "surrogateescape")
    digest.parse(text)
    for right in (LOGIN in data, False):  # who may, once; nobody else, and not by the same again
        verdict, _ = server.check([text], "REGISTER", "sip:h", b"", {"ann": "secret"}, 0)
        assert right or verdict != "right"
    answer = client.answer([text], "REGISTER", "sip:h")
    if answer is not None and not set("\r\n\0") & set(text):
        assert digest.parse(answer)["username"] == "ann"
        Request((("Authorization", answer),), b"", "REGISTER", "sip:h").encode()


def description(data: bytes) -> None:
    """What we can speak is answered by something that we would accept as an answer."""
    try:
        offered = sdp.parse(data)
    except sdp.BadSdp:
        return
    ours = sdp.Ours("192.0.2.1", 4000, 1, secret=SDP_SECRET, fingerprint="sha-256 AB:CD")
    if not sdp.speakable(offered):
        return
    body, agreed = sdp.answer(offered, ours)
    assert len(sdp.parse(body)) == len(offered)
    assert 0 < agreed.port < 65536
    for host, port in filter(None, ((agreed.host, agreed.port), agreed.reports)):
        if is_ip(host):
            _known_to_sockets(host, port)
    later = sdp.offer(sdp.keeping(ours, offered))
    assert len(sdp.parse(later)) == len(offered)
    for more in ({}, {"secured": True}, {"web": True}):
        with suppress(sdp.BadSdp):
            sdp.accepted(offered, replace(ours, **more))


def _known_to_sockets(host: str, port: int) -> None:
    """Sockets take an address, or say by an OSError that they cannot; nothing is sent."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.connect((host, port))


def stream(data: bytes) -> None:
    """However it is cut, the same messages come out of it."""
    whole, broken = _streamed([data])
    cuts = [data[at : at + 7] for at in range(0, min(len(data), 700), 7)]
    assert (whole, broken) == _streamed([*cuts, data[700:]])
    for one in whole:
        message(one)


def _streamed(pieces: list[bytes]) -> tuple[list[bytes], bool]:
    found, reader = list[bytes](), Stream()
    try:
        for piece in pieces:
            found.extend(reader.feed(piece))
    except BadSip:
        return found, True
    return found, False


OTHERS = ((8, "PCMA"), (9, "G722"), (111, "opus"), (110, "keys"))
REMOTES = (
    Remote(*FAR, "PCMU", 0, 101, noise_payload_type=13, others=OTHERS),
    Remote(*FAR, "G722", 9, 101),
    Remote(*FAR, "opus", 111, 110),
    Remote(*FAR, "PCMA", 8, 101, srtp=Srtp("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes(30))),
)


_engines: list[Engine] = []


@contextmanager
def connected(remote: Remote) -> Iterator[tuple[Engine, int, int]]:
    """An engine with one leg, its slot, and which tick was last: opened once, since nothing may be
    left between inputs."""
    if not _engines:
        _engines.append(Engine(Random(1), capacity=8))
    engine = _engines[0]
    slot = engine.open_rtp(1)
    engine.connect(1, remote)
    try:
        yield engine, slot, round(engine.now / FRAME)
        engine.close(1)
        assert engine.due() is None
    except BaseException:  # what it left behind is not to fail the next one
        _engines.clear()
        raise


def sound(data: bytes) -> None:
    """The first byte says what was agreed, and whether each second packet is a stranger's; then
    packets, each with its length before it."""
    if not data:
        return
    assert rtp.read(data) is None or len(data) >= rtp.HEADER
    with connected(REMOTES[data[0] % len(REMOTES)]) as (engine, slot, tick):
        engine.tap(1, True)
        at, last = 1, tick + 20
        sources = itertools.cycle((FAR, STRANGER if data[0] & 0x80 else FAR))
        while at < len(data) and tick < last:
            tick += 1
            arrived = []
            for _ in range(1 + data[at] % 3):
                size = data[at]
                one = data[at + 1 : at + 1 + size]
                arrived.append((slot, one, next(sources), tick * FRAME - 0.001))
                at += 1 + size
                if at >= len(data):
                    break
            _heard(engine, arrived, tick)
        for more in range(5):
            _heard(engine, [], tick + more + 1)


def _heard(engine: Engine, arrived: list[rtp.Arrived], tick: int) -> None:
    output = engine.process(rtp.batches(arrived), tick * FRAME)
    for event in output.events:
        assert event.kind != "heard" or len(event.value) == 320  # type: ignore[arg-type]


def report(data: bytes) -> None:
    """A report is told or not; its numbers are those of its fields."""
    read = rtcp.read(data)
    if read:
        assert len(read.receptions) <= 31
        assert all(0 <= one.fraction_lost < 256 for one in read.receptions)
    with connected(REMOTES[0]) as (engine, slot, tick):
        _heard(engine, [], tick + 1)
        engine.report(slot, data)
        _heard(engine, [], tick + 2)


def binding(data: bytes) -> None:
    """Nobody is answered but who knows us, or only asks where we see him, and what is answered is
    well formed, and to the latter no more than he sent and an address."""
    _bound(data)
    if len(data) >= 2:  # whatever one attribute says that was signed by somebody who may
        more = (int.from_bytes(data[:2]), data[2:400])
        _bound(stun.ask(b"transaction!", "us:them", "secret", more))


def _bound(data: bytes) -> None:
    request = stun.read(data)
    if request is None:
        return
    for source in (FAR, ("2001:db8::1", 9, 0, 0)):
        replies = [stun.reflect(request, source)]
        assert len(replies[0]) <= len(data) + 40
        if request.by("us", "secret"):
            replies.append(stun.answer(request, "secret", source)[0])
        for reply in replies:
            assert len(reply) % 4 == 0
            assert reply[8:20] == data[8:20]


def twiml(data: bytes) -> None:
    """The application is told where it is wrong, in so many words and no more."""
    for channel in ("voice", "messaging"):
        with suppress(DocumentError):
            _read_twiml(data, channel)


def _read_twiml(data: bytes, channel: str) -> None:
    read = document.parse(data, "", channel)  # type: ignore[call-overload]
    assert len(read.problems) <= document.MOST_PROBLEMS
    assert all(each.line >= 1 and each.column >= 1 for each in read.problems)


Target = Callable[[bytes], None]
PARSERS: dict[str, Target] = {
    "message": message,
    "uri": uri,
    "header": header,
    "challenge": challenge,
    "description": description,
    "stream": stream,
    "sound": sound,
    "report": report,
    "binding": binding,
    "twiml": twiml,
}
