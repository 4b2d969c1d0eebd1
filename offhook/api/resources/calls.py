"""Calls: placed, looked at, steered and ended.  reference: REST voice, Calls."""

from __future__ import annotations

from offhook.api.addresses import Caller, called, caller_id, calling
from offhook.api.filters import dates, exactly
from offhook.api.formats import Rendering
from offhook.api.forms import address, flag, http_method, link, text, whole, word, words
from offhook.api.paging import page
from offhook.api.reach import fetched, owned
from offhook.api.rendering import account_uri, below, date, or_none
from offhook.api.resource import VERSION, At, Listed, Resource
from offhook.errors import ApiError
from offhook.exchange import control, debugger, outbound
from offhook.exchange.outbound import CallOrder
from offhook.exchange.recordings import RecordSetting
from offhook.frozen import frozen
from offhook.model.call import FINAL, Call
from offhook.model.fetch import Callback, Script
from offhook.model.numbers import formatted
from offhook.store import records
from offhook.store.store import Connection

calls = Resource(f"/{VERSION}/Accounts/{{account_sid}}/Calls", element="Call", key="calls")

EVENTS = {"initiated", "ringing", "answered", "completed"}
LONGEST_TWIML = 4000


@frozen
class Create:
    to: str = address(missing=21201, bad=21211)
    from_: str = text(missing=21213)
    url: str = link(missing=21205, unless=("Twiml", "ApplicationSid"), bad=21205)
    twiml: str = text(bad=32018, longest=LONGEST_TWIML)
    application_sid: str = text()
    method: str = http_method(bad=21209)
    fallback_url: str = link(bad=21205)
    fallback_method: str = http_method(bad=21209)
    status_callback: str = link(bad=21205)
    status_callback_event: tuple[str, ...] = words("completed")
    status_callback_method: str = http_method(bad=21209)
    send_digits: str = text(bad=21206, longest=32, pattern="[0-9A-Da-d#*wW]*")
    if_machine: str = word("Continue", "Hangup", bad=21207)
    timeout: int = whole(60, 1, 600, bad=21208)
    record: bool = flag()
    recording_channels: str = word("mono", "dual", default="mono")
    recording_status_callback: str = link(bad=21205)
    recording_status_callback_method: str = http_method(bad=21209)
    recording_status_callback_event: tuple[str, ...] = words("completed")
    recording_track: str = word("inbound", "outbound", "both", default="both")
    trim: str = word("trim-silence", "do-not-trim", default="trim-silence")
    sip_auth_username: str = text()
    sip_auth_password: str = text()
    machine_detection: str = word("Enable", "DetectMessageEnd", bad=21234)
    machine_detection_timeout: int = whole(30, 3, 60, bad=21263)
    machine_detection_speech_threshold: int = whole(2400, 1000, 6000, bad=21263)
    machine_detection_speech_end_threshold: int = whole(1200, 500, 5000, bad=21263)
    machine_detection_silence_timeout: int = whole(5000, 2000, 10000, bad=21263)
    async_amd: bool = flag()
    async_amd_status_callback: str = link(bad=21205)
    async_amd_status_callback_method: str = http_method(bad=21209)
    byoc: str = text(pattern="", bad=21300)
    call_reason: str = text()
    call_token: str = text()
    caller_id: str = text()
    time_limit: int = whole(14400, 1, 14400, cap=True)
    client_notification_url: str = link(bad=13806)


@calls.create(Create)
async def create(at: At, form: Create) -> Rendering:
    """The call is queued and on its way when this answers."""
    if form.byoc:
        raise ApiError(21300)
    to = called(at, form.to)
    caller = await calling(at, form.from_, to)
    presented = await caller_id(at, form.caller_id) if form.caller_id else ""
    call = await outbound.place_call(at.exchange, await _order(at, form, to, caller, presented))
    _remark(at, form, call.sid)
    return render(call)


async def _order(at: At, form: Create, to: str, caller: Caller, presented: str) -> CallOrder:
    script, callback = await _handling(at, form)
    username, password = _sip_credentials(form)
    return CallOrder(
        at.account.sid, to, caller.number, script, callback,
        api_version=at.version, timeout=form.timeout, send_digits=form.send_digits,
        record=_setting(form), sip_username=username, sip_password=password,
        time_limit=form.time_limit, caller_id=presented, application_sid=script.application_sid,
        phone_number_sid=caller.phone_number_sid,
    )  # fmt: skip


async def _handling(at: At, form: Create) -> tuple[Script, Callback]:
    """What runs on the call and who hears of it; an application takes the place of every URL."""
    if form.application_sid:
        try:
            application = await fetched(at, records.applications, form.application_sid)
        except ApiError:
            raise ApiError(21218) from None
        return application.voice, application.callback
    script = Script(
        form.url, form.method, form.fallback_url, form.fallback_method,
        twiml="" if form.url else form.twiml,
    )  # fmt: skip
    known = tuple(event for event in form.status_callback_event if event in EVENTS)
    return script, Callback(form.status_callback, form.status_callback_method, known)


def _setting(form: Create) -> RecordSetting | None:
    if not form.record:
        return None
    callback = Callback(
        form.recording_status_callback,
        form.recording_status_callback_method,
        form.recording_status_callback_event,
    )
    channels = 2 if form.recording_channels == "dual" else 1
    return RecordSetting(channels, form.recording_track, form.trim == "trim-silence", callback)


def _sip_credentials(form: Create) -> tuple[str, str]:
    """Raises ApiError 21221 to 21225."""
    username, password = form.sip_auth_username, form.sip_auth_password
    if len(username) > 255:
        raise ApiError(21221)
    if len(password) > 255:
        raise ApiError(21222)
    if not username.isprintable() or '"' in username:
        raise ApiError(21223)
    if not password.isprintable():
        raise ApiError(21224)
    if bool(username) != bool(password):
        raise ApiError(21225)
    return username, password


def _remark(at: At, form: Create, sid: str) -> None:
    """What was asked for and cannot be had is told to the debugger; the call goes on without it."""

    def note(code: int, message: str = "") -> None:
        debugger.note(at.exchange, at.account.sid, code, message, subject=sid)

    if form.url and form.twiml:
        note(32019)
    unknown = set(form.status_callback_event) - EVENTS
    if unknown:
        note(21626, f"StatusCallbackEvent does not know {' '.join(sorted(unknown))}")
    if form.machine_detection or form.if_machine:
        note(21263, "Answering machines are not told from people; the call goes on as if answered")


@calls.get("/{sid}")
async def fetch(at: At) -> Rendering:
    return render(await fetched(at, records.calls, at.sid))


@calls.get(
    filters=(
        *exactly(To="to", From="from_", ParentCallSid="parent_call_sid", Status="status"),
        *dates("StartTime", "start_time", until="<"),
        *dates("EndTime", "end_time", until="<"),
    )
)
async def list_calls(at: At) -> Listed:
    return await page(at, records.calls, render)


@frozen
class Update:
    url: str | None = link(None, bad=21205)
    method: str = http_method(bad=21209)
    status: str | None = word("canceled", "completed", default=None)
    fallback_url: str | None = link(None, bad=21205)
    fallback_method: str = http_method(bad=21209)
    status_callback: str | None = link(None, bad=21205)
    status_callback_method: str = http_method(bad=21209)
    twiml: str | None = text(None, bad=32018, longest=LONGEST_TWIML)
    time_limit: int | None = whole(None, 1, 14400, cap=True)


@calls.update(Update)
async def update(at: At, form: Update) -> Rendering:
    """Steers a call under way. Raises ApiError 21220 when it is over."""
    call = await fetched(at, records.calls, at.sid)
    call = await control.amend(
        at.exchange,
        call,
        None if form.status_callback is None else _replaced(call, form),
        None if form.fallback_url is None else (form.fallback_url, form.fallback_method),
        form.time_limit,
    )
    if form.status == "canceled":
        return render(await control.cancel(at.exchange, call))
    if form.status == "completed":
        return render(await control.hang_up(at.exchange, call))
    if form.url or form.twiml:
        if form.url and form.twiml:
            debugger.note(at.exchange, at.account.sid, 32019, subject=call.sid)
        twiml = "" if form.url else form.twiml
        script = Script(
            form.url or "", form.method, form.fallback_url or "", form.fallback_method, twiml or ""
        )
        call = await control.redirect(at.exchange, call, script)
    return render(call)


def _replaced(call: Call, form: Update) -> Callback:
    return Callback(form.status_callback or "", form.status_callback_method, call.callback.events)


@calls.delete()
async def delete(at: At) -> None:
    """Forgets a call that is over, and its story. Raises ApiError 20009 while it lasts."""
    await at.exchange.journal.flush()
    await at.exchange.store.write(_delete, at.account.sid, at.sid)


def _delete(connection: Connection, account_sid: str, sid: str) -> None:
    call = owned(connection, records.calls, account_sid, sid)
    if call.status not in FINAL:
        raise ApiError(20009, status=409)
    records.events.delete(connection, sid)
    records.calls.delete(connection, sid)


def render(call: Call) -> Rendering:
    uri = f"{account_uri(call.account_sid)}/Calls/{call.sid}"
    return {
        "sid": call.sid,
        "date_created": date(call.date_created),
        "date_updated": date(call.date_updated),
        "parent_call_sid": or_none(call.parent_call_sid),
        "account_sid": call.account_sid,
        "to": call.to,
        "to_formatted": formatted(call.to),
        "from": call.from_,
        "from_formatted": formatted(call.from_),
        "phone_number_sid": or_none(call.phone_number_sid),
        "status": call.status,
        "start_time": date(call.start_time),
        "end_time": date(call.end_time),
        "duration": None if call.duration is None else str(call.duration),
        "price": call.price,
        "price_unit": call.price_unit,
        "direction": call.direction,
        "answered_by": or_none(call.answered_by),
        "api_version": call.api_version,
        "forwarded_from": or_none(call.forwarded_from),
        "group_sid": None,
        "caller_name": or_none(call.caller_name),
        "queue_time": str(call.queue_time),
        "trunk_sid": None,
        "uri": uri,
        "subresource_uris": below(
            uri, "notifications", "recordings", "payments", "events", "siprec", "streams",
            "transcriptions", "user_defined_message_subscriptions", "user_defined_messages",
        ),
    }  # fmt: skip
