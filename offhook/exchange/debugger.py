"""The debugger: every failure and warning becomes a Notification, a log line and an event."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import structlog

from offhook import clock, sids
from offhook.errors import DocumentError, WebhookError
from offhook.exchange.exchange import Exchange
from offhook.line.leg import Trace
from offhook.line.live_call import LiveCall
from offhook.model import catalogue
from offhook.model.account import Notification
from offhook.model.journal import PendingCallback
from offhook.store import records
from offhook.webhooks.ask import Answer
from offhook.webhooks.target import without_credentials

log = structlog.get_logger("offhook.debugger")
MAX_BODY = 16_384


def note(
    exchange: Exchange,
    account_sid: str,
    code: int,
    message: str = "",
    *,
    subject: str = "",
    url: str = "",
    method: str = "",
    variables: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    line: int = 0,
    column: int = 0,
) -> None:
    """Writes one down. `subject` is the call's or message's SID; the level is the catalogue's."""
    warning = catalogue.level(code) == "warning"
    text, url = message or catalogue.message(code), without_credentials(url)
    at = clock.utc()
    pairs = {
        "EmailNotification": "false",
        "LogLevel": "WARN" if warning else "ERROR",
        "sourceComponent": "12000" if str(code).startswith(("12", "13", "14")) else "11000",
        "Msg": text,
        "ErrorCode": str(code),
        "url": url,
    } | ({"line": str(line), "cols": str(column)} if line else {})
    entry = Notification(
        sids.new("NO"), account_sid, int(warning), code, urlencode(pairs), at, at, at,
        call_sid=subject, request_method=method, request_url=url, request_variables=variables,
        response_headers=urlencode(headers),
        response_body=body[:MAX_BODY].decode("utf-8", "replace"),
    )  # fmt: skip
    exchange.counts["debugger", str(code)] += 1
    exchange.spawn(exchange.store.write(records.notifications.insert, entry), "debugger")
    told: dict[str, Any] = {"code": code, "message": text, "url": url}
    if line:
        told |= {"line": line, "column": column}
    exchange.journal.add(subject, account_sid, "debugger", told)
    (log.warning if warning else log.error)("debugger", subject=subject, **told)


def listen(exchange: Exchange, trace: Trace, subject: str, account_sid: str) -> None:
    """A leg's signalling goes to the journal of its call; what its carrier complains of, here."""

    def hear(kind: str, data: dict[str, Any]) -> None:
        if kind == "debugger":
            note(exchange, account_sid, data["code"], data.get("message", ""), subject=subject)
        else:
            exchange.journal.add(subject, account_sid, kind, data)

    trace.listen(hear)


def note_call(exchange: Exchange, call: LiveCall, code: int, message: str = "") -> None:
    """About the running verb."""
    verb, line, column = call.position
    text = f"{verb}: {message or catalogue.message(code)}" if verb else message
    note(
        exchange, call.record.account_sid, code, text, subject=call.record.sid,
        url=call.document_url, line=line, column=column,
    )  # fmt: skip


def note_failure(
    exchange: Exchange, account_sid: str, subject: str, error: WebhookError | DocumentError,
    url: str = "", variables: str = "", answer: Answer | None = None,
) -> None:  # fmt: skip
    """About a document that could not be had, or not be read from the `answer`."""
    if isinstance(error, WebhookError):
        note(
            exchange, account_sid, error.code, error.message, subject=subject, url=error.url or url,
            method=error.method, variables=variables, headers=error.headers, body=error.body,
        )  # fmt: skip
    else:
        note(
            exchange, account_sid, error.code, error.message, subject=subject, url=url,
            method=answer.method if answer else "", variables=variables,
            headers=answer.headers if answer else (), body=answer.body if answer else b"",
            line=error.line, column=error.column,
        )  # fmt: skip


def note_callback(
    exchange: Exchange, callback: PendingCallback, outcome: Answer | WebhookError
) -> None:
    """A callback was made: part of its call's story, and a warning when it was not taken."""
    told = {
        "callback": callback.kind, "method": callback.method, "url": callback.url,
        "params": dict(callback.params), "status": outcome.status,
    }  # fmt: skip
    exchange.journal.add(callback.subject, callback.account_sid, "webhook", told)
    if isinstance(outcome, WebhookError):
        note(
            exchange, callback.account_sid, 15003 if outcome.status else outcome.code,
            outcome.message, subject=callback.subject, url=callback.url, method=callback.method,
            variables=urlencode(callback.params), headers=outcome.headers, body=outcome.body,
        )  # fmt: skip
        return
    for each in outcome.notes:
        note(
            exchange, callback.account_sid, each.code, each.message, subject=callback.subject,
            url=callback.url,
        )  # fmt: skip
