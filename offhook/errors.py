"""Errors say whose fault it is. Codes and their texts are in `offhook.model.catalogue`."""

from __future__ import annotations


class OffhookError(Exception):
    """Anything this project raises on purpose."""


class ConfigError(OffhookError):
    """The operator's: a setting that cannot work. One line that says what to change."""


class ApiError(OffhookError):
    """The API client's: answered with `code`, the catalogue's HTTP status and `message`."""

    def __init__(self, code: int, message: str = "", status: int = 0) -> None:
        super().__init__(message or str(code))
        self.code, self.message, self.status = code, message, status


class DocumentError(OffhookError):
    """The application's: its TwiML cannot be run. `line` and `column` count from 1, in the
    document at `url`, where that is known."""

    def __init__(self, code: int, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.line, self.column = code, message, line, column
        self.url = ""


class WebhookError(OffhookError):
    """The application's: it could not be asked, or answered with an HTTP error.

    `status`, `headers` and `body` are those of the last answer, where there was one.
    """

    def __init__(
        self,
        code: int,
        url: str,
        message: str,
        *,
        method: str = "",
        status: int = 0,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.code, self.url, self.message, self.method = code, url, message, method
        self.status, self.headers, self.body = status, headers, body


class SpeechError(OffhookError):
    """The application's: text or media that cannot be heard; `code` is 13xxx."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class CarrierError(OffhookError):
    """The network's: a refusal. `code` is a SIP status (RFC 3261 section 21), `params` what it
    brought along, as request parameters: SipCallId, SipHeader_X-..."""

    def __init__(
        self, code: int, reason: str = "", params: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(f"{code} {reason}".strip())
        self.code, self.reason, self.params = code, reason, params
