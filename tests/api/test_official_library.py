"""The official Python library works unchanged; only its HTTP client leads here (M24)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from api_client import OURS, THEIRS, Api, Serving
from twilio.base.exceptions import TwilioRestException
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.rest import Client

from offhook import clock, sids
from offhook.store import records

URL = "http://application.test/voice"


class Here(HttpClient):
    """Takes the library's requests, made on a thread, to the API on the test's loop."""

    def __init__(self, api: Api) -> None:
        super().__init__(None, False, None)
        self._api, self._loop = api, asyncio.get_running_loop()

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        asked = self._api.request(method, path, _sent(params), _sent(data), auth=auth)
        reply = asyncio.run_coroutine_threadsafe(asked, self._loop).result(30)
        return Response(reply.status, reply.body.decode(), reply.headers)


def _sent(values: dict[str, object] | None) -> dict[str, Any] | None:
    """As the library's own client sends them: without what is unset, arrays repeated."""
    return {name: each for name, each in (values or {}).items() if each is not None} or None


async def using(api: Api, script: Callable[[Client], None]) -> None:
    client = Client(api.account.sid, api.account.auth_token, http_client=Here(api))
    with clock.outside("a script with the official library"):
        await asyncio.to_thread(script, client)


async def test_calls(serving: Serving) -> None:
    def script(client: Client) -> None:
        calls = [client.calls.create(to=THEIRS, from_=OURS, url=URL) for _ in range(3)]
        assert [call.status for call in calls] == ["queued"] * 3
        call = client.calls(calls[0].sid).fetch()
        assert (call.to, call.direction) == (THEIRS, "outbound-api")
        assert call.from_formatted == "(415) 555-0100"
        assert isinstance(call.date_created, datetime)
        listed = client.calls.list(page_size=2, to=THEIRS)
        assert [each.sid for each in listed] == [each.sid for each in reversed(calls)]
        after = client.calls.list(start_time_after=datetime(2020, 1, 1, tzinfo=UTC))
        assert after == []
        assert call.update(status="canceled").status == "canceled"
        assert calls[1].update(twiml="<Response/>", status_callback=URL).sid == calls[1].sid
        with pytest.raises(TwilioRestException) as refused:
            calls[1].delete()
        assert (refused.value.status, refused.value.code) == (409, 20009)
        assert call.recordings.list() == call.events.list() == call.notifications.list() == []

    async with serving() as api:
        await using(api, script)


async def test_messages(serving: Serving) -> None:
    def create(client: Client) -> None:
        message = client.messages.create(
            to=THEIRS, from_=OURS, body="Hi", media_url=["http://application.test/1.png"]
        )
        assert (message.status, message.num_media) == ("queued", "1")

    def steer(client: Client) -> None:
        [message] = client.messages.list(date_sent_after=datetime(2020, 1, 1, tzinfo=UTC))
        assert (message.status, message.error_code) == ("delivered", None)
        [media] = message.media.list()
        assert media.fetch().content_type == "image/png"
        assert media.delete()
        assert message.update(body="").body == ""
        assert message.delete()
        with pytest.raises(TwilioRestException) as refused:
            message.fetch()
        assert (refused.value.status, refused.value.code) == (404, 20404)
        assert refused.value.msg.startswith("Unable to fetch record: The requested resource")

    async with serving() as api:
        await using(api, create)
        await api.exchange.settle()
        await using(api, steer)


async def test_numbers(serving: Serving) -> None:
    def script(client: Client) -> None:
        number = client.incoming_phone_numbers.create(
            phone_number="+15105647903", voice_url=URL, sms_method="GET"
        )
        assert (number.voice_url, number.sms_method) == (URL, "GET")
        assert number.capabilities == {"voice": True, "sms": True, "mms": True, "fax": False}
        changed = number.update(friendly_name="Desk", voice_caller_id_lookup=True)
        assert (changed.friendly_name, changed.voice_caller_id_lookup) == ("Desk", True)
        found = client.incoming_phone_numbers.list(phone_number="+15105647903")
        assert [each.sid for each in found] == [number.sid]
        assert len(list(client.incoming_phone_numbers.stream(page_size=1))) == 2
        free = client.incoming_phone_numbers.toll_free.create(phone_number="+18005550100")
        assert [each.sid for each in client.incoming_phone_numbers.toll_free.list()] == [free.sid]
        assert number.delete()

    async with serving() as api:
        await using(api, script)


async def test_applications(serving: Serving) -> None:
    def script(client: Client) -> None:
        application = client.applications.create(friendly_name="Menu", voice_url=URL)
        assert application.update(sms_url=URL).sms_url == URL
        assert [each.sid for each in client.applications.list(friendly_name="Menu")] == [
            application.sid
        ]
        assert client.applications(application.sid).fetch().voice_method == "POST"
        assert application.delete()

    async with serving() as api:
        await using(api, script)


async def test_the_account(serving: Serving) -> None:
    def script(client: Client) -> None:
        account = client.api.v2010.account.fetch()
        assert (account.status, account.type) == ("active", "Full")
        assert account.update(friendly_name="Shop").friendly_name == "Shop"
        assert [each.sid for each in client.api.v2010.accounts.list()] == [account.sid]

    async with serving() as api:
        await using(api, script)


async def test_notifications(serving: Serving) -> None:
    def script(client: Client) -> None:
        client.calls.create(to=THEIRS, from_=OURS, url=URL, twiml="<Response/>")

    def read(client: Client) -> None:
        [entry] = client.api.v2010.account.notifications.list(log=1)
        assert (entry.error_code, entry.log) == ("32019", "1")
        assert entry.fetch().request_variables == ""

    async with serving() as api:
        await using(api, script)
        await api.told()
        assert await api.exchange.store.read(records.notifications.count) == 1
        await using(api, read)


async def test_wrong_credentials(serving: Serving) -> None:
    async with serving() as api:
        wrong = Client(api.account.sid, "f" * 32, http_client=Here(api))

        def script() -> None:
            with pytest.raises(TwilioRestException) as refused:
                wrong.calls(sids.new("CA")).fetch()
            assert (refused.value.status, refused.value.code) == (401, 20003)

        with clock.outside("a script with the official library"):
            await asyncio.to_thread(script)
