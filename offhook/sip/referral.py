"""Calls sent elsewhere: REFER and the NOTIFYs that tell how it went.  RFC 3515, RFC 6665, RFC 7647.

Each REFER makes a subscription inside the dialog of its call, named by the REFER's CSeq.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from offhook.frozen import frozen
from offhook.sip.core import Core, Party, Wanted
from offhook.sip.grammar import BadSip
from offhook.sip.message import REASONS, Field, Request, Response
from offhook.sip.transactions import T1, Transaction
from offhook.sip.uri import parse_address

ALLOW_EVENTS: Field = ("Allow-Events", "refer")  # a 489 must say so (RFC 6665 section 8.2)
PATIENCE = 180  # seconds that a subscription of theirs is good for
LONGEST = 3600  # seconds that one of ours is, whatever they say
_EXPIRES = re.compile(r";\s*expires\s*=\s*([0-9]{1,9})\b", re.IGNORECASE)
_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?")


@frozen
class Referred:
    """The other side asks us to call `target`: to be taken or refused."""

    referral: Referral
    target: str  # the Refer-To, a name-addr or a URI
    request: Request

    @property
    def serial(self) -> int:
        return self.referral.party.serial


@frozen
class Transferred:
    """How far a REFER of ours has come: what it was answered with or, in a NOTIFY, what the call
    to its target was, 0 where that was not said. `final`: nothing more will be said of it."""

    serial: int
    status: int
    reason: str
    final: bool
    notified: bool


class Referral:
    """A REFER that came in. Exactly one of `take` and `refuse` answers it.

    What there is to tell goes out one after the other, the next when the last was answered; `idle`
    is called when there is nothing left, which `telling` says as well.
    """

    def __init__(
        self,
        core: Core,
        party: Party,
        transaction: Transaction,
        contact: Field,
        idle: Callable[[float], None],
    ) -> None:
        self.core, self.party, self._transaction, self._contact = core, party, transaction, contact
        self.telling = False
        self._idle = idle
        self._next: Wanted | None = None
        self._open = True
        self._until: float | None = None  # when the subscription runs out
        self._id = transaction.request.cseq.number
        self._told = 100

    @property
    def wake_at(self) -> float | None:
        alive = self._open and self.party.dialog.key in self.core.dialogs
        return self._until if alive else None

    def fire(self, now: float) -> None:
        """The subscription has run out (RFC 6665 section 4.2.2): nothing more is told."""
        if self.wake_at is not None and now >= self.wake_at:
            self._open = False
            self._notify(self._told, "terminated;reason=timeout", now)

    def take(self, now: float) -> None:
        """202, and the first NOTIFY at once (section 2.4.4)."""
        self.core.reply(self._transaction, 202, now, self._contact)
        self._until = now + PATIENCE
        self.tell(100, now)
        self.core.layer.alarms.set(self)

    def refuse(self, status: int, now: float) -> None:
        self._open = False
        self.core.reply(self._transaction, status, now)

    def tell(self, status: int, now: float, reason: str = "") -> None:
        """How far the call to the target has come; a final status is the last word."""
        if not self._open:
            return
        self._told, self._open = status, status < 200
        left = round(self._until - now) if self._until else PATIENCE
        state = f"active;expires={left}" if self._open else "terminated;reason=noresource"
        self._notify(status, state, now, reason)

    def _notify(self, status: int, state: str, now: float, reason: str = "") -> None:
        line = f"SIP/2.0 {status} {reason or REASONS.get(status, 'Refused')}"
        fields = (
            self._contact,
            ("Event", f"refer;id={self._id}"),
            ("Subscription-State", state),
            ("Content-Type", "message/sipfrag;version=2.0"),
        )
        self._next = Wanted("NOTIFY", fields, f"{' '.join(line.split())}\r\n".encode())
        if not self.telling:
            self._send(now)

    def _send(self, now: float) -> None:
        wanted, self._next = self._next, None
        self.telling = wanted is not None
        if wanted:
            self.core.ask(self.party, wanted, self._answered, now)
        else:
            self._idle(now)

    def _answered(self, request: Request, response: Response | None, now: float) -> None:
        status = response.status if response else 408
        if status in (408, 481):  # nobody listens any more (RFC 6665 section 4.2.2)
            self._open, self._next = False, None
        if status >= 200:
            self._send(now)


def _target_of(refer: Request) -> str:
    """Whom a REFER names (section 2.4.2). Raises BadSip where that is not one."""
    targets = refer.values("refer-to")
    if len(targets) != 1:
        raise BadSip("Not One Refer-To")
    parse_address(targets[0])
    return targets[0]


def _nobody(now: float) -> None:
    """Is told that a dialog which is over is idle."""


class Transfers:
    """The REFERs of one dialog; ours one after the other. `idle` is as a Referral's."""

    def __init__(self, core: Core, party: Party, idle: Callable[[float], None]) -> None:
        self._core, self._party, self._idle = core, party, idle
        self._theirs: Referral | None = None  # the latest
        self._open = False
        self._until: float | None = None  # when we give up hoping for another NOTIFY

    @property
    def telling(self) -> bool:
        """Whether the other side is yet to confirm what it was told of its REFER."""
        return self._theirs is not None and self._theirs.telling

    def forget(self) -> None:
        """The dialog is over, and its session is held no longer."""
        self._idle = _nobody

    def asked(self, transaction: Transaction, now: float) -> None:
        """By a REFER of the other side."""
        try:
            target = _target_of(transaction.request)
        except BadSip as wrong:
            self._core.reply(transaction, 400, now, reason=wrong.reason)
            return
        contact = self._core.contact(transaction.hop, sips=self._party.dialog.sips)
        self._theirs = Referral(self._core, self._party, transaction, contact, self._idle)
        self._core.report(Referred(self._theirs, target, transaction.request))

    def refer(self, target: str, fields: tuple[Field, ...], now: float) -> bool:
        """Asks the other side to call `target`; `Transferred` is reported until it is final.

        False while another one is under way. A NOTIFY may overtake the 202 (RFC 7647).
        """
        if self._open:
            return False
        self._open = True
        by = ("Referred-By", f"<{parse_address(self._party.dialog.local).uri}>")
        wanted = Wanted("REFER", (("Refer-To", target), by, *fields))
        self._core.ask(self._party, wanted, self._heard, now)
        return True

    def _heard(self, request: Request, response: Response | None, now: float) -> None:
        """Section 2.4.2: a 2xx says that it will be tried, anything else that it will not."""
        if (response is not None and response.status < 200) or not self._open:
            return
        status, reason = (response.status, response.reason) if response else (408, "no reply")
        unheard = response is not None and response.get("refer-sub").lower() == "false"  # RFC 4488
        if self._until is None:
            self._wait(64 * T1, now)  # timer N, RFC 6665 section 4.1.2.4
        self._report(Transferred(self._serial, status, reason, status >= 300 or unheard, False))

    def _wait(self, seconds: float, now: float) -> None:
        self._until = now + min(seconds, LONGEST)
        self._core.layer.alarms.set(self)

    @property
    def wake_at(self) -> float | None:
        alive = self._open and self._party.dialog.key in self._core.dialogs
        return self._until if alive else None

    def fire(self, now: float) -> None:
        """The subscription ran out, or never began: how it went will not be known."""
        if self.wake_at is not None and now >= self.wake_at:
            told = Transferred(self._serial, 0, "the subscription has run out", True, True)
            self._report(told)

    def notified(self, transaction: Transaction, now: float) -> None:
        """By a NOTIFY of the other side, which is answered."""
        status = self._learned(transaction.request, now)
        self._core.reply(transaction, status, now, ALLOW_EVENTS)

    def _learned(self, request: Request, now: float) -> int:
        """The status that answers a NOTIFY: 481 for one that belongs to no REFER of ours."""
        if request.get("event").partition(";")[0].strip().lower() != "refer":
            return 489
        if not self._open:
            return 481
        found = _STATUS.match(request.body)
        state = request.get("subscription-state")
        over = state.lower().startswith("terminated")
        lasts = _EXPIRES.search(state)
        self._wait(int(lasts[1]) if lasts else PATIENCE, now)
        if found:
            status, reason = int(found[1]), (found[2] or b"").decode("utf-8", "replace")
            self._report(Transferred(self._serial, status, reason, over or status >= 200, True))
        elif over:
            self._report(Transferred(self._serial, 0, "nobody said how it went", True, True))
        return 200

    @property
    def _serial(self) -> int:
        return self._party.serial

    def _report(self, told: Transferred) -> None:
        self._open = not told.final
        if told.final:
            self._until = None
        self._core.report(told)
