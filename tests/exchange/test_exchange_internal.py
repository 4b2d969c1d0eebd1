"""Calls and texts between two numbers of ours: both ends have records and webhooks of their own."""

from __future__ import annotations

import asyncio

from offhook.testing import Offhook, Response

ONE, TWO = "+15550100101", "+15550100102"


async def test_a_number_of_ours_calls_another(offhook: Offhook):
    async def here(request):
        return "<Response><Gather numDigits='1'><Say>Press one.</Say></Gather></Response>"

    async def there(request):
        return f"<Response><Dial>{ONE}</Dial></Response>"

    offhook.number(ONE, voice=here)
    offhook.number(TWO, voice=there)
    call = await offhook.call(TWO)
    await call.hears("Press one.")
    await call.press("1")
    await call.hears("Press one.")
    await call.hang_up()
    await asyncio.sleep(1)
    seen = sorted((each.direction, each.to, each.status) for each in offhook.calls)
    assert seen == [
        ("inbound", ONE, "completed"),
        ("inbound", TWO, "completed"),
        ("outbound-dial", ONE, "completed"),
    ]


async def test_one_that_refuses_is_heard_as_busy(offhook: Offhook):
    told = []

    async def here(request):
        return '<Response><Reject reason="busy"/></Response>'

    async def there(request):
        told.append(request.params.get("DialCallStatus"))
        return "" if told[1:] else f'<Response><Dial action="/after">{ONE}</Dial></Response>'

    offhook.number(ONE, voice=here)
    offhook.number(TWO, voice=there)
    await (await offhook.call(TWO)).ended()
    assert told == [None, "busy"]


async def test_a_number_of_ours_texts_another(offhook: Offhook):
    heard = []

    async def app(request):
        heard.append(request.params["Body"])
        return "<Response/>"

    offhook.number(ONE, sms=app)
    offhook.number(TWO)
    await offhook.post("Messages.json", To=ONE, From=TWO, Body="Hello, house.")
    await asyncio.sleep(2)
    assert heard == ["Hello, house."]
    seen = sorted((each.direction, each.status) for each in offhook.messages)
    assert seen == [("inbound", "received"), ("outbound-api", "delivered")]


async def test_a_text_between_numbers_of_ours_brings_its_media(offhook: Offhook):
    async def picture(request):
        return Response(b"\x89PNG", media_type="image/png")

    offhook.number(ONE)
    offhook.number(TWO)
    await offhook.post(
        "Messages.json", To=TWO, From=ONE, Body="Look", MediaUrl=offhook.url(picture)
    )
    await asyncio.sleep(5)
    sent, got = offhook.messages
    assert (sent.status, got.status, got.num_media) == ("delivered", "received", 1)
    [media] = (await offhook.get(f"Messages/{got.sid}/Media.json"))["media_list"]
    assert media["content_type"] == "image/png"
