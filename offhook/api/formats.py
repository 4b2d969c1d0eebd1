"""How answers are written: JSON, CSV, or XML where the path ends in `.xml` or in nothing.

A rendering is a dict in the original's property order; the XML carries the same values under
UpperCamelCase names. URIs in renderings have no suffix: JSON adds `.json`.
reference: REST conventions sections 3 and 6.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal
from xml.sax.saxutils import escape, quoteattr

from starlette.responses import Response

from offhook.api.forms import pascal
from offhook.errors import ApiError
from offhook.model import catalogue

Format = Literal["json", "xml", "csv"]
Rendering = Mapping[str, Any]

_MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "xml": "application/xml",
    "csv": "text/csv",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAMES = {"sms": "SMS", "mms": "MMS"}
_NOT_IN_NAMES = re.compile(r"^(?=[^A-Za-z_])|[^A-Za-z0-9_.-]")
_PAGING = ("page", "page_size", "uri", "first_page_uri", "previous_page_uri", "next_page_uri")


def write(format: Format, status: int, body: Rendering, element: str) -> Response:
    """One resource; `element` names it in XML."""
    if format == "json":
        return _json(status, with_suffix(body))
    if format == "csv":
        return _csv(status, [body])
    return _xml(status, _element(element, body))


def write_list(
    format: Format, paging: Rendering, key: str, element: str, items: list[Rendering]
) -> Response:
    """One page of a list: `key` holds it in JSON and, in UpperCamelCase, in XML."""
    if format == "json":
        return _json(200, {**paging, key: [with_suffix(item) for item in items]})
    if format == "csv":
        return _csv(200, items)
    attributes = "".join(
        f" {name.replace('_', '')}={quoteattr(_text(paging[name]))}" for name in _PAGING
    )
    inside = "".join(_element(element, item) for item in items)
    plural = element + "s" if element.startswith("SMS") else pascal(key)
    return _xml(200, f"<{plural}{attributes}>{inside}</{plural}>")


def write_error(format: Format, error: ApiError, only: Collection[str] = ()) -> Response:
    """The error body, or only some of its properties, in alphabetical order; CSV has XML's."""
    status = error.status or catalogue.http_status(error.code)
    message = error.message or catalogue.message(error.code)
    body: dict[str, Any] = {"code": error.code, "message": message}
    if error.code == 20003:
        body["detail"] = "Your AccountSid or AuthToken was incorrect."
    body["more_info"] = f"https://www.twilio.com/docs/errors/{error.code}"
    body["status"] = status
    ordered = {name: body[name] for name in sorted(body) if not only or name in only}
    response = (
        _json(status, ordered)
        if format == "json"
        else _xml(status, _element("RestException", ordered))
    )
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
    return response


def with_suffix(body: Rendering) -> dict[str, Any]:
    """The rendering as JSON has it, its URIs ending in `.json`."""
    changed = dict(body)
    if isinstance(changed.get("uri"), str):
        changed["uri"] = _in_json(changed["uri"])
    if isinstance(changed.get("subresource_uris"), Mapping):
        changed["subresource_uris"] = {
            name: _in_json(uri) for name, uri in changed["subresource_uris"].items()
        }
    return changed


def _in_json(uri: str) -> str:
    path, question, query = uri.partition("?")
    return f"{path}.json{question}{query}"


def _json(status: int, body: Rendering) -> Response:
    text = json.dumps(body, ensure_ascii=False)
    return Response(text.encode("utf-8", "replace"), status, media_type=_MEDIA_TYPES["json"])


def _xml(status: int, inside: str) -> Response:
    text = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<TwilioResponse>{inside}</TwilioResponse>"
    )  # fmt: skip
    return Response(text.encode(), status, media_type=_MEDIA_TYPES["xml"])


def _csv(status: int, items: list[Rendering]) -> Response:
    """A row of names, as in XML, and one for each item (RFC 4180), without subresources."""
    rows = [dict(_cells("", item)) for item in items]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        writer.writerows(rows)
    return Response(text.getvalue().encode("utf-8", "replace"), status, media_type="text/csv")


def _cells(prefix: str, item: Rendering) -> Iterator[tuple[str, str]]:
    for key, value in item.items():
        name = prefix + (_NAMES.get(key) or pascal(key))
        if isinstance(value, Mapping):
            yield from _cells(f"{name}.", value) if key != "subresource_uris" else ()
        elif isinstance(value, list | tuple):
            yield name, " ".join(_text(each) for each in value)
        else:
            yield name, _text(value)


@functools.lru_cache(1024)
def _tag(key: str) -> str:
    """What a property is called in XML. Some are called by strangers: headers of SIP are."""
    return _NAMES.get(key) or _NOT_IN_NAMES.sub("_", pascal(key)) or "_"


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        inside = "".join(_element(_tag(key), each) for key, each in value.items())
    elif isinstance(value, list | tuple):
        inside = "".join(_element(name.removesuffix("s"), each) for each in value)
    else:
        inside = escape(_text(value), {"\r": "&#13;"})
    return f"<{name}>{inside}</{name}>" if inside else f"<{name}/>"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _NOT_XML.sub("", str(value))
