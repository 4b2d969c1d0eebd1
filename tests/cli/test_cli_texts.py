"""`offhook text` and `offhook messages`."""

from __future__ import annotations

import json

from commands import Offhook
from served import Application, Up, response, serving


def test_a_text_gets_its_reply(up: Up, offhook: Offhook) -> None:
    sent = offhook("text", "+15550003333", up.demo, "Hello there")
    assert sent.code == 0
    first, second = sent.out.splitlines()
    assert first == f"+15550003333 -> {up.demo}: Hello there"
    assert second.startswith(f'{up.demo} -> +15550003333: You wrote: "Hello there".')
    listed = offhook("messages")
    assert listed.out.splitlines()[0].split()[:3] == ["sid", "date_created", "direction"]
    assert "Hello there" in listed.out


def test_json_is_the_reply_as_the_api_says_it(up: Up, offhook: Offhook) -> None:
    sent = offhook("text", "+15550003334", up.demo, "Hello", "--json")
    reply = json.loads(sent.out)
    assert (reply["direction"], reply["to"]) == ("outbound-reply", "+15550003334")
    listed = json.loads(offhook("messages", "--json").out)
    assert reply["sid"] in [each["sid"] for each in listed]


def test_no_reply_says_why(up: Up, offhook: Offhook) -> None:
    with serving(Application({"/sms": response()})) as app:
        up.number("+15550100220", SmsUrl=f"{app.url}/sms")
        silent = offhook("text", "+15550003333", "+15550100220", "Hello")
        assert silent.code == 1
        assert silent.err.startswith("no reply; its story: offhook calls show SM")
    down = offhook("text", "+15550003333", "+15550100220", "Hello")
    assert down.code == 1
    assert "debugger 11202: connection refused" in down.err


def test_a_number_that_is_not_ours_takes_no_text(offhook: Offhook) -> None:
    refused = offhook("text", "+15550003333", "+15550100998", "Hello")
    assert (refused.code, refused.err) == (2, "offhook: +15550100998 is no number of ours\n")
