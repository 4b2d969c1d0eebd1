"""A browser's side of a leg: its checks, its handshake, its keys."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from offhook.media import stun
from offhook.media.dtls import LABEL, PROFILES, identity
from offhook.media.orders import Identity
from offhook.media.rtp import Address
from offhook.media.secure import PROFILES as SRTP

NOW = datetime.now(UTC)
OURS, THEIRS = identity(NOW), identity(NOW)


class Browser:
    """Sans IO. `server`: it is called, and waits for the other side to begin the handshake.

    One that knows us from `before` would rather go on with that session.
    """

    def __init__(
        self,
        user: str,
        password: str,
        own: Identity | None = THEIRS,
        profiles: bytes = b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM",
        server: bool = False,
        before: Browser | None = None,
    ) -> None:
        self.user, self.password = user, password
        context = SSL.Context(SSL.DTLS_METHOD)
        if own:
            context.use_certificate(x509.load_pem_x509_certificate(own.certificate))
            context.use_privatekey(load_pem_private_key(own.key, None))  # type: ignore[arg-type]
        context.set_tlsext_use_srtp(profiles)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.server = server
        self.dtls = SSL.Connection(before.dtls.get_context() if before else context, None)
        if before and (session := before.dtls.get_session()):
            self.dtls.set_session(session)
        self.dtls.set_accept_state() if server else self.dtls.set_connect_state()
        self.dtls.set_ciphertext_mtu(1200)
        self.seals: Session | None = None
        self.opens: Session | None = None
        self.refused = False
        self.checks = 0

    def check(
        self, nominate: bool = True, password: str = "", role: int = stun.CONTROLLING
    ) -> bytes:
        """A binding request as a controlling agent makes it."""
        self.checks += 1
        transaction = self.checks.to_bytes(12)
        more = [(stun.PRIORITY, b"\x6e\x7f\x1e\xff"), (role, bytes(8))]
        more += [(stun.USE_CANDIDATE, b"")] if nominate else []
        return stun.ask(transaction, f"{self.user}:far", password or self.password, *more)

    def shake(self) -> list[bytes]:
        """One step of the handshake, with what has come."""
        try:
            self.dtls.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error:
            self.refused = True
        else:
            self._agree()
        return self._flight()

    def receive(self, data: bytes) -> list[bytes]:
        """What it sends in answer."""
        if 20 <= data[0] < 64:
            self.dtls.bio_write(data)
            return self.shake() if self.seals is None else []
        return []

    def _agree(self) -> None:
        name, key, salt = PROFILES[self.dtls.get_selected_srtp_profile()]
        made = self.dtls.export_keying_material(LABEL, 2 * (key + salt))
        client, server = made[:key], made[key : 2 * key]
        salts = made[2 * key :]
        profile = SRTP[name]
        both = [client + salts[:salt], server + salts[salt:]]
        ours, theirs = reversed(both) if self.server else both
        self.seals = Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, 0, profile))
        self.opens = Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, 0, profile))

    def _flight(self) -> list[bytes]:
        """Each record a datagram of its own."""
        try:
            records = self.dtls.bio_read(65536)
        except SSL.WantReadError:
            return []
        out, at = [], 0
        while at < len(records):
            end = at + 13 + int.from_bytes(records[at + 11 : at + 13])
            out.append(records[at:end])
            at = end
        return out


def mapped(data: bytes) -> Address:
    """The address that an answer to a check tells."""
    request = data[20:]
    at = 0
    while at < len(request):
        name, size = int.from_bytes(request[at : at + 2]), int.from_bytes(request[at + 2 : at + 4])
        if name == stun.XOR_MAPPED_ADDRESS:
            value = request[at + 4 : at + 4 + size]
            port = int.from_bytes(value[2:4]) ^ 0x2112
            host = int.from_bytes(value[4:8]) ^ stun.COOKIE
            return ".".join(str(byte) for byte in host.to_bytes(4)), port
        at += 4 + size + -size % 4
    raise AssertionError("no address")


def described(
    user: str,
    password: str,
    fingerprint: str,
    *,
    setup: str = "actpass",
    direction: str = "sendrecv",
    codecs: str = "111 63 9 0 8 13 110 126",
) -> str:
    """What Chromium says of a microphone, before it knows where it is."""
    return f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS stream
m=audio 9 UDP/TLS/RTP/SAVPF {codecs}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:2113937151 1 udp 2113937151 2f7a8e9c-11d2.local 51210 typ host generation 0
a=candidate:842163049 1 udp 1677729535 203.0.113.9 51210 typ srflx raddr 0.0.0.0 rport 0
a=end-of-candidates
a=ice-ufrag:{user}
a=ice-pwd:{password}
a=ice-options:trickle
a=fingerprint:{fingerprint}
a=setup:{setup}
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a={direction}
a=msid:stream track
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3735928559 cname:x
"""
