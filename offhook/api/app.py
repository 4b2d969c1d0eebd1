"""The REST API as an ASGI application: every request comes through `Door`.

reference: REST conventions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from offhook import clock, sids
from offhook.api import filters, formats, forms, legacy, openapi, permissions, test_credentials
from offhook.api.auth import Doorkeeper, Visitor, may_act_for
from offhook.api.formats import Format
from offhook.api.limits import Crowd
from offhook.api.repeats import Repeats
from offhook.api.resource import Action, Answer, At, Listed, Resource, Routes, split_suffix
from offhook.api.resources import EVERY
from offhook.errors import ApiError
from offhook.exchange.exchange import Exchange
from offhook.frozen import frozen
from offhook.model.account import Account

log = structlog.get_logger("offhook.api")

PREFIX = "/.twilio.com"  # what a library leaves before the path when only its region is redirected
LARGEST_BODY, LITTLE = 1_048_576, 65_536  # bytes
MOST_PARAMETERS = 1_000
_FORM = "application/x-www-form-urlencoded"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Match, "
        "If-Unmodified-Since, Idempotency-Key"
    ),
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": "ETag",
}


def api_app(
    exchange: Exchange,
    resources: Iterable[Resource] = EVERY,
    doorkeeper: Doorkeeper | None = None,
) -> Starlette:
    """The API over this exchange; mount it at `/`, behind everything more particular."""
    served = tuple(resources)
    routes = Routes(action for each in served for action in each.actions)

    async def described(request: Request) -> Response:
        return JSONResponse(openapi.document(served))

    app = Starlette(routes=[Route("/openapi.json", described)])
    app.router.default = Door(exchange, routes, doorkeeper or Doorkeeper(exchange))
    return app


@frozen
class Asked:
    """A request and what its path says: `path` is as it was asked for, `route` as 2010-04-01 has
    it, both without suffix."""

    request: Request
    version: str
    path: str
    route: str
    suffix: str
    format: Format

    @classmethod
    def of(cls, request: Request) -> Asked:
        path, suffix = split_suffix(_path_of(request))
        version, route = legacy.of_today(path)
        return cls(request, version, path, route, suffix, _format(path, suffix))

    def read(self, sent: forms.Sent) -> forms.Sent:
        """What was sent, under today's names."""
        return legacy.parameters(self.path, sent) if self.version == legacy.OLD else sent


class Door:
    """Reads a request, finds its action, and writes what that answers."""

    def __init__(self, exchange: Exchange, routes: Routes, doorkeeper: Doorkeeper) -> None:
        self._exchange, self._routes, self._doorkeeper = exchange, routes, doorkeeper
        self._crowd = Crowd(exchange.rules.concurrent_requests)
        self._repeats = Repeats(exchange.store)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the API does not speak {scope['type']}")
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """What the request gets, whatever happens. Every answer has the platform's headers."""
        began = clock.now()
        asked = Asked.of(request)
        response = await self._answer(asked)
        if request.method in ("GET", "HEAD") and type(response) is Response:
            response = _conditional(request, response)
        headers = response.headers
        for name, value in _CORS.items():
            headers[name] = value
        headers["Twilio-Request-Id"] = sids.new("RQ")
        headers["Twilio-Request-Duration"] = f"{clock.now() - began:.3f}"
        headers["Twilio-Concurrent-Requests"] = str(getattr(request.state, "together", 1))
        headers["X-Home-Region"] = "us1"
        headers["X-API-Domain"] = request.headers.get("host", "")
        return response

    async def _answer(self, asked: Asked) -> Response:
        request = asked.request
        try:
            actions, values = self._routes.find(asked.route)
            actions = [action for action in actions if asked.suffix in action.suffixes]
            if not actions:
                raise _not_found(request)
            if request.method == "OPTIONS":
                return Response(status_code=200)
            return await self._perform(asked, actions, values)
        except ApiError as error:
            return _refused(asked, error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody hears of it
        except Exception:
            log.exception("request failed", method=request.method, path=asked.path)
            return _refused(asked, ApiError(20500, "Internal server error", 500))

    async def _perform(self, asked: Asked, actions: list[Action], values: list[str]) -> Response:
        request = asked.request
        sent = _query(request) | await _body(request, partial(self._visitor, request))
        method = _method(request, sent, actions[0].is_instance)
        action = next((each for each in actions if each.method == method), None)
        if action is None:
            return _not_allowed(asked, actions)
        names = dict(zip(action.names, values, strict=True))
        account, caller = await self._parties(request, action, names)
        at = At(
            self._exchange, account, caller, names, asked.format, asked.suffix, asked.path, sent,
            request, asked.version, filters.wanted(action.filters, asked.read(sent)),
        )  # fmt: skip
        # Strangers do not count: they cannot use up what an account may do.
        with self._crowd.one_more(account.sid) as request.state.together:
            key = request.headers.get("idempotency-key", "")
            if not key or method != "POST":
                return await self._run(asked, action, at)
            once = (account.sid, asked.path, asked.suffix, key)
            return await self._repeats.once(
                once, partial(self._run, asked, action, at), partial(self._made, asked, action, at)
            )

    async def _made(self, asked: Asked, action: Action, at: At, sid: str) -> Response | None:
        """The answer to a creation that made this and was then interrupted."""
        for path in (asked.route, asked.route.rpartition("/")[0]):
            actions, values = self._routes.find(f"{path}/{sid}")
            for fetch in (each for each in actions if each.method == "GET"):
                names = dict(zip(fetch.names, values, strict=True))
                account = await self._exchange.account(names.get("account_sid", at.account.sid))
                there = replace(at, names=names, account=account or at.account)
                with suppress(ApiError):
                    found = await fetch.run(there, *_form(fetch, {}))
                    return _written(asked, replace(fetch, status=action.status), found)
        return None

    async def _run(self, asked: Asked, action: Action, at: At) -> Response:
        run = action.run
        if at.account.type == test_credentials.TEST:
            run = test_credentials.rehearsed(action)
        elif self._exchange.rules.magic_numbers:
            test_credentials.check_magic(action, asked.read(at.sent))
        return _written(asked, action, await run(at, *_form(action, asked.read(at.sent))))

    async def _parties(
        self, request: Request, action: Action, names: dict[str, str]
    ) -> tuple[Account, Account | None]:
        """The account in the path and who asks, who may be its parent.

        An account that does not exist is said to be missing; another's is not said to exist.
        """
        wanted = names.get("account_sid")
        account = (
            await self._exchange.account(wanted) if wanted and sids.is_sid(wanted, "AC") else None
        )
        authorization = request.headers.get("authorization", "")
        if wanted and account is None and (authorization or action.open):
            raise _not_found(request)
        if action.open and account:
            return account, None
        visitor = await self._visitor(request)
        caller = visitor.account
        account = account or caller
        if not (may_act_for(caller, account) and permissions.allows(visitor.key, action)):
            raise ApiError(20003, "Authenticate", 401)
        if caller.status != "active" or (account.status != "active" and not action.dormant):
            raise ApiError(20005, f"Account {account.sid} is {account.status}", 403)
        return account, caller

    async def _visitor(self, request: Request) -> Visitor:
        """Raises ApiError 20003 or 20429."""
        address = request.client.host if request.client else ""
        return await self._doorkeeper.visitor(request.headers.get("authorization", ""), address)


def _form(action: Action, sent: forms.Sent) -> list[Any]:
    """The action's form, if it has one. Raises ApiError."""
    return [forms.read(action.form, sent)] if action.form else []


def _format(path: str, suffix: str) -> Format:
    """The suffix decides; paths below `/v1` are JSON without one."""
    if suffix == "json" or path.startswith("/v1/"):
        return "json"
    return "csv" if suffix == "csv" else "xml"


def _written(asked: Asked, action: Action, answer: Answer) -> Response:
    old = asked.version == legacy.OLD
    if isinstance(answer, Response):
        return answer
    if answer is None:
        return Response(status_code=204)
    if isinstance(answer, Listed):
        paging, items = answer.paging, answer.items
        if old:
            paging = legacy.paged(paging)
            items = [legacy.rendered(action.element, each) for each in items]
        return formats.write_list(asked.format, paging, action.key, action.element, items)
    rendering = legacy.rendered(action.element, answer) if old else answer
    return formats.write(asked.format, action.status, rendering, action.element)


def _refused(asked: Asked, error: ApiError) -> Response:
    if error.code == 20404 and not error.message:
        error = _not_found(asked.request)
    only = legacy.error(error) if asked.version == legacy.OLD else ()
    return formats.write_error(asked.format, error, only)


def _conditional(request: Request, response: Response) -> Response:
    """304 to who has it already (RFC 9110 section 13.1.2); HEAD gets no body."""
    if response.status_code == 200:
        digest = hashlib.blake2b(response.body, digest_size=12).hexdigest()
        tag = response.headers["ETag"] = f'"{digest}"'
        known = request.headers.get("if-none-match", "")
        if known and {"*", tag} & {each.strip().removeprefix("W/") for each in known.split(",")}:
            return Response(status_code=304, headers={"ETag": tag})
    if request.method == "HEAD":
        response.body = b""
    return response


def _path_of(request: Request) -> str:
    path: str = request.scope["path"]
    root: str = request.scope.get("root_path", "")
    if root and path.startswith(root):
        path = path[len(root) :]
    return path.removeprefix(PREFIX)


def _not_found(request: Request) -> ApiError:
    path = _path_of(request)
    return ApiError(20404, f"The requested resource {path} was not found", 404)


def _not_allowed(asked: Asked, actions: list[Action]) -> Response:
    allowed = ", ".join(sorted({action.method for action in actions}))
    told = f"{asked.request.method} is not allowed here; this resource takes {allowed}"
    response = _refused(asked, ApiError(20004, told, 405))
    response.headers["Allow"] = allowed
    return response


def _method(request: Request, sent: forms.Sent, is_instance: bool) -> str:
    """The method that is meant: `_method` speaks for clients that can only POST; PUT updates."""
    method = request.method
    if method == "POST" and sent.get("_method"):
        method = sent["_method"][-1].upper()
    if method == "PUT" and is_instance:
        return "POST"
    return "GET" if method == "HEAD" else method


def _query(request: Request) -> dict[str, list[str]]:
    return _pairs(request.scope["query_string"])


async def _body(
    request: Request, admitted: Callable[[], Awaitable[object]]
) -> dict[str, list[str]]:
    """The form in the body. Raises ApiError: too large (413), or not a form (415).

    Of strangers only a little is kept: it raises what `admitted` does when there is more.
    """
    if request.method not in {"POST", "PUT"}:
        return {}
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= LITTLE < len(body) + len(chunk):
            await admitted()
        body += chunk
        if len(body) > LARGEST_BODY:
            raise ApiError(20413, f"The body is larger than {LARGEST_BODY} bytes", 413)
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if body and kind != _FORM:
        raise ApiError(20415, f"{kind} cannot be read here; send {_FORM}", 415)
    return _pairs(bytes(body))


def _pairs(encoded: bytes) -> dict[str, list[str]]:
    """Names and their values in the order sent. Text that is not UTF-8 keeps its readable part."""
    try:
        pairs = parse_qsl(
            encoded.decode("utf-8", "replace"),
            keep_blank_values=True,
            errors="replace",
            max_num_fields=MOST_PARAMETERS,
        )
    except ValueError as many:
        raise ApiError(20001, f"More than {MOST_PARAMETERS} parameters", 400) from many
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    return sent
