"""The sound of a SIP call: what is offered and agreed on, and the RTP leg that follows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from offhook.media.orders import Identity, Srtp, Web
from offhook.media.plane import Remote, RtpLeg
from offhook.sip import ice, sdp
from offhook.sip.hop import is_ip

# Tells where a name is, for whoever speaks from an address, if that can be found out.
Find = Callable[[str, str, Callable[[str], None]], None]
Offers = Literal["clear", "sealed", "web"]  # when we are the first to offer; `web` is for browsers


def _nobody(why: str) -> None:
    """Is told of sound that nobody listens to any more."""


class Sound:
    """Our side of the description, and the RTP leg that follows what is agreed.

    A description may say a name in place of an address (RFC 4566 section 5.7), which `find` looks
    up. Until that is found, if ever, sound goes to `speaker`, whom we talk SIP with: most who do
    so are there themselves, and some have names that nobody else knows. Whoever sends sound from
    elsewhere is followed as always.

    When an answered call should bring sound and has brought none for `patience` seconds (0: never),
    or can bring none any more, `watch` tells.
    """

    def __init__(
        self, media: RtpLeg, ours: sdp.Ours, speaker: str, find: Find, patience: float = 0
    ) -> None:
        self.media = media
        self._speaker, self._find = speaker, find
        self._found = ("", "")  # the latest name, and where it led
        self._patience, self._watched = patience, False
        self._dead: Callable[[str], None] = lambda why: None
        self._identity = media.identity
        self._ours = ours
        self._said = b""
        self._remote: Remote | None = None
        self._browser: ice.Side | None = None  # as it was when we last agreed

    def watch(self, dead: Callable[[str], None]) -> None:
        """`dead` is told why, once; of silence from `answered` on, of all else from now on."""
        self._dead = dead
        self._expect()

    def forget(self) -> None:
        """The leg is over, and is held no longer."""
        self._dead, self._remote = _nobody, None

    def answered(self) -> None:
        self._watched = True
        self._expect()

    def _expect(self) -> None:
        """A call on hold may be as silent as it likes."""
        remote = self._remote
        due = self._watched and remote is not None and remote.send and remote.receive
        self.media.on_timeout(self._patience if due else 0, self._died)

    def _died(self, why: str) -> None:
        self._dead(why or f"no sound for {self._patience:g} seconds")

    @property
    def heard(self) -> bool:
        """Whether the other side agreed to be."""
        return self._remote is not None and self._remote.receive

    def offer(self) -> bytes:
        return self._versioned(sdp.offer(self._ours), sdp.offer)

    def answer(self, offered: list[sdp.Media]) -> bytes:
        """Agrees to an offer. Raises BadSdp."""
        said, agreed = sdp.answer(offered, self._ours)
        if self._restarted(agreed):
            self._ours = replace(self._ours, restarts=self._ours.restarts + 1)
            said, agreed = sdp.answer(offered, self._ours)
        said = self._versioned(said, lambda ours: sdp.answer(offered, ours)[0])
        self._ours = sdp.keeping(self._ours, offered)
        self._connect(agreed)
        return said

    def accept(self, body: bytes) -> None:
        """Takes the answer to our offer. Raises BadSdp."""
        self._connect(sdp.accepted(sdp.parse(body), self._ours))

    def _restarted(self, agreed: sdp.Agreed) -> bool:
        """Whether a browser that we know offers other names than it had: ICE begins anew, with
        another name of ours as well (RFC 8839 section 4.4.1.1.1)."""
        if agreed.web is None or self._browser is None:
            return False
        _, theirs = agreed.web
        known = self._browser
        return (theirs.user, theirs.password) != (known.user, known.password)

    def _versioned(self, said: bytes, describe: Callable[[sdp.Ours], bytes]) -> bytes:
        """What is to be said: a changed description has the next version (RFC 3264 section 8)."""
        if self._said and said != self._said:
            self._ours = replace(self._ours, version=self._ours.version + 1)
            said = describe(self._ours)
        self._said = said
        return said

    def _connect(self, agreed: sdp.Agreed) -> None:
        host, port = agreed.host, agreed.port
        if agreed.nowhere and self._remote:
            host, port = self._remote.host, self._remote.port
        name, led_to = self._found
        named = not is_ip(host)
        self._remote = remote = Remote(
            (led_to if name == host else self._speaker) if named else host,
            port,
            agreed.codec,
            agreed.payload_type,
            agreed.keys_type,
            send=agreed.send,
            receive=agreed.receive,
            noise_payload_type=agreed.noise_type,
            dtmf_clock=agreed.keys_clock,
            srtp=_srtp(agreed),
            web=_web(agreed, self._identity),
            mux=agreed.mux,
            reports=agreed.reports,
            others=agreed.others,
        )
        self._browser = agreed.web[1] if agreed.web else None
        self._ours = sdp.agreeing(self._ours, agreed)
        self.media.connect(remote)
        self._expect()
        if named and name != host:
            self._find(host, self._speaker, lambda found: self._led_to(host, found, remote))

    def _led_to(self, name: str, host: str, remote: Remote) -> None:
        """Where the name is; too late if something else was agreed meanwhile."""
        if self._remote is remote:
            self._found, self._remote = (name, host), replace(remote, host=host)
            self.media.connect(self._remote)


def _srtp(agreed: sdp.Agreed) -> Srtp | None:
    if agreed.keys is None:
        return None
    ours, theirs = agreed.keys
    return Srtp(ours.suite, ours.key, theirs.key)


def _web(agreed: sdp.Agreed, identity: Identity) -> Web | None:
    if agreed.web is None:
        return None
    ours, theirs = agreed.web
    begins = ice.begins(ours, theirs)
    return Web(ours.user, ours.password, theirs.fingerprint, identity, begins)
