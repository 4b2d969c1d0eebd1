"""What is ours beside the API: the status page, health, and what the command line needs."""

from __future__ import annotations

import asyncio
import html
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from hmac import compare_digest
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.responses import StreamingResponse as Streaming
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from offhook import __version__, clock
from offhook.aio import race
from offhook.api import test_credentials
from offhook.api.auth import Doorkeeper, Visitor
from offhook.carriers.handset import Handset
from offhook.carriers.simulated import SimulatedNetwork
from offhook.errors import ApiError
from offhook.exchange import standing
from offhook.exchange.exchange import Exchange
from offhook.frozen import frozen
from offhook.model.account import Account
from offhook.model.journal import Event
from offhook.store import records

PREFIX = "/offhook/v1"
FOLLOWED = 10_000  # events that a slow reader may be behind
Checks = Callable[[], Awaitable[list[tuple[str, bool, str]]]]
Trunks = Callable[[], list[dict[str, Any]]]


def own_routes(
    exchange: Exchange,
    network: SimulatedNetwork,
    healthy: Callable[[], bool],
    checks: Checks,
    trunks: Trunks,
    drained: asyncio.Event,
    figures: Figures,
) -> list[BaseRoute]:
    """`drained` ends what goes on without end."""
    own = Own(exchange, network, healthy, checks, trunks, drained, Doorkeeper(exchange), figures)
    return [
        Route("/", own.status),
        Route("/healthz", own.health),
        Route("/metrics", own.metrics),
        Route(f"{PREFIX}/calls/{{sid}}/events", own.story),
        Route(f"{PREFIX}/events", own.follow),
        Route(f"{PREFIX}/doctor", own.doctor),
        Route(f"{PREFIX}/accounts/{{sid}}", own.stand, methods=["POST"]),
        Route(f"{PREFIX}/trunks", own.trunks),
        Route(f"{PREFIX}/test-credentials", own.test_credentials),
        Route(f"{PREFIX}/texts", own.text, methods=["POST"]),
        WebSocketRoute(f"{PREFIX}/phone", own.phone),
    ]


@frozen
class Figures:
    """The page of metrics, the token that lets one see it, and whether only this machine can."""

    page: Callable[[str], Awaitable[tuple[bytes, str]]]
    token: str
    private: bool


async def refused(request: Request, error: Exception) -> Response:
    """What somebody without the right credentials gets from our own routes."""
    assert isinstance(error, ApiError)
    asks = {"WWW-Authenticate": 'Basic realm="Offhook"'} if error.status == 401 else {}
    return JSONResponse({"code": error.code, "message": error.message}, error.status, asks)


class Own:
    def __init__(
        self,
        exchange: Exchange,
        network: SimulatedNetwork,
        healthy: Callable[[], bool],
        checks: Checks,
        trunks: Trunks,
        drained: asyncio.Event,
        doorkeeper: Doorkeeper,
        figures: Figures,
    ) -> None:
        self._exchange, self._network, self._healthy = exchange, network, healthy
        self._checks, self._trunks = checks, trunks
        self._drained, self._doorkeeper, self._figures = drained, doorkeeper, figures

    async def health(self, request: Request) -> Response:
        """200 when calls can be taken, else 503."""
        well = self._healthy()
        return PlainTextResponse("ok\n" if well else "not ready\n", 200 if well else 503)

    async def metrics(self, request: Request) -> Response:
        """For Prometheus: with the token of the settings; else with the operator's credentials,
        which nobody needs while only this machine can ask."""
        figures, shown = self._figures, request.headers.get("authorization", "")
        by_token = bool(figures.token) and compare_digest(
            shown.encode(), f"Bearer {figures.token}".encode()
        )
        if not by_token and (figures.token or not figures.private):
            await self._operator(request)
        text, media_type = await figures.page(request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": media_type})

    async def status(self, request: Request) -> Response:
        """A plain page: that it runs, and how busy it is. Nothing that needs a password."""
        state = "ready for calls" if self._healthy() else "not ready"
        lines = f"Offhook {__version__} is {state}. Calls now: {len(self._exchange.live)}."
        base = html.escape(str(request.base_url))
        return HTMLResponse(
            "<!doctype html><title>Offhook</title>"
            f"<h1>Offhook</h1><p>{html.escape(lines)}</p>"
            f"<p>API: <code>{base}2010-04-01/Accounts/…</code> · "
            '<a href="/healthz">health</a></p>'
        )

    async def story(self, request: Request) -> Response:
        """A call's or message's events, oldest first."""
        account = await self._account(request)
        sid = request.path_params["sid"]
        await self._exchange.journal.flush()
        events = await self._exchange.store.read(records.events.of, sid)
        mine = [as_json(event) for event in events if event.account_sid == account.sid]
        return JSONResponse({"events": mine})

    async def follow(self, request: Request) -> Response:
        """Every event of the account as it happens, one JSON object a line."""
        account = await self._account(request)
        return Streaming(self._lines(account.sid), media_type="application/x-ndjson")

    async def _lines(self, account_sid: str) -> AsyncIterator[str]:
        with self._told(lambda event: event.account_sid == account_sid) as queue:
            while (event := await race(queue.get(), self._end())) is not None:
                yield json.dumps(as_json(event)) + "\n"

    @contextmanager
    def _told(self, wanted: Callable[[Event], bool]) -> Iterator[asyncio.Queue[Event]]:
        """The wanted events, from now on; who is too far behind misses some."""
        queue: asyncio.Queue[Event] = asyncio.Queue(FOLLOWED)

        def hear(event: Event) -> None:
            if wanted(event) and not queue.full():
                queue.put_nowait(event)

        self._exchange.journal.listeners.add(hear)
        try:
            yield queue
        finally:
            self._exchange.journal.listeners.discard(hear)

    async def _end(self) -> None:
        await self._drained.wait()

    async def doctor(self, request: Request) -> Response:
        await self._account(request)
        found = await self._checks()
        return JSONResponse(
            {"checks": [{"name": name, "ok": ok, "detail": told} for name, ok, told in found]}
        )

    async def stand(self, request: Request) -> Response:
        """The operator, whose account was there first, suspends any account or lets it go again.

        `Status` is suspended or active.
        """
        await self._operator(request)
        wanted = str((await request.form()).get("Status", ""))
        change = {"suspended": standing.hold, "active": standing.let_go}.get(wanted)
        if change is None:
            return JSONResponse({"message": "Status is suspended or active"}, 400)
        sid = request.path_params["sid"]
        account = await change(self._exchange, sid, clock.utc())
        if account is None or account.status != wanted:
            told = f"{sid} is closed" if account else f"{sid} is no account of this Offhook"
            return JSONResponse({"message": told}, 409 if account else 404)
        return JSONResponse({"sid": account.sid, "status": account.status})

    async def trunks(self, request: Request) -> Response:
        """Which trunks there are, and what is known of them."""
        await self._account(request)
        return JSONResponse({"trunks": self._trunks()})

    async def test_credentials(self, request: Request) -> Response:
        """The pair with which requests are answered like real ones, and nothing happens."""
        account = await self._account(request)
        if account.type == test_credentials.TEST:
            raise HTTPException(403)
        pair = await test_credentials.pair(self._exchange, account)
        return JSONResponse({"account_sid": pair.sid, "auth_token": pair.auth_token})

    async def text(self, request: Request) -> Response:
        """A text from a simulated phone to one of our numbers."""
        await self._account(request)
        form = await request.form()
        sent = await self._network.text(
            str(form.get("From", "")), str(form.get("To", "")), str(form.get("Body", ""))
        )
        if sent is None:
            return JSONResponse({"message": f"{form.get('To', '')} is no number of ours"}, 404)
        return JSONResponse({"sid": sent.sid}, 201)

    async def phone(self, socket: WebSocket) -> None:
        """A phone in the terminal: told events, it takes {"press": "1"} and {"hang_up": true}.

        reference: WebSocket close codes, RFC 6455 section 7.4 (1008: credentials).
        """
        try:
            await self._account(socket)
        except ApiError:
            return await socket.close(1008)
        await socket.accept()
        to, from_ = socket.query_params.get("To", ""), socket.query_params.get("From", "")
        handset = await self._network.call(from_, to)

        def of_this_call(event: Event) -> bool:
            live = self._exchange.live.get(event.subject)
            return live is not None and live.leg is handset.leg

        try:
            with self._told(of_this_call) as told:
                await race(_tell(socket, told, handset), _obey(socket, handset))
        except WebSocketDisconnect:
            pass
        finally:
            handset.hang_up()

    async def _operator(self, request: Request) -> None:
        """Raises HTTPException when it is somebody else."""
        visitor = await self._visitor(request)
        first = await self._exchange.store.read(records.accounts.first)
        if first is None or visitor.account.sid != first.sid or not visitor.manages:
            raise HTTPException(403)

    async def _account(self, connection: HTTPConnection) -> Account:
        return (await self._visitor(connection)).account

    async def _visitor(self, connection: HTTPConnection) -> Visitor:
        address = connection.client.host if connection.client else ""
        authorization = connection.headers.get("authorization", "")
        visitor = await self._doorkeeper.visitor(authorization, address)
        if visitor.key and visitor.key.role == "restricted":
            raise ApiError(20003, "Authenticate", 401)
        return visitor


async def _tell(socket: WebSocket, told: asyncio.Queue[Event], phone: Handset) -> None:
    """Everything that happens, then how it ended."""

    async def gone() -> Event | None:
        await asyncio.shield(phone.ended)
        return None

    while (event := await race(told.get(), gone())) is not None:
        await socket.send_json(as_json(event))
    while not told.empty():
        await socket.send_json(as_json(told.get_nowait()))
    ended = phone.ended.result()
    await socket.send_json(
        {"kind": "ended", "data": {"by": ended.by, "code": ended.code, "reason": ended.reason}}
    )
    await socket.close()


async def _obey(socket: WebSocket, phone: Handset) -> None:
    while True:
        asked = await socket.receive_json()
        if asked.get("press"):
            phone.press(str(asked["press"])[:64])
        if asked.get("hang_up"):
            phone.hang_up()


def as_json(event: Event) -> dict[str, Any]:
    return {
        "subject": event.subject,
        "at": event.at.isoformat(),
        "kind": event.kind,
        "data": event.data,
    }
