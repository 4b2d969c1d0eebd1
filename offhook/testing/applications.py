"""Applications under test, reached at a URL: ASGI and WSGI objects, functions, or URLs themselves.

An ASGI or WSGI object runs in a thread of its own, in real time, behind a real socket. A function
runs on the virtual loop, behind a host name that ends in `.test`, and may sleep.
"""

from __future__ import annotations

import inspect
import logging
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn

from offhook import clock
from offhook.frozen import frozen
from offhook.media.clip import Clip
from offhook.testing.speech import wav_of
from offhook.webhooks.transport import Incoming, Outgoing, Send, TooLarge, TransportError

log = logging.getLogger("offhook.testing")
HANDLER_FAILED = 500


@frozen
class Request:
    """What an application was asked. `at` is loop time; `params` are the query's and the form's."""

    at: float
    method: str
    url: str
    params: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@frozen
class Response:
    """What a function answers when it is more than a document."""

    body: str | bytes = ""
    status: int = 200
    media_type: str = "text/xml"
    headers: Mapping[str, str] = field(default_factory=dict)


@frozen
class Webhook:
    """A request that the platform made and what it got; `status` is 0 when it got nothing."""

    request: Request
    status: int
    body: str

    @property
    def at(self) -> float:
        return self.request.at

    @property
    def url(self) -> str:
        return self.request.url

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def params(self) -> Mapping[str, str]:
        return self.request.params

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers


Answer = Response | Clip | str | bytes | None
Handler = Callable[[Request], Answer | Awaitable[Answer]]
Application = str | Handler | Callable[..., Any]


class Applications:
    """Knows who is where, and what was asked. `real` reaches everything that is not in here."""

    def __init__(self, real: Send) -> None:
        self.webhooks: list[Webhook] = []
        self._real = real
        self._handlers: dict[str, Handler] = {}
        self._urls: dict[int, str] = {}
        self._kept: list[Application] = []  # their ids are keys
        self._servers: list[ThreadedServer] = []

    def url(self, application: Application, path: str = "/") -> str:
        """Where `application` is to be asked, `path` of it. Raises TypeError."""
        if isinstance(application, str):
            return application
        if id(application) not in self._urls:
            self._kept.append(application)
            self._urls[id(application)] = self._serve(application)
        return self._urls[id(application)] + path

    def _serve(self, application: Callable[..., Any]) -> str:
        kind = kind_of(application)
        if kind == "function":
            host = f"app{len(self._handlers) + 1}.test"
            self._handlers[host] = application
            return f"http://{host}"
        if kind == "wsgi":
            from a2wsgi import WSGIMiddleware  # wanted by those who test WSGI applications alone

            application = WSGIMiddleware(application)
        server = ThreadedServer(application)
        self._servers.append(server)
        return server.url

    async def send(self, outgoing: Outgoing) -> Incoming:
        """The platform's transport. Raises TransportError."""
        request = as_request(outgoing)
        try:
            handler = self._handlers.get(urlsplit(outgoing.url).hostname or "")
            if handler:
                incoming = _limited(await _handled(handler, request), outgoing)
            else:
                incoming = await self._real(outgoing)
        except TransportError as error:
            self.webhooks.append(Webhook(request, 0, str(error)))
            raise
        body = incoming.body.decode("utf-8", "replace")
        self.webhooks.append(Webhook(request, incoming.status, body))
        return incoming

    def close(self) -> None:
        for server in self._servers:
            server.close()


def kind_of(application: Callable[..., Any]) -> str:
    """`asgi`, `wsgi` or `function`, by how many arguments it takes: 3, 2 or 1."""
    try:
        parameters = inspect.signature(application).parameters.values()
    except (TypeError, ValueError):
        raise TypeError(f"{application!r} is not an application") from None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [each for each in parameters if each.kind in positional and each.default is each.empty]
    kind = {1: "function", 2: "wsgi", 3: "asgi"}.get(len(needed))
    if kind is None:
        raise TypeError(
            f"{application!r} takes {len(needed)} arguments: a function takes the request, "
            "a WSGI application two and an ASGI application three"
        )
    return kind


def as_request(outgoing: Outgoing) -> Request:
    pairs = parse_qsl(urlsplit(outgoing.url).query, keep_blank_values=True)
    pairs += parse_qsl(outgoing.body.decode(), keep_blank_values=True)
    headers = {name.lower(): value for name, value in outgoing.headers}
    return Request(
        clock.now(), outgoing.method, outgoing.url,
        MappingProxyType(dict(pairs)), MappingProxyType(headers),
    )  # fmt: skip


async def _handled(handler: Handler, request: Request) -> Response:
    """What the function answers; when it raises, status 500 and a traceback in the log."""
    try:
        answer = handler(request)
        if inspect.isawaitable(answer):
            answer = await answer
        return as_response(answer)
    except Exception:
        log.exception("the application failed at %s", request.url)
        return Response("the application failed", HANDLER_FAILED, "text/plain")


def as_response(answer: Any) -> Response:
    match answer:
        case Response():
            return answer
        case None:
            return Response(status=204)
        case Clip():
            return Response(wav_of(answer), media_type="audio/wav")
        case bytes():
            return Response(answer, media_type="application/octet-stream")
        case str():
            xml = answer.lstrip().startswith("<")
            return Response(answer, media_type="text/xml" if xml else "text/plain")
    raise TypeError(f"an application answers a document, a Response or a Clip, not {answer!r}")


def _limited(response: Response, outgoing: Outgoing) -> Incoming:
    body = response.body.encode() if isinstance(response.body, str) else response.body
    limit = outgoing.room(response.media_type)
    if len(body) > limit and not outgoing.cut:
        raise TooLarge(limit)
    headers = [("Content-Type", f"{response.media_type}; charset=utf-8"), *response.headers.items()]
    return Incoming(response.status, tuple(headers), body[:limit])


class ThreadedServer:
    """An ASGI application behind a loopback port, in its own thread and in real time."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            application, log_config=None, access_log=False, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name=f"application {self.url}",
            daemon=True,
        )  # fmt: skip
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(5)
        self._socket.close()
