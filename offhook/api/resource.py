"""What every REST resource is made of: routes, an action for each, and where a request is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from offhook.api.filters import Filters
from offhook.api.formats import Format, Rendering
from offhook.api.forms import Sent
from offhook.exchange.exchange import Exchange
from offhook.frozen import frozen
from offhook.model.account import Account
from offhook.store.table import Where

SUFFIXES = ("json", "xml", "csv", "html", "txt", "wav", "mp3")
RENDERED = ("", "xml", "json", "csv")
VERSION = "2010-04-01"


@frozen
class At:
    """Where a request is: in whose account, at which resource, asking for which format.

    `account` is the one in the path, `caller` who asks (the same or its parent; None at an `open`
    action). `path` is the path that was asked for, without prefix and suffix. `where` is what the
    action's filters say of the records of a list.
    """

    exchange: Exchange
    account: Account
    caller: Account | None
    names: Mapping[str, str]
    format: Format
    suffix: str
    path: str
    sent: Sent
    request: Request
    version: str = VERSION
    where: Sequence[Where] = ()

    @property
    def sid(self) -> str:
        return self.names["sid"]


@frozen
class Listed:
    """One page of renderings, and the paging properties that go with it."""

    items: list[Rendering]
    paging: Rendering


Answer = Rendering | Listed | Response | None
Run = Callable[..., Awaitable[Answer]]
AnyRun = TypeVar("AnyRun", bound=Run)


class Register(Protocol):
    """Makes an async function the action."""

    def __call__(self, run: AnyRun) -> AnyRun: ...


@frozen
class Action:
    """What answers a method at a path.

    `form` is read from what was sent, the query of a GET, and handed to `run`; `filters` are a
    list's. `open` needs no credentials; `dormant` also serves accounts that are suspended or
    closed; `manages` is closed to standard API keys.
    """

    method: str
    path: str
    run: Run
    element: str
    key: str
    form: type[Any] | None = None
    status: int = 200
    suffixes: tuple[str, ...] = RENDERED
    open: bool = False
    dormant: bool = False
    manages: bool = False
    filters: Filters = ()

    @property
    def names(self) -> list[str]:
        return [each[1:-1] for each in self.path.split("/") if each.startswith("{")]

    @property
    def is_instance(self) -> bool:
        return self.path.endswith("}")


class Resource:
    """The actions below one path. `element` names one of it in XML, `key` the list in JSON."""

    def __init__(self, path: str, *, element: str, key: str) -> None:
        self.path, self.element, self.key = path, element, key
        self.actions: list[Action] = []

    def get(self, path: str = "", **more: Any) -> Register:
        return self._action("GET", path, more)

    def create(self, form: type[Any], path: str = "", **more: Any) -> Register:
        return self._action("POST", path, {"status": 201, "form": form} | more)

    def update(self, form: type[Any], path: str = "/{sid}", **more: Any) -> Register:
        return self._action("POST", path, {"form": form} | more)

    def delete(self, path: str = "/{sid}", **more: Any) -> Register:
        return self._action("DELETE", path, {"status": 204} | more)

    def _action(self, method: str, path: str, more: Mapping[str, Any]) -> Register:
        def register(run: AnyRun) -> AnyRun:
            self.actions.append(
                Action(method, self.path + path, run, self.element, self.key, **more)
            )
            return run

        return register


@dataclass(slots=True)
class _Place:
    """A node of the tree of paths: its actions, and what may follow."""

    actions: list[Action] = field(default_factory=list)
    following: dict[str, _Place] = field(default_factory=dict)
    named: _Place | None = None


class Routes:
    """Which actions a path has. A fixed segment goes before a `{name}`."""

    def __init__(self, actions: Iterable[Action]) -> None:
        self._root = _Place()
        for action in actions:
            place = self._root
            for segment in action.path.split("/")[1:]:
                place = _step(place, segment)
            place.actions.append(action)

    def find(self, path: str) -> tuple[list[Action], list[str]]:
        """Its actions and what their names stand for; no actions when there is no such path."""
        place, values = self._root, list[str]()
        for segment in path.split("/")[1:]:
            if segment in place.following:
                place = place.following[segment]
            elif place.named and segment:
                values.append(segment)
                place = place.named
            else:
                return [], []
        return place.actions, values


def _step(place: _Place, segment: str) -> _Place:
    if not segment.startswith("{"):
        return place.following.setdefault(segment, _Place())
    if place.named is None:
        place.named = _Place()
    return place.named


def split_suffix(path: str) -> tuple[str, str]:
    """The path without its format suffix, and the suffix, if it is one that we know."""
    head, dot, suffix = path.rpartition(".")
    return (head, suffix) if dot and suffix in SUFFIXES else (path, "")
