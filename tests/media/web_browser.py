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
    """Sans IO. `server`: it is called, and waits for the other side to begin the handshake."""

    def __init__(
        self,
        user: str,
        password: str,
        own: Identity = THEIRS,
        profiles: bytes = b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM",
        server: bool = False,
    ) -> None:
        self.user, self.password = user, password
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(x509.load_pem_x509_certificate(own.certificate))
        context.use_privatekey(load_pem_private_key(own.key, None))  # type: ignore[arg-type]
        context.set_tlsext_use_srtp(profiles)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.server = server
        self.dtls = SSL.Connection(context, None)
        self.dtls.set_accept_state() if server else self.dtls.set_connect_state()
        self.dtls.set_ciphertext_mtu(1200)
        self.seals: Session | None = None
        self.opens: Session | None = None
        self.refused = False
        self.checks = 0

    def check(self, nominate: bool = True, password: str = "") -> bytes:
        """A binding request as a controlling agent makes it."""
        self.checks += 1
        transaction = self.checks.to_bytes(12)
        more = [(stun.PRIORITY, b"\x6e\x7f\x1e\xff"), (stun.CONTROLLING, bytes(8))]
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
