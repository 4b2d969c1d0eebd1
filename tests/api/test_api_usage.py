"""Usage records and triggers, counted from what happened, priced by a price list.

reference: accounts, Usage records and Usage triggers.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from api_client import OURS, Api, Serving, furnish, line

from offhook import clock, sids
from offhook.config.prices import Prices
from offhook.config.settings import Settings
from offhook.exchange import billing, messages, recovery, usage
from offhook.model.call import Call
from offhook.model.message import Message
from offhook.model.usage import Period, month_after, of_message, period_of
from offhook.store import records

THEIRS = "+14155550123"
PRICES = Prices(
    calls_outbound=0.013, calls_inbound=0.0085, calls_to={"+44": 0.02, "+4477": 0.05},
    messages_outbound=0.0079, messages_inbound=0.0075, recordings=0.0025, numbers_local=1.15,
    opening_balance=10,
)  # fmt: skip


KEEP = {"Trim": "do-not-trim"}


def priced(folder: Path) -> Settings:
    return Settings(data=folder, prices=PRICES)


async def used(api: Api, category: str, path: str = "", **query: Any) -> Any:
    """The one record of a category."""
    listed = await api.get(f"Usage/Records{path}.json", Category=category, **query)
    [found] = listed.json["usage_records"]
    return found


async def test_a_call_is_priced_and_counted_when_it_ends(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        twiml = "<Response><Pause length='61'/></Response>"
        form = {"To": THEIRS, "From": OURS, "Twiml": twiml, "Record": "true"} | KEEP
        call = (await api.post("Calls.json", **form)).json
        assert call["price"] is None
        await api.exchange.settle()
        over = (await api.get(call["uri"])).json
        assert over["status"] == "completed"
        assert (over["price"], over["price_unit"]) == ("-0.02600", "USD")
        [recording] = (await api.get("Recordings.json")).json["recordings"]
        assert recording["price"] == "-0.00500"
        for category in ("calls", "calls-outbound"):
            found = await used(api, category)
            assert (found["count"], found["count_unit"]) == ("1", "calls")
            assert (found["usage"], found["usage_unit"]) == ("2", "minutes")
            assert (found["price"], found["price_unit"]) == ("0.026", "usd")
        assert (await used(api, "recordings"))["usage"] == "2"
        total = await used(api, "totalprice")
        assert total["price"] == total["usage"] == "0.031"
        assert (await used(api, "calls-inbound"))["count"] == "0"


async def test_the_balance_is_the_opening_one_less_what_was_used(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        assert (await api.get("Balance.json")).json["balance"] == "10.0"
        form = {"To": THEIRS, "From": OURS, "Twiml": "<Response><Pause length='61'/></Response>"}
        await api.post("Calls.json", **form)
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        text = {"To": THEIRS, "From": "+14155550111", "Body": "a" * 161}
        await api.post(f"/2010-04-01/Accounts/{child.sid}/Messages.json", **text)
        await api.exchange.settle()
        assert (await api.get("Balance.json")).json["balance"] == "9.9582"
        [left] = (await api.get("Balance")).xml
        assert left.findtext("Balance") == "9.9582"


async def test_a_call_that_nobody_answers_costs_nothing(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        form = {"To": THEIRS, "From": OURS, "Twiml": "<Response/>"}
        call = (await api.post("Calls.json", **form)).json
        await api.post(call["uri"], Status="canceled")
        await api.exchange.settle()
        assert (await api.get(call["uri"])).json["price"] is None
        assert (await used(api, "calls"))["count"] == "0"


async def test_a_text_is_priced_by_its_segments(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        form = {"To": THEIRS, "From": OURS, "Body": "x" * 200}
        text = (await api.post("Messages.json", **form)).json
        await api.exchange.settle()
        assert (await api.get(text["uri"])).json["price"] == "-0.01580"
        for category in ("sms", "sms-outbound", "sms-outbound-longcode"):
            found = await used(api, category)
            assert (found["count"], found["usage"]) == ("1", "2")
            assert found["usage_unit"] == "segments"
        assert (await used(api, "sms-inbound"))["count"] == "0"


async def test_a_text_that_comes_in_counts(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        text = await messages.on_text(api.exchange, OURS, THEIRS, "Hi")
        assert text is not None
        assert text.price == "-0.00750"
        found = await used(api, "sms-inbound-longcode")
        assert (found["count"], found["price"]) == ("1", "0.0075")


async def test_a_call_that_a_crash_interrupted_is_priced_and_counted(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        live = a_call(account_sid=api.account.sid, status="in-progress", duration=None)
        now = clock.utc()
        live = replace(live, start_time=now - timedelta(seconds=90), date_updated=now)
        await api.exchange.store.write(records.calls.insert, live)
        await recovery.recover(api.exchange)
        over = (await api.get(f"Calls/{live.sid}.json")).json
        assert over["status"] == "completed"
        assert over["price"] == "-0.02600"
        assert (await used(api, "calls", StartDate="2026-01-01"))["count"] == "1"


async def test_once_a_minute_triggers_are_told_of(tmp_path: Path) -> None:
    async with line(priced(tmp_path)) as api:
        keeping = asyncio.create_task(usage.keep(api.exchange))
        made = await trigger(api, TriggerValue="1")
        await spent(api, clock.utc())
        await asyncio.sleep(61)
        await api.exchange.notifier.settled()
        keeping.cancel()
        [told] = [each for each in api.asked if each.url == TRIGGER["CallbackUrl"]]
        assert dict(parse_qsl(told.body.decode()))["UsageTriggerSid"] == made["sid"]
        assert "X-Twilio-Signature" in dict(told.headers)


async def test_a_call_that_was_refused_does_not_count(serving: Serving) -> None:
    async with serving() as api:
        refused = {"status": "busy", "duration": 0, "end_time": clock.utc()}
        busy = a_call(account_sid=api.account.sid, **refused)
        await api.exchange.store.write(billing.count_call, busy)
        assert (await used(api, "calls"))["count"] == "0"


def a_call(**more: Any) -> Call:
    now = datetime(2026, 5, 17, 12, tzinfo=UTC)
    call = Call(sids.new("CA"), "AC" + "1" * 32, THEIRS, OURS, "outbound-api", now, now)
    return replace(call, **({"status": "completed", "duration": 60} | more))


def prices() -> Any:
    exact = {"calls_outbound": Decimal("0.013"), "calls_inbound": Decimal("0.0085")}
    tables = {"calls_to": {"+44": Decimal("0.02"), "+4477": Decimal("0.05")}}
    kinds = {"calls_sip": Decimal("0.004"), "calls_client": Decimal("0.001")}
    return usage.Prices(**exact, **tables, **kinds)


@pytest.mark.parametrize(
    ("call", "price"),
    [
        (a_call(), "-0.01300"),
        (a_call(duration=61), "-0.02600"),
        (a_call(duration=0), "0.00000"),
        (a_call(direction="inbound"), "-0.00850"),
        (a_call(to="+442079460000"), "-0.02000"),
        (a_call(to="+447700900000"), "-0.05000"),
        (a_call(to="sip:ann@example.org"), "-0.00400"),
        (a_call(to="client:ann"), "-0.00100"),
        (a_call(direction="inbound", from_="client:ann"), "-0.00100"),
        (a_call(status="busy", duration=0), None),
    ],
)
def test_what_a_call_costs_depends_on_its_far_end(call: Call, price: str | None) -> None:
    assert billing.priced(prices(), call).price == price


def test_without_a_price_list_nothing_costs_anything() -> None:
    assert billing.priced(usage.Prices(), a_call()).price == "0.00000"


async def spent(api: Api, at: datetime, minutes: int = 1, **more: Any) -> None:
    """A call that ended then."""
    owner = {"account_sid": api.account.sid} | more
    call = a_call(end_time=at, duration=60 * minutes, price=f"-{minutes}.00000", **owner)
    await api.exchange.store.write(billing.count_call, call)


async def test_a_record_tells_its_period_and_where_the_others_are(serving: Serving) -> None:
    async with serving() as api:
        found = await used(api, "calls", StartDate="2026-01-01", EndDate="2026-01-31")
        assert list(found) == [
            "account_sid", "api_version", "as_of", "category", "count", "count_unit",
            "description", "end_date", "price", "price_unit", "start_date", "subresource_uris",
            "uri", "usage", "usage_unit",
        ]  # fmt: skip
        assert (found["start_date"], found["end_date"]) == ("2026-01-01", "2026-01-31")
        assert (found["count"], found["usage"], found["price"]) == ("0", "0", "0")
        assert found["uri"] == (
            f"{api.base}/Usage/Records.json?Category=calls&StartDate=2026-01-01&EndDate=2026-01-31"
        )
        assert list(found["subresource_uris"]) == [
            "all_time", "daily", "last_month", "monthly", "this_month", "today", "yearly",
            "yesterday",
        ]  # fmt: skip
        assert found["subresource_uris"]["last_month"] == (
            f"{api.base}/Usage/Records/LastMonth.json?Category=calls"
        )
        [xml] = (await api.get("Usage/Records", Category="calls")).xml
        assert xml.tag == "UsageRecords"
        assert xml.findtext("UsageRecord/Category") == "calls"


async def test_days_months_and_years_have_a_row_each(serving: Serving) -> None:
    async with serving() as api:
        for day in ("2026-02-27", "2026-03-01", "2026-03-01"):
            await spent(api, datetime.fromisoformat(f"{day}T23:59:59+00:00"))
        span = {"Category": "calls", "StartDate": "2026-02-27", "EndDate": "2026-03-02"}
        daily = (await api.get("Usage/Records/Daily.json", **span)).json["usage_records"]
        assert [(each["start_date"], each["count"]) for each in daily] == [
            ("2026-03-02", "0"), ("2026-03-01", "2"), ("2026-02-28", "0"), ("2026-02-27", "1"),
        ]  # fmt: skip
        monthly = (await api.get("Usage/Records/Monthly.json", **span)).json["usage_records"]
        assert [(each["start_date"], each["end_date"], each["count"]) for each in monthly] == [
            ("2026-03-01", "2026-03-02", "2"), ("2026-02-27", "2026-02-28", "1"),
        ]  # fmt: skip
        [year] = (await api.get("Usage/Records/Yearly.json", **span)).json["usage_records"]
        assert (year["count"], year["price"]) == ("3", "3")


async def test_pages_go_through_categories_and_periods(serving: Serving) -> None:
    async with serving() as api:
        span = {"StartDate": "2026-03-01", "EndDate": "2026-03-02", "PageSize": 20}
        seen, uri = [], "Usage/Records/Daily.json"
        page = (await api.get(uri, **span)).json
        while True:
            seen += [(each["start_date"], each["category"]) for each in page["usage_records"]]
            if page["next_page_uri"] is None:
                break
            page = (await api.get(page["next_page_uri"])).json
        assert len(seen) == len(set(seen))
        days = {day: [c for d, c in seen if d == day] for day, _ in seen}
        assert list(days) == ["2026-03-02", "2026-03-01"]
        assert days["2026-03-02"] == days["2026-03-01"]
        assert {"calls", "sms", "phonenumbers", "totalprice"} < set(days["2026-03-02"])


@pytest.mark.parametrize(
    ("path", "days_ago", "counts"),
    [
        ("/Today", 0, True), ("/Today", 1, False), ("/Yesterday", 1, True),
        ("/Yesterday", 0, False), ("/ThisMonth", 0, True), ("/ThisMonth", 31, False),
        ("/LastMonth", 0, False), ("/AllTime", 0, True),
    ],
)  # fmt: skip
async def test_named_periods_hold_their_days_alone(
    serving: Serving, path: str, days_ago: int, counts: bool
) -> None:
    async with serving() as api:
        await spent(api, clock.utc() - timedelta(days=days_ago))
        assert (await used(api, "calls", path))["count"] == str(int(counts))


async def test_the_last_month_is_a_whole_one(serving: Serving) -> None:
    async with serving() as api:
        last_day = clock.utc().replace(day=1) - timedelta(days=1)
        await spent(api, last_day)
        found = await used(api, "calls", "/LastMonth")
        assert found["count"] == "1"
        assert found["end_date"] == last_day.date().isoformat()
        assert found["start_date"] == last_day.date().replace(day=1).isoformat()


async def test_dates_may_be_offsets_and_must_be_dates(serving: Serving) -> None:
    async with serving() as api:
        found = await used(api, "calls", StartDate="-30days", EndDate="+1days")
        today = clock.utc().date()
        assert found["start_date"] == (today - timedelta(days=30)).isoformat()
        assert found["end_date"] == (today + timedelta(days=1)).isoformat()
        for wrong in ("yesterday", "2026-02-30", "9999999days"):
            reply = await api.get("Usage/Records.json", StartDate=wrong)
            assert reply.code == (400, 20001)
        long = await api.get("Usage/Records/Daily.json", StartDate="0001-01-01")
        assert long.code == (400, 20001)
        none = await api.get("Usage/Records.json", StartDate="2026-02-02", EndDate="2026-02-01")
        assert none.json["usage_records"] == []


async def test_a_category_that_does_not_exist_has_no_records(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get("Usage/Records.json", Category="pigeons")).json["usage_records"] == []


async def test_subaccounts_are_included_unless_not_wanted(serving: Serving) -> None:
    async with serving() as api:
        below, _ = await furnish(api.exchange.store, api.account.sid, "+14155550177")
        await spent(api, clock.utc())
        await spent(api, clock.utc(), account_sid=below.sid)
        assert (await used(api, "calls"))["count"] == "2"
        assert (await used(api, "calls", IncludeSubaccounts="false"))["count"] == "1"


async def test_numbers_count_by_the_month(serving: Serving) -> None:
    async with serving() as api:
        since = clock.utc() - timedelta(days=70)
        await api.exchange.store.write(
            records.numbers.save, replace(api.number, date_created=since)
        )
        for _ in range(2):
            await usage.settle(api.exchange)
        start = since.date().isoformat()
        found = await used(api, "phonenumbers", StartDate=start)
        assert found["count"] == found["usage"] == "3"
        assert (await used(api, "phonenumbers-local", StartDate=start))["count"] == "3"
        month = {"StartDate": start, "EndDate": start}
        assert (await used(api, "phonenumbers", **month))["count"] == "1"


@pytest.mark.parametrize(
    ("path", "number", "kind", "price"),
    [
        ("Local", "+442079460100", "local", "1"),
        ("Mobile", "+447700900100", "mobile", "2"),
        ("TollFree", "+18005550100", "tollfree", "3"),
    ],
)
async def test_a_number_costs_and_counts_by_its_kind(
    tmp_path: Path, path: str, number: str, kind: str, price: str
) -> None:
    prices = Prices(numbers_local=1, numbers_mobile=2, numbers_tollfree=3)
    async with line(Settings(data=tmp_path, prices=prices)) as api:
        taken = await api.post(f"IncomingPhoneNumbers/{path}.json", PhoneNumber=number)
        await api.delete(f"IncomingPhoneNumbers/{api.number.sid}.json")
        await usage.settle(api.exchange)
        assert (await used(api, f"phonenumbers-{kind}"))["price"] == price
        called = {"direction": "inbound", "phone_number_sid": taken.json["sid"]}
        await spent(api, clock.utc(), **called)
        assert (await used(api, f"calls-inbound-{kind}"))["count"] == "1"


def test_a_month_ends_on_its_last_day_for_who_began_on_the_31st() -> None:
    began = datetime(2026, 1, 31, tzinfo=UTC)
    february = month_after(began, 31)
    assert (february.month, february.day) == (2, 28)
    march = month_after(february, 31)
    assert (march.month, march.day) == (3, 31)
    assert month_after(datetime(2026, 12, 5, tzinfo=UTC), 5).year == 2027


def test_inbound_and_short_code_texts_are_told_apart() -> None:
    now = datetime(2026, 5, 17, tzinfo=UTC)
    text = Message(sids.new("SM"), "AC", "12345", THEIRS, "", "inbound", now, now)
    names = [each.category for each in of_message(text)]
    assert names == ["sms", "sms-inbound", "sms-inbound-shortcode", "totalprice"]
    picture = replace(text, direction="outbound-reply", num_media=1)
    assert [each.category for each in of_message(picture)] == ["mms", "mms-outbound", "totalprice"]


TRIGGER = {
    "CallbackUrl": "http://a.test/used", "TriggerValue": "3", "UsageCategory": "calls",
    "TriggerBy": "count",
}  # fmt: skip


async def trigger(api: Api, **form: Any) -> Any:
    made = await api.post("Usage/Triggers.json", **(TRIGGER | form))
    assert made.status == 201, made.body
    return made.json


async def test_a_trigger_is_made_with_its_defaults(serving: Serving) -> None:
    async with serving() as api:
        form = {name: value for name, value in TRIGGER.items() if name != "TriggerBy"}
        made = (await api.post("Usage/Triggers.json", **form)).json
        assert list(made) == [
            "account_sid", "api_version", "callback_method", "callback_url", "current_value",
            "date_created", "date_fired", "date_updated", "friendly_name", "recurring", "sid",
            "trigger_by", "trigger_value", "uri", "usage_category", "usage_record_uri",
        ]  # fmt: skip
        assert (made["trigger_by"], made["callback_method"]) == ("usage", "POST")
        assert (made["trigger_value"], made["current_value"]) == ("3.000000", "0")
        assert (made["recurring"], made["date_fired"]) == (None, None)
        assert made["usage_record_uri"] == f"{api.base}/Usage/Records.json?Category=calls"
        assert (await api.get(made["uri"])).json == made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"CallbackUrl": ""}, 20001),
        ({"CallbackUrl": "nonsense"}, 21456),
        ({"CallbackMethod": "PUT"}, 21403),
        ({"TriggerValue": ""}, 20001),
        ({"TriggerValue": "-3"}, 20001),
        ({"TriggerValue": "0.0"}, 20001),
        ({"TriggerValue": "many"}, 20001),
        ({"UsageCategory": ""}, 20001),
        ({"UsageCategory": "pigeons"}, 20001),
        ({"Recurring": "hourly"}, 20001),
        ({"TriggerBy": "luck"}, 20001),
        ({"FriendlyName": "x" * 65}, 20002),
    ],
)
async def test_a_trigger_that_cannot_be_is_refused(
    serving: Serving, change: dict[str, str], code: int
) -> None:
    async with serving() as api:
        assert (await api.post("Usage/Triggers.json", **(TRIGGER | change))).code == (400, code)


async def test_a_plus_means_that_much_more_than_now(serving: Serving) -> None:
    async with serving() as api:
        await spent(api, clock.utc(), minutes=5)
        by_usage = await trigger(api, TriggerValue="+30", TriggerBy="usage")
        assert (by_usage["trigger_value"], by_usage["current_value"]) == ("35.000000", "5")
        by_price = await trigger(api, TriggerValue="+1.5", TriggerBy="price")
        assert by_price["trigger_value"] == "6.500000"


async def test_triggers_are_filtered_changed_and_deleted(serving: Serving) -> None:
    async with serving() as api:
        daily = await trigger(api, Recurring="daily")
        await trigger(api, UsageCategory="sms")
        listed = (await api.get("Usage/Triggers.json", Recurring="daily")).json["usage_triggers"]
        assert listed == [daily]
        listed = (await api.get("Usage/Triggers.json", UsageCategory="sms")).json
        assert len(listed["usage_triggers"]) == 1
        changed = await api.post(daily["uri"], FriendlyName="two", CallbackMethod="GET")
        assert (changed.json["friendly_name"], changed.json["callback_method"]) == ("two", "GET")
        assert (await api.delete(daily["uri"])).status == 204
        assert (await api.get(daily["uri"])).code == (404, 20404)


async def fired(api: Api) -> list[dict[str, str]]:
    """What triggers owe so far, the callbacks' parameters."""
    await usage.settle(api.exchange)
    owed = await api.exchange.store.read(records.callbacks.due)
    return [dict(each.params) for each in owed]


async def test_a_trigger_fires_once_when_its_value_is_reached(serving: Serving) -> None:
    async with serving() as api:
        made = await trigger(api)
        for _ in range(2):
            await spent(api, clock.utc())
        assert await fired(api) == []
        await spent(api, clock.utc())
        [told] = await fired(api)
        assert told.pop("IdempotencyToken")
        assert told.pop("DateFired").endswith("+0000")
        assert told == {
            "AccountSid": api.account.sid, "UsageTriggerSid": made["sid"], "Recurring": "",
            "UsageCategory": "calls", "TriggerBy": "count", "TriggerValue": "3.000000",
            "CurrentValue": "3",
            "UsageRecordUri": f"{api.base}/Usage/Records.json?Category=calls",
        }  # fmt: skip
        assert (await api.get(made["uri"])).json["date_fired"] is not None
        await spent(api, clock.utc())
        assert len(await fired(api)) == 1


async def test_a_minute_in_which_nothing_is_due_keeps_no_call_waiting(serving: Serving) -> None:
    """Calls wait for what is written before them, and a thousand triggers take their time."""
    async with serving() as api:
        await trigger(api)
        await fired(api)
        written: list[float] = []
        api.exchange.store.measure = written.append
        assert await fired(api) == []
        assert written == []
        for _ in range(3):
            await spent(api, clock.utc())
        written.clear()
        assert len(await fired(api)) == 1
        assert len(written) == 1


async def test_a_recurring_trigger_counts_its_period_alone(serving: Serving) -> None:
    async with serving() as api:
        await trigger(api, Recurring="daily", TriggerValue="1")
        await spent(api, clock.utc() - timedelta(days=1))
        assert await fired(api) == []
        await spent(api, clock.utc())
        assert len(await fired(api)) == 1
        assert len(await fired(api)) == 1


def test_periods_begin_where_they_recur() -> None:
    today = date(2026, 5, 17)
    assert period_of("daily", today) == Period(today, today)
    assert period_of("monthly", today).first == date(2026, 5, 1)
    assert period_of("yearly", today).first == date(2026, 1, 1)
    assert period_of("alltime", today).first == date.min


async def test_a_trigger_fires_again_in_its_next_period(serving: Serving) -> None:
    async with serving() as api:
        made = await trigger(api, Recurring="daily", TriggerValue="1")
        await spent(api, clock.utc())
        assert len(await fired(api)) == 1
        found = await api.exchange.store.read(usage.store.triggers.get, made["sid"])
        assert found is not None
        assert found.date_fired is not None
        yesterday = replace(found, date_fired=found.date_fired - timedelta(days=1))
        await api.exchange.store.write(usage.store.triggers.save, yesterday)
        assert len(await fired(api)) == 2
