"""Asking applications: every HTTP request that the platform makes to one.  reference: webhooks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Literal
from urllib.parse import quote_plus

from offhook import __version__, clock, sids
from offhook.errors import WebhookError
from offhook.frozen import frozen
from offhook.webhooks.cache import Cache
from offhook.webhooks.login import Login
from offhook.webhooks.overrides import Note
from offhook.webhooks.session import Sessions
from offhook.webhooks.sign import signature
from offhook.webhooks.target import Target, resolve, target, without_credentials
from offhook.webhooks.transport import (
    Headers,
    Incoming,
    Outgoing,
    Send,
    TooLarge,
    TransportError,
)

Kind = Literal["document", "media", "callback"]
# Is told what each request took: 0 or the code of its failure, and seconds.
Measure = Callable[[Kind, int, float], None]

DOCUMENT_BYTES = 65_536
TOO_SLOW = 11203
CANCELLED = -1  # in place of a code: whoever asked did not wait for the answer
MAX_REDIRECTS = 10
_KEEP_METHOD, _BECOME_GET = {307, 308}, {301, 302, 303}
_FORM = "application/x-www-form-urlencoded; charset=utf-8"


@frozen
class Request:
    """One thing to ask. `key` is the auth token that signs, "" for unsigned.

    `jar` is whose cookies and logins go along: a CallSid, or `own|remote` for a conversation.
    `token` is the idempotency token; `max_bytes` 0 is the limit of the kind.
    """

    url: str
    method: str = "POST"
    params: tuple[tuple[str, str], ...] = ()
    key: str = ""
    jar: str = ""
    kind: Kind = "document"
    token: str = ""
    max_bytes: int = 0


@frozen
class Answer:
    """A 2xx. `url` is what relative URLs resolve against: after redirects, without our parameters.

    `media_type` is lower case, "" when none was given, and so is `charset`. `sent_url`,
    `sent_headers` and `signature` are those of the last hop. `notes` are for the debugger.
    """

    url: str
    status: int
    headers: Headers
    body: bytes
    media_type: str
    charset: str
    seconds: float
    from_cache: bool = False
    method: str = "POST"
    sent_url: str = ""
    sent_headers: Headers = ()
    signature: str = ""
    notes: tuple[Note, ...] = ()


class Webhooks:
    """Asks on behalf of all accounts; keeps cookies, logins and, with a `cache`, documents."""

    def __init__(
        self,
        send: Send,
        *,
        cache: Cache | None = None,
        user_agent: str = f"Offhook/{__version__}",
        home_region: str = "us1",
        media_bytes: int = 64 * 1024 * 1024,
        timeout: float = 15.0,
        random_hex: Callable[[], str] = sids.random_hex,
    ) -> None:
        self.send, self.cache, self.random_hex = send, cache, random_hex
        self.timeout = timeout
        self.user_agent, self.home_region, self.media_bytes = user_agent, home_region, media_bytes
        self.sessions = Sessions()
        self.under_way = 0  # requests that are waited for
        self.measure: Measure = lambda kind, code, seconds: None

    async def ask(self, request: Request) -> Answer:
        """Any 2xx, after redirects, within `timeout`. Raises WebhookError with a code of 11xxx."""
        first = target(request.url, underscore=request.kind != "callback")
        errand = _Errand(self, request, first)
        code = CANCELLED
        self.under_way += 1
        try:
            async with asyncio.timeout(errand.total):
                answer = await errand.run()
            code = 0
            return answer
        except TimeoutError:
            code = TOO_SLOW
            raise errand.failed(
                TOO_SLOW, f"no answer within {errand.total:g} s altogether"
            ) from None
        except WebhookError as error:
            code = error.code
            raise
        finally:
            self.under_way -= 1
            self.sessions.keep(request.jar, errand.session, clock.now())
            self.measure(request.kind, code, errand.seconds)


class _Hop:
    """One URL on the way from the one asked to the one that answers."""

    def __init__(self, to: Target, method: str, params: tuple[tuple[str, str], ...]) -> None:
        self.to, self.method, self.params = to, method, params
        self.by_get = method in {"GET", "HEAD"}
        self.url = to.asked(params) if self.by_get else to.url


class _Errand:
    """One request with its redirects, retries and challenges."""

    def __init__(self, webhooks: Webhooks, request: Request, first: Target) -> None:
        self._webhooks, self._request = webhooks, request
        self._limits, self._notes = first.overrides, first.notes
        self._retries = first.overrides.retries
        self.total = min(first.overrides.total, webhooks.timeout)
        self._token = request.token or sids.uuid()
        self.session = webhooks.sessions.of(request.jar, clock.now())
        method = request.method.upper()
        method = method if method in {"GET", "HEAD"} else "POST"
        self._hop = _Hop(first, method, request.params)
        self._sent: Headers = ()
        self._began = clock.now()

    @property
    def seconds(self) -> float:
        return clock.now() - self._began

    async def run(self) -> Answer:
        for _ in range(MAX_REDIRECTS + 1):
            incoming, from_cache = await self._visit()
            moved = incoming.status in _KEEP_METHOD or incoming.status in _BECOME_GET
            location = incoming.header("Location") if moved else ""
            if not location:
                return self._answer(incoming, from_cache)
            self._follow(incoming.status, location)
        raise self.failed(11215, f"more than {MAX_REDIRECTS} redirects")

    def failed(self, code: int, message: str, incoming: Incoming | None = None) -> WebhookError:
        last = incoming or Incoming(0, (), b"")
        return WebhookError(
            code, self._hop.to.url, message, method=self._hop.method,
            status=last.status, headers=last.headers, body=last.body,
        )  # fmt: skip

    def _follow(self, status: int, location: str) -> None:
        """Go where a redirect says: 307 and 308 keep the form, the others become a plain GET."""
        where = target(resolve(self._hop.url, location))
        if status in _KEEP_METHOD and not self._hop.by_get:
            self._hop = _Hop(where, self._hop.method, self._hop.params)
        else:
            self._hop = _Hop(where, "HEAD" if self._hop.method == "HEAD" else "GET", ())

    async def _visit(self) -> tuple[Incoming, bool]:
        """The response of the current hop, and whether it is a stored one."""
        hop, cache = self._hop, self._webhooks.cache
        headers = self._headers()
        if cache is None or self._request.kind == "callback":
            return await self._deliver(headers), False
        owner = self._owner()
        if hop.method == "GET":
            return await cache.fetch(hop.url, headers, self._deliver, owner=owner)
        incoming = await self._deliver(headers)
        if hop.method == "POST" and incoming.status < 400:
            await cache.invalidate(hop.url, owner=owner)
        return incoming, False

    def _login(self) -> Login | None:
        return self.session.login(self._hop.to, self._webhooks.random_hex)

    def _owner(self) -> str:
        """Whose a stored answer is: with credentials theirs alone, else everybody's."""
        login = self._login()
        if login is None:
            return ""
        who = login.credentials
        return f"{self._request.key}\n{who.user}\n{who.password}"

    async def _deliver(self, headers: Headers) -> Incoming:
        """One hop's response: sent again as the retry policy and a challenge ask for."""
        login, refused = self._login(), False
        while True:
            try:
                incoming = await self._once(headers, login)
            except TransportError as error:
                if self._may_retry(error.failure):
                    continue
                raise self._transport_failed(error) from error
            if incoming.status == 401 and login and not refused:
                refused = login.meet(incoming.all("WWW-Authenticate"))
                if refused:
                    continue
            if self._may_retry(f"{incoming.status // 100}xx"):
                continue
            return incoming

    async def _once(self, headers: Headers, login: Login | None) -> Incoming:
        self._sent = self._with_session(headers, login)
        incoming = await self._webhooks.send(self._outgoing())
        self.session.cookies.keep(self._hop.url, incoming.all("Set-Cookie"), clock.utc())
        return incoming

    def _with_session(self, headers: Headers, login: Login | None) -> Headers:
        """The headers with the cookies and the authorization as they are by now."""
        if not self.session.filled:
            return headers
        hop, own = self._hop, list[tuple[str, str]]()
        if cookie := self.session.cookies.header(hop.url, clock.utc()):
            own.append(("Cookie", cookie))
        if login and login.challenged:
            path = hop.url.removeprefix(hop.to.origin)
            own.append(("Authorization", login.authorization(hop.method, path)))
        return (*(each for each in headers if each[0] != "Cookie"), *own)

    def _outgoing(self) -> Outgoing:
        hop, request, limits = self._hop, self._request, self._limits
        sound = request.max_bytes or self._webhooks.media_bytes
        return Outgoing(
            method=hop.method,
            url=hop.url,
            headers=self._sent,
            body=b"" if hop.by_get else _form(hop.params),
            connect=limits.connect,
            read=limits.read if limits.read < self.total else None,
            server_name=limits.server_name,
            max_bytes=sound if request.kind == "media" else request.max_bytes or DOCUMENT_BYTES,
            max_sound_bytes=sound,
            cut=request.kind == "callback",
        )

    def _headers(self) -> Headers:
        """The headers of the current hop.  reference: lifecycle section 5, webhooks section 2."""
        hop, webhooks = self._hop, self._webhooks
        headers = [
            ("User-Agent", webhooks.user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            ("Cache-Control", "max-age=259200"),
            ("I-Twilio-Idempotency-Token", self._token),
            ("X-Home-Region", webhooks.home_region),
        ]
        if not hop.by_get:
            headers.append(("Content-Type", _FORM))
        if self._request.key:
            signed = signature(self._request.key, hop.url, () if hop.by_get else hop.params)
            headers.append(("X-Twilio-Signature", signed))
        if cookie := self.session.cookies.header(hop.url, clock.utc()):
            headers.append(("Cookie", cookie))
        return tuple(headers)

    def _may_retry(self, failure: str) -> bool:
        if not self._retries or failure not in self._limits.retry_on:
            return False
        self._retries -= 1
        return True

    def _transport_failed(self, error: TransportError) -> WebhookError:
        too_large_sound = isinstance(error, TooLarge) and self._request.kind == "media"
        return self.failed(11751 if too_large_sound else error.code, error.message)

    def _answer(self, incoming: Incoming, from_cache: bool) -> Answer:
        if not 200 <= incoming.status < 300:
            raise self.failed(11200, f"answered with status {incoming.status}", incoming)
        media_type, charset = _content_type(incoming.header("Content-Type"))
        return Answer(
            url=self._hop.to.url,
            status=incoming.status,
            headers=incoming.headers,
            body=incoming.body,
            media_type=media_type,
            charset=charset,
            seconds=self.seconds,
            from_cache=from_cache,
            method=self._hop.method,
            sent_url=self._hop.url,
            sent_headers=self._sent,
            signature=dict(self._sent).get("X-Twilio-Signature", ""),
            notes=self._notes,
        )


def error_params(code: int, url: str) -> tuple[tuple[str, str], ...]:
    """What a fallback URL is told besides the usual parameters: what failed, and where."""
    return ("ErrorCode", str(code)), ("ErrorUrl", without_credentials(url))


def _form(params: Iterable[tuple[str, str]]) -> bytes:
    return "&".join(map(_field, params)).encode()


@lru_cache(maxsize=2048)
def _field(param: tuple[str, str]) -> str:
    """Most of a form's fields come again."""
    name, value = param
    return f"{_quoted(name)}={_quoted(value)}"


def _quoted(text: str) -> str:
    return text if text.isalnum() and text.isascii() else quote_plus(text)


@lru_cache(maxsize=256)
def _content_type(text: str) -> tuple[str, str]:
    media_type, *parameters = (part.strip() for part in text.split(";"))
    given = dict(each.lower().split("=", 1) for each in parameters if "=" in each)
    return media_type.lower(), given.get("charset", "").strip("\"' ")
