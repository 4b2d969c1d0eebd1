"""The queue of callbacks.  reference: lifecycle section 10, 12-decisions."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from webhook_application import CALL, KEY, Inside, header, said

from offhook.errors import WebhookError
from offhook.model.journal import PendingCallback
from offhook.store import Store, records, sqlite_url, template
from offhook.webhooks.ask import Answer, Webhooks
from offhook.webhooks.notify import Notifier
from offhook.webhooks.sign import signature
from offhook.webhooks.transport import Incoming, Outgoing, TransportError

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Outcome = tuple[PendingCallback, Answer | WebhookError]


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template(tmp_path_factory.mktemp("template"))


class Office:
    """A notifier at work on a store, and what its callbacks came to."""

    def __init__(self, store: Store, webhooks: Webhooks) -> None:
        self.store, self.webhooks = store, webhooks
        self.outcomes: list[Outcome] = []
        self.host = "app.test"

    @asynccontextmanager
    async def open(self, **settings: int) -> AsyncIterator[Notifier]:
        notifier = Notifier(self.store, self.webhooks, self.key, self.done, **settings)
        await notifier.start()
        try:
            yield notifier
        finally:
            await notifier.close()

    async def key(self, account_sid: str) -> str:
        return KEY if account_sid == "AC1" else "other key"

    def done(self, callback: PendingCallback, outcome: Answer | WebhookError) -> None:
        self.outcomes.append((callback, outcome))

    async def owe(self, subject: str, *steps: str, kind: str = "status", **params: str) -> None:
        for step in steps:
            callback = PendingCallback(
                subject, "AC1", f"http://{self.host}/{subject}/{step}", "POST",
                tuple({"CallSid": subject, "CallStatus": step, **params}.items()),
                f"token-{subject}-{step}", AT, kind,
            )  # fmt: skip
            await self.store.write(records.callbacks.insert, callback)

    async def owed(self) -> int:
        return await self.store.read(records.callbacks.count)


Opened = Callable[[Callable[[Outgoing], Incoming | Awaitable[Incoming]]], Awaitable[Office]]


@pytest.fixture
def office(empty: Path, tmp_path: Path):
    """Opens the office on one and the same database, as often as asked."""
    path = Path(shutil.copyfile(empty, tmp_path / "offhook.db"))

    @asynccontextmanager
    async def opening(answer) -> AsyncIterator[tuple[Office, Inside]]:
        store = await Store.open(sqlite_url(path), migrate=False)
        inside = Inside(answer)
        try:
            yield Office(store, Webhooks(inside.send)), inside
        finally:
            await store.close()

    return opening


def paths(inside: Inside) -> list[str]:
    return [sent.url.removeprefix("http://app.test/") for sent in inside.sent]


async def test_a_callback_is_sent_signed_and_then_no_longer_owed(office):
    async with office(lambda outgoing: said(204)) as (at, inside), at.open() as notifier:
        await at.owe(CALL, "completed")
        notifier.wake()
        await notifier.settled()
        (sent,) = inside.sent
        assert await at.owed() == 0
    form = parse_qsl(sent.body.decode())
    assert form == [("CallSid", CALL), ("CallStatus", "completed")]
    assert header(sent, "X-Twilio-Signature") == signature(KEY, sent.url, form)
    assert header(sent, "I-Twilio-Idempotency-Token") == f"token-{CALL}-completed"
    assert [type(outcome) for _, outcome in at.outcomes] == [Answer]


async def test_those_of_one_call_are_sent_in_order_and_one_at_a_time(office):
    async def slow(outgoing: Outgoing) -> Incoming:
        await asyncio.sleep(5 if outgoing.url.endswith("ringing") else 0)
        ended.append(outgoing.url)
        return said()

    ended: list[str] = []
    async with office(slow) as (at, inside), at.open() as notifier:
        await at.owe("CA1", "initiated", "ringing", "answered")
        notifier.wake()
        await asyncio.sleep(1)
        assert paths(inside) == ["CA1/initiated", "CA1/ringing"]
        await at.owe("CA1", "completed")
        notifier.wake()
        await notifier.settled()
    assert paths(inside) == ["CA1/initiated", "CA1/ringing", "CA1/answered", "CA1/completed"]
    assert ended == [sent.url for sent in inside.sent]


async def test_a_slow_application_holds_up_only_its_own_call(office):
    async def slow(outgoing: Outgoing) -> Incoming:
        await asyncio.sleep(10 if "CA1" in outgoing.url else 0)
        return said()

    async with office(slow) as (at, _), at.open() as notifier:
        await at.owe("CA1", "completed")
        await at.owe("CA2", "completed")
        notifier.wake()
        await notifier.settled()
    assert [callback.subject for callback, _ in at.outcomes] == ["CA2", "CA1"]


@pytest.mark.parametrize("at_once", [1, 3])
async def test_only_so_many_are_under_way_at_once(office, at_once: int):
    under_way: list[str] = []
    most = 0

    async def slow(outgoing: Outgoing) -> Incoming:
        nonlocal most
        under_way.append(outgoing.url)
        most = max(most, len(under_way))
        await asyncio.sleep(1)
        under_way.remove(outgoing.url)
        return said()

    async with office(slow) as (at, _), at.open(at_once=at_once, in_memory=4) as notifier:
        for n in range(9):
            await at.owe(f"CA{n}", "completed")
        notifier.wake()
        await notifier.settled()
    assert (most, len(at.outcomes)) == (at_once, 9)


@pytest.mark.parametrize("status", [404, 500])
async def test_an_error_status_is_told_and_not_tried_again(office, status: int):
    async with office(lambda outgoing: said(status)) as (at, inside), at.open() as notifier:
        await at.owe(CALL, "ringing", "completed")
        notifier.wake()
        await notifier.settled()
        assert await at.owed() == 0
    assert paths(inside) == [f"{CALL}/ringing", f"{CALL}/completed"]
    assert [outcome.status for _, outcome in at.outcomes] == [status, status]
    assert all(isinstance(outcome, WebhookError) for _, outcome in at.outcomes)


async def test_a_failed_connection_is_tried_once_more_with_the_same_token(office):
    def refused(outgoing: Outgoing) -> Incoming:
        raise TransportError(11202, "refused", "ct")

    async with office(refused) as (at, inside), at.open() as notifier:
        await at.owe(CALL, "completed")
        notifier.wake()
        await notifier.settled()
        assert await at.owed() == 0
    tokens = [header(sent, "I-Twilio-Idempotency-Token") for sent in inside.sent]
    assert tokens == [f"token-{CALL}-completed"] * 2
    assert [getattr(outcome, "code", 0) for _, outcome in at.outcomes] == [11202]


async def test_a_bad_url_or_a_fault_of_ours_does_not_hold_up_the_rest(office):
    def answer(outgoing: Outgoing) -> Incoming:
        if "CA1" in outgoing.url:
            raise RuntimeError("a fault of ours")
        return said()

    async with office(answer) as (at, _), at.open() as notifier:
        await at.owe("CA1", "completed")
        await at.owe("CA_2", "completed")
        bad = PendingCallback("CA3", "AC1", "nonsense", "POST", (), "t", AT)
        await at.store.write(records.callbacks.insert, bad)
        notifier.wake()
        await notifier.settled()
        assert await at.owed() == 0
    codes = {callback.subject: getattr(outcome, "code", 0) for callback, outcome in at.outcomes}
    assert codes == {"CA1": 12400, "CA_2": 0, "CA3": 11100}


async def test_what_was_under_way_at_a_stop_is_sent_after_the_start_with_the_same_token(office):
    """At least once."""

    async def never(outgoing: Outgoing) -> Incoming:
        await asyncio.sleep(14)
        return said()

    async with office(never) as (at, before), at.open() as notifier:
        await at.owe("CA1", "ringing", "completed")
        await at.owe("CA2", "completed")
        notifier.wake()
        await asyncio.sleep(1)
    async with office(lambda outgoing: said()) as (at, after), at.open() as notifier:
        await notifier.settled()
        assert await at.owed() == 0
    assert sorted(paths(before)) == ["CA1/ringing", "CA2/completed"]
    assert sorted(paths(after)) == ["CA1/completed", "CA1/ringing", "CA2/completed"]
    in_order = [path for path in paths(after) if path.startswith("CA1")]
    assert in_order == ["CA1/ringing", "CA1/completed"]
    tokens = [{header(sent, "I-Twilio-Idempotency-Token") for sent in each.sent}
              for each in (before, after)]  # fmt: skip
    assert tokens[0] < tokens[1]


async def test_a_calls_cookies_reach_its_callbacks(office):
    def answer(outgoing: Outgoing) -> Incoming:
        return said(Set_Cookie="a=b; Path=/")

    async with office(answer) as (at, inside), at.open() as notifier:
        for _ in range(2):
            await at.owe(CALL, "ringing", "completed")
            notifier.wake()
            await notifier.settled()
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", "a=b", "a=b", "a=b"]


async def test_a_messages_callbacks_carry_no_cookies(office):
    async with (
        office(lambda outgoing: said(Set_Cookie="a=b")) as (at, inside),
        at.open() as notifier,
    ):
        await at.owe("SM1", "sent", "delivered", kind="message")
        notifier.wake()
        await notifier.settled()
    assert [header(sent, "Cookie") for sent in inside.sent] == ["", ""]


async def test_a_server_that_is_dead_does_not_keep_the_others_waiting(office):
    async def dead(outgoing: Outgoing) -> Incoming:
        if "CA1" in outgoing.url:
            return said()
        await asyncio.sleep(10)
        return said()

    async with office(dead) as (at, inside), at.open() as notifier:
        for number in range(200, 500):
            await at.owe(f"CA{number}", "completed")
        notifier.wake()
        await asyncio.sleep(0.1)
        at.host = "other.test"
        await at.owe("CA1", "completed")
        notifier.wake()
        await asyncio.sleep(0.1)
        assert any("other.test" in sent.url for sent in inside.sent)
        assert len(inside.sent) == 65
