"""Applications under test: a real one on loopback, and one inside the process for virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from aiohttp import web

from offhook.webhooks.transport import Incoming, Outgoing

XML = "text/xml"
KEY = "0123456789abcdef0123456789abcdef"
CALL = "CA00000000000000000000000000000001"


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def made(self) -> web.Response:
        response = web.Response(status=self.status, body=self.body)
        for name, value in self.headers:
            response.headers.add(name, value)
        return response


def reply(
    body: str | bytes = "<Response/>", status: int = 200, type_: str = XML, **headers: str
) -> Reply:
    content = body.encode() if isinstance(body, str) else body
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Reply(status, (*named, *([("Content-Type", type_)] if type_ else [])), content)


def moved(location: str, status: int = 302) -> Reply:
    return reply("", status, Location=location)


Handler = Callable[[Asked], Reply]


@dataclass
class Application:
    """Answers each path by its handler and remembers what was asked."""

    base: str = ""
    handlers: dict[str, Handler] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    otherwise: Handler = lambda _: Reply(404, (), b"")

    def at(self, path: str, handler: Handler | Reply) -> str:
        """The URL that this handler now answers."""
        self.handlers[path] = handler if callable(handler) else lambda _: handler
        return self.base + path

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.raw_path, headers, await request.read())
        self.asked.append(asked)
        handler = self.handlers.get(request.path, self.otherwise)
        return handler(asked).made()


@asynccontextmanager
async def serving(ssl_context: object = None) -> AsyncIterator[Application]:
    application = Application()
    runner = web.ServerRunner(web.Server(application.handle), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context)
    await site.start()
    port = runner.addresses[0][1]
    scheme = "https" if ssl_context else "http"
    application.base = f"{scheme}://127.0.0.1:{port}"
    try:
        yield application
    finally:
        await runner.cleanup()


class Inside:
    """A transport that reaches no further than this object. `answer` may await, in virtual time."""

    def __init__(self, answer: Callable[[Outgoing], Incoming | Awaitable[Incoming]]) -> None:
        self.answer, self.sent = answer, list[Outgoing]()

    async def send(self, outgoing: Outgoing) -> Incoming:
        self.sent.append(outgoing)
        answer = self.answer(outgoing)
        return answer if isinstance(answer, Incoming) else await answer


def said(status: int = 200, body: bytes = b"<Response/>", **headers: str) -> Incoming:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Incoming(status, tuple({"Content-Type": XML, **named}.items()), body)


def header(outgoing: Outgoing, name: str) -> str:
    return dict(outgoing.headers).get(name, "")
