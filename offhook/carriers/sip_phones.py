"""SIP phones: they register at a domain of ours, call it, and are called there.

reference: REST voice, SIP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from email.utils import format_datetime
from typing import Any

import structlog

from offhook import clock
from offhook.carriers.sip_nat import KeepAlive
from offhook.carriers.sip_switchboard import Switchboard
from offhook.carriers.trunks import Admitted, within
from offhook.errors import CarrierError
from offhook.frozen import frozen
from offhook.line.leg import ELSEWHERE, Leg
from offhook.model.sip_registrations import Hashes, Home, SipRegistration
from offhook.sip import digest
from offhook.sip.core import Registering
from offhook.sip.grammar import BadSip, legible
from offhook.sip.hop import Hop
from offhook.sip.inbound import Inbound
from offhook.sip.message import Field, Request
from offhook.sip.registrar import Contact, Refused, Registrar, aor_of
from offhook.sip.uri import parse_address, parse_uri

NOT_REGISTERED = 32220  # reference: error codes
TAKES_NONE, WRONG_USER, TOO_MANY, BAD_TIME = 32215, 32210, 32212, 32214
IN_THE_CLEAR = 32014
FLOW_TIMER = 120  # seconds between two signs of life on a phone's connection

log = structlog.get_logger("offhook.sip")

Answer = tuple[int, tuple[Field, ...]]


@frozen
class Directory:
    """Where domains and registrations are kept.

    `home(name, username)` is the domain, with what is known of that user alone; `save` keeps the
    contacts of an address of record; `note(account_sid, code, message)` tells the debugger.
    """

    home: Callable[[str, str], Awaitable[Home | None]]
    save: Callable[[SipRegistration], None]
    note: Callable[[str, int, str], None]
    registered: tuple[SipRegistration, ...] = ()


@frozen
class Reached:
    """The phones behind an address. `sealed`: their sound must be."""

    contacts: tuple[Contact, ...]
    sealed: bool


class SipPhones:
    """`login(realm)` is the digest server of a realm. Every `keep_alive` seconds (0: never) phones
    behind NAT are asked whether they are there."""

    def __init__(
        self,
        board: Switchboard,
        directory: Directory,
        login: Callable[[str], digest.Server],
        keep_alive: float,
    ) -> None:
        self._board, self._directory, self._login = board, directory, login
        self._servers: dict[str, digest.Server] = {}
        self._owners = {each.aor: each.account_sid for each in directory.registered}
        self.registrar = Registrar(self._changed, self._there)
        at = clock.utc().timestamp()
        for each in directory.registered:
            restored = (Contact.restored(data) for data in each.contacts)
            if contacts := tuple(one for one in restored if one.expires_at > at):
                self.registrar.restore(each.aor, contacts)
            else:
                self._changed(each.aor, ())
        self._nat = KeepAlive(board, self._behind_nat, keep_alive)

    def start(self) -> None:
        """We listen: whoever was registered before is looked after."""
        self._nat.start()

    async def close(self) -> None:
        await self._nat.close()

    def _there(self, contact: Contact) -> bool:
        """A browser is gone with its connection, and so is who is behind a NAT: nothing else leads
        there (RFC 7118). Datagrams are answered, or are not."""
        received = contact.received
        if contact.path or not (received.web or contact.natted):
            return True
        return self._board.wire.leads(received) if received.reliable else self._nat.there(received)

    def _behind_nat(self) -> list[Hop]:
        """Those whose way there is only as long as something goes by it."""
        known = self.registrar.everybody(clock.utc().timestamp())
        found = (each.received for each in known if each.natted and not each.received.reliable)
        return list(dict.fromkeys(found))

    def _changed(self, aor: str, contacts: tuple[Contact, ...]) -> None:
        kept = tuple(contact.data() for contact in contacts)
        owner = self._owners.get(aor, "")
        self._directory.save(SipRegistration(aor, owner, clock.utc(), kept))

    # Registering

    def registering(self, asked: Registering) -> None:
        self._board.spawn(self._register(asked))

    async def _register(self, asked: Registering) -> None:
        at = clock.utc().timestamp()
        try:
            status, fields = await self._answer(asked, at)
            reason = ""
        except BadSip as wrong:
            status, fields, reason = 400, (), wrong.reason
        except Refused as refused:
            status, fields, reason = refused.status, refused.fields, refused.reason
        except Exception:  # of the store, say: nobody else would ever answer it
            log.exception("a registration crashed", source=str(asked.source))
            status, fields, reason = 500, (), ""
        source = self._board.places.origin(asked.request, asked.source.host)
        if status in (401, 403):
            self._board.refused(source, asked.source)
        elif status == 200:
            self._board.guard.forgive(source)
            self._nat.heard(asked.source)
        self._board.act(
            lambda now: self._board.endpoint.reply(asked, status, now, *fields, reason=reason)
        )

    async def _answer(self, asked: Registering, at: float) -> Answer:
        request = asked.request
        address = request.to.parsed
        home = await self._directory.home(address.host.lower(), _username(request))
        if home is None:
            return 403, ()
        if not home.registers:
            whom = f"{home.name}: {legible(address.user)}"
            self._directory.note(home.account_sid, TAKES_NONE, whom)
            return 403, ()
        verdict, username = self._check(home, request, home.phones, at)
        if verdict != "right":
            return 401, self._challenges("WWW-Authenticate", home, at, verdict)
        aor = aor_of(request.to.uri)
        if username != address.user:
            self._directory.note(home.account_sid, WRONG_USER, f"{aor}: {username} may not")
            return 403, ()
        private = self._board.places.private(request, asked.source)
        if home.secure and not private:
            self._directory.note(home.account_sid, WRONG_USER, f"{aor}: not by TLS")
            return 403, ()
        self._owners[aor] = home.account_sid
        try:
            listed = self.registrar.register(aor, request, asked.source, at, private=private)
        except Refused as refused:
            if code := {423: BAD_TIME, 403: TOO_MANY}.get(refused.status):
                self._directory.note(home.account_sid, code, f"{aor}: {refused.reason}")
            raise
        told = [("Path", each) for each in request.values("path")]
        told.append(("Date", format_datetime(clock.utc(), usegmt=True)))  # by which phones are set
        if _keeps_flow(asked):
            told += [("Require", "outbound"), ("Flow-Timer", str(FLOW_TIMER))]
        return 200, (*listed, *told)

    def _server(self, home: Home) -> digest.Server:
        if home.realm not in self._servers:
            self._servers[home.realm] = self._login(home.realm)
        return self._servers[home.realm]

    def _check(
        self, home: Home, request: Request, known: Mapping[str, Hashes], at: float
    ) -> tuple[digest.Verdict, str]:
        users = {name: digest.Credentials(name, "", hashes) for name, hashes in known.items()}
        verdict, username = self._server(home).check(
            _logins(request), request.method, request.uri, request.body, users, at
        )
        self._board.guard.login(verdict)
        return verdict, username

    def _challenges(
        self, name: str, home: Home, at: float, verdict: digest.Verdict
    ) -> tuple[Field, ...]:
        values = self._server(home).challenges(at, stale=verdict == "stale")
        return tuple((name, value) for value in values)

    # Calls of theirs

    async def admit(self, call: Inbound) -> Admitted | Answer | None:
        """Who may call a domain: its networks and its users. None: it is no domain of ours.

        Users are asked as by a proxy, with 407.  reference: REST voice, SIP.
        """
        request, at = call.request, clock.utc().timestamp()
        home = await self._directory.home(parse_uri(request.uri).host.lower(), _username(request))
        if home is None:
            return None
        if not (home.limits or home.asks):
            return 403, ()
        source = self._board.places.origin(request, call.source.host)
        if home.limits and not within(source, home.networks):
            return 403, ()
        verdict = self._check(home, request, home.callers, at)[0] if home.asks else "right"
        if verdict != "right":
            return 407, self._challenges("Proxy-Authenticate", home, at, verdict)
        if home.secure and not self._board.places.private(request, call.source):
            told = f"{home.name} is secure, and {request.from_.uri} called without TLS"
            self._directory.note(home.account_sid, IN_THE_CLEAR, told)
            return 403, ()
        return Admitted(None, sealed=home.secure)

    # Calls to them

    async def reached(self, uri: str) -> Reached | None:
        """The phones behind a sip: URI; None where it is not at a domain of ours. Behind sips:, and
        at a secure domain, those alone that TLS leads to."""
        try:
            parsed, aor = parse_uri(uri), aor_of(uri)
        except BadSip:
            return None
        home = await self._directory.home(parsed.host.lower(), "")
        if home is None:
            return None
        contacts = self.registrar.contacts(aor, clock.utc().timestamp())
        if home.secure or parsed.scheme == "sips":
            contacts = tuple(each for each in contacts if each.private)
        return Reached(_one_way_each(contacts), home.secure)


async def fork(
    calls: Sequence[Coroutine[Any, Any, Leg]], aside: Callable[[Coroutine[Any, Any, None]], None]
) -> Leg:
    """The first of several phones to answer; the others are given up, `aside`.

    Raises CarrierError when all refuse, the most telling of the refusals (RFC 3261 section 16.7).
    """
    tasks = [asyncio.ensure_future(_tried(call)) for call in calls]
    refusals: list[CarrierError] = []
    try:
        for following in asyncio.as_completed(tasks):
            found = await following
            if not isinstance(found, CarrierError):
                aside(_let_go(tasks, found, ELSEWHERE))
                return found
            refusals.append(found)
    except BaseException as why:  # given up, or one of the calls crashed
        await _let_go(tasks, None, *why.args[:1])
        raise
    worst = min(refusals, key=_telling)
    raise CarrierError(worst.code, worst.reason, worst.params)


async def _tried(call: Coroutine[Any, Any, Leg]) -> Leg | CarrierError:
    """Its refusal as a value: one that is raised again holds whoever waited, who holds it."""
    try:
        return await call
    except CarrierError as refused:
        return refused


async def _let_go(
    tasks: Sequence[asyncio.Future[Leg | CarrierError]], winner: Leg | None, *why: object
) -> None:
    """Those that ring are given up; those that answered meanwhile hear so at once, however long
    the others take."""
    await asyncio.gather(*(_dropped(task, winner, *why) for task in tasks))


async def _dropped(
    task: asyncio.Future[Leg | CarrierError], winner: Leg | None, *why: object
) -> None:
    task.cancel(*why)
    [result] = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(result, BaseException) and result is not winner:
        await result.hang_up()


def _telling(refused: CarrierError) -> tuple[bool, int]:
    """Whoever declines for all counts most, then who is busy, then the lowest class."""
    return (refused.code < 600, {486: 0}.get(refused.code, refused.code))


def _keeps_flow(asked: Registering) -> bool:
    """Whether the phone keeps its connection alive if it is asked to (RFC 5626 section 6)."""
    request = asked.request
    able = "outbound" in request.tags("supported") and not request.get("path")
    named = (parse_address(contact) for contact in request.all("contact") if contact != "*")
    return (
        able
        and asked.source.reliable
        and any(each.param("reg-id") and each.param("+sip.instance") for each in named)
    )


def _one_way_each(contacts: Sequence[Contact]) -> tuple[Contact, ...]:
    """Of the ways to one device, the latest (RFC 5626 section 7)."""
    ways: dict[str, Contact] = {}
    for contact in contacts:
        ways.setdefault(contact.instance.rpartition("/")[0] or contact.key, contact)
    return tuple(ways.values())


def _logins(request: Request) -> list[str]:
    return [*request.values("authorization"), *request.values("proxy-authorization")]


def _username(request: Request) -> str:
    for value in _logins(request):
        if username := digest.parse(value).get("username"):
            return legible(username)
    return ""
