"""Who we are, and whom we believe, on TLS and WSS connections."""

from __future__ import annotations

import ssl
from asyncio import sslproto
from pathlib import Path

import structlog

from offhook.frozen import frozen

log = structlog.get_logger("offhook.sip")

Place = tuple[str, int]

# Bytes that asyncio sets aside for each TLS connection, as many as a record has. Its own 256 KiB
# are most of what a phone costs, and strangers whose handshakes fail leave them to the collector.
sslproto.SSLProtocol.max_size = 16_384


@frozen
class Listeners:
    """Where SIP listens besides UDP and TCP, as host and port; None: not at all.

    `certificate` and `key` are PEM files, needed for `tls` and `wss`; they are read again when
    they change. Without `verify` any certificate of servers that we call is taken; `authorities`
    is a PEM file of those believed in place of the system's.
    """

    tls: Place | None = None
    ws: Place | None = None
    wss: Place | None = None
    certificate: Path | None = None
    key: Path | None = None
    verify: bool = True
    authorities: Path | None = None

    @property
    def wanted(self) -> tuple[tuple[str, Place], ...]:
        """The transports, and where."""
        places = (("TLS", self.tls), ("WS", self.ws), ("WSS", self.wss))
        return tuple((transport, place) for transport, place in places if place)

    def trusting(self) -> ssl.SSLContext:
        """For the connections that we make. Raises OSError and ssl.SSLError."""
        context = ssl.create_default_context(cafile=self.authorities)
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def presenting(self) -> ssl.SSLContext:
        """For the connections that we take. Raises OSError and ssl.SSLError."""
        if self.certificate is None:
            raise ssl.SSLError("TLS needs a certificate")
        return Presented(self.certificate, self.key or self.certificate).context


NOWHERE = Listeners()


class CannotListen(OSError):
    """One of the places of `Listeners` cannot be had."""

    def __init__(self, transport: str, place: Place, why: OSError) -> None:
        super().__init__(why.errno, why.strerror)
        self.transport, self.place = transport, place


class Presented:
    """A certificate that follows its files: who connects after a change gets the new one."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = (certificate, key)
        self._seen = self._state()
        self._current = self._read()
        self.context = self._read()
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
        """Called in every handshake, whether the other side names a server or not."""
        try:
            if (state := self._state()) != self._seen:
                self._current, self._seen = self._read(), state
        except (OSError, ssl.SSLError) as error:  # half written: the next handshake looks again
            log.warning("the SIP certificate cannot be read", error=str(error))
        connection.context = self._current

    def _state(self) -> list[tuple[int, int]]:
        stats = [file.stat() for file in self._files]
        return [(stat.st_mtime_ns, stat.st_size) for stat in stats]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._files, password="")  # nobody is there to be asked
        return context
