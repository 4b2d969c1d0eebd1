"""Inputs that are nearly right, for hypothesis: seeds with something done to them, and made ones.

Coverage-guided fuzzing finds its way byte by byte; these get past the first checks at once.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

CORPUS = Path(__file__).parent / "corpus"


def words(text: str) -> list[str]:
    return text.split()


WORDS = [
    *(b"\r\n", b"\r\n ", b"\r\n\r\n", b"\n", b"\r", b"\0", b"\\", b'"', b"<", b">", b",", b";"),
    *(b";;", b"=", b":", b"@", b"%", b"%00", b"%0d%0a", b"?", b"&", b"*", b"[", b"]", b"[::1]"),
    *(b"-1", b"0", b"00000000001", b"255", b"65536", b"2147483648", b"9" * 5000, b"0x1", b"1e9"),
    *(b"\xff", b"\xc3\x28", "\u0663".encode(), "\u2028".encode(), b"\x1f", b"\xc2\xa0", b"\t"),
    *(b"SIP/2.0", b"z9hG4bK", b";tag=", b";tag", b";lr", b";maddr=h", b";received=x", b";rport"),
    *(b"sip:", b"sips:", b"tel:", b"mailto:a", b"INVITE", b"ACK", b"CANCEL", b"BYE", b"PRACK"),
    *(b"UPDATE", b"REFER", b"NOTIFY", b"REGISTER", b"SUBSCRIBE", b"100rel", b"timer", b"replaces"),
    *(b"Digest ", b"nonce=", b"qop=auth-int", b"algorithm=MD5-sess", b"stale=true", b"uac", b"uas"),
    *(b"\n--\n", b"m=audio 1 RTP/AVP 0\n", b"c=IN IP6 ::1\n", b"a=crypto:1 ", b"a=rtpmap:0 X/0\n"),
    *(b"<Say>", b"</Say>", b"<![CDATA[", b"]]>", b"<!--", b"<?x?>", b"&#0;", b"&#x10ffff;"),
]  # fmt: skip
NAMES = words(
    """Via v From f To t Call-ID i CSeq Contact m Max-Forwards Content-Length l Content-Type c Route
    Record-Route Require Supported k Allow Accept Authorization WWW-Authenticate RAck RSeq Reason
    Session-Expires x Min-SE Refer-To r Replaces Event o Subscription-State Expires Path Subject"""
)
VALUES = [
    *("SIP/2.0/UDP h;branch=z9hG4bK1", "<sip:a@h>;tag=1", '"A, B" <sip:a@h;lr>', "1 INVITE", "0"),
    *("sip:a@h;x=y", "*", "1800;refresher=uas", "100rel", "application/sdp", "refer;id=1", ""),
    *("talk", "<sip:h;lr>, <sip:g>", 'Digest realm="r", nonce="n"', "talk;to-tag=1;from-tag=2"),
]  # fmt: skip


def edited(target: str) -> SearchStrategy[bytes]:
    """A seed of this target with a few places changed."""
    seeds = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    change = st.tuples(
        st.floats(0, 1), st.integers(0, 12), st.sampled_from(WORDS) | st.binary(max_size=6)
    )

    def apply(seed: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, cut, word in changes:
            at = int(where * len(seed))
            seed = seed[:at] + word + seed[at + cut :]
        return seed

    return st.builds(apply, st.sampled_from(seeds), st.lists(change, min_size=1, max_size=5))


def messages() -> SearchStrategy[bytes]:
    """Lines that are fields, in any order and number, and what follows them."""
    piece = st.sampled_from(WORDS).map(lambda word: word[:40].decode("utf-8", "surrogateescape"))
    value = st.lists(st.sampled_from(VALUES) | piece, max_size=3).map("".join)
    field = st.tuples(st.sampled_from(NAMES), value).map(": ".join)
    line = st.sampled_from(
        [
            "INVITE sip:a@h SIP/2.0",
            "BYE sip:a@h SIP/2.0",
            "SIP/2.0 200 OK",
            "REGISTER sip:h SIP/2.0",
        ]
    )
    whole = st.tuples(line, st.lists(field, min_size=3, max_size=14), st.binary(max_size=20))

    def written(parts: tuple[str, list[str], bytes]) -> bytes:
        line, fields, body = parts
        first = ["Via: SIP/2.0/UDP h;branch=z9hG4bK1", "Call-ID: talk"]
        text = "\r\n".join([line, *first, *fields, "", ""])
        return text.encode("utf-8", "surrogateescape") + body

    return st.lists(whole.map(written), min_size=1, max_size=4).map(b"\n--\n".join)


def documents() -> SearchStrategy[bytes]:
    """Elements that are known, and not, one in the other as they never should be."""
    name = st.sampled_from(
        words(
            """Response Say Play Gather Dial Number Sip Client Record Redirect Pause Reject Hangup
            Sms Message Body Media Enqueue Leave Refer prosody break Nobody say"""
        )
    )
    value = st.text(max_size=8) | st.sampled_from(
        ["-1", "true", "1.5", "9" * 30, "http://h/", "w1#"]
    )
    key = st.sampled_from(
        words(
            """action method timeout numDigits loop voice language length to url name input x
            maxLength statusCallback finishOnKey playBeep xml:lang"""
        )
    )
    text = st.text(max_size=12)

    def element(inside: SearchStrategy[str]) -> SearchStrategy[str]:
        parts = st.tuples(
            name, st.dictionaries(key, value, max_size=3), st.lists(inside, max_size=4)
        )
        return parts.map(lambda part: _element(*part))

    tree = st.recursive(text.map(_escaped), element, max_leaves=12)
    return tree.map(
        lambda inside: f"<Response>{inside}</Response>".encode("utf-8", "surrogatepass")
    )


def _element(name: str, attributes: dict[str, str], parts: list[str]) -> str:
    shown = "".join(f' {key}="{_escaped(value)}"' for key, value in attributes.items())
    return f"<{name}{shown}>{''.join(parts)}</{name}>"


def _escaped(text: str) -> str:
    for character, name in (("&", "amp"), ("<", "lt"), ('"', "quot")):
        text = text.replace(character, f"&{name};")
    return text


COMPOSED = {
    "message": messages(),
    "endpoint": messages(),
    "calling": messages(),
    "answered": messages(),
    "carrier": messages(),
    "twiml": documents(),
}


def shaped(target: str) -> SearchStrategy[bytes]:
    composed = COMPOSED.get(target)
    return edited(target) if composed is None else edited(target) | composed
