"""`offhook numbers`: the account's numbers and what is behind them."""

from __future__ import annotations

import json

from commands import Offhook


def test_numbers_are_added_listed_changed_and_released(offhook: Offhook) -> None:
    added = offhook("numbers", "add", "+15550100200", "--voice-url", "http://localhost:1/voice")
    head, row = added.out.splitlines()
    assert head.split() == ["phone_number", "sid", "voice_url", "sms_url"]
    assert row.split()[0] == "+15550100200"
    assert row.split()[2] == "http://localhost:1/voice"
    assert "+15550100200" in offhook("numbers", "list").out

    changed = offhook("numbers", "set", "+15550100200", "--sms-url", "http://localhost:1/sms")
    assert changed.out.splitlines()[1].split()[2:] == [
        "http://localhost:1/voice",
        "http://localhost:1/sms",
    ]
    released = offhook("numbers", "rm", "+15550100200")
    assert released.out == "+15550100200 is released\n"
    assert "+15550100200" not in offhook("numbers", "list").out


def test_an_empty_value_clears(offhook: Offhook) -> None:
    offhook("numbers", "add", "+15550100201", "--voice-url", "http://localhost:1/voice")
    cleared = offhook("numbers", "set", "+15550100201", "--voice-url", "", "--json")
    assert json.loads(cleared.out)[0]["voice_url"] in (None, "")
    offhook("numbers", "rm", "+15550100201")


def test_json_is_what_the_api_says(offhook: Offhook) -> None:
    [demo] = [
        number
        for number in json.loads(offhook("numbers", "list", "--json").out)
        if number["phone_number"] == "+15550100100"
    ]
    assert demo["voice_url"].endswith("/demo/voice")
    assert demo["capabilities"]["voice"] is True


def test_what_cannot_be_is_refused_in_one_line(offhook: Offhook) -> None:
    twice = offhook("numbers", "add", "+15550100100")
    assert (twice.code, twice.err) == (
        2,
        "offhook: +15550100100 is not available (error 21422)\n",
    )
    for arguments, told in (
        (("add", "nonsense"), "nonsense is not a valid number (error 21421)"),
        (("set", "+15550100299", "--name", "x"), "+15550100299 is not a number of this account"),
        (("set", "+15550100100"), "nothing to change: name what to set"),
        (("rm", "+15550100299"), "+15550100299 is not a number of this account"),
    ):
        refused = offhook("numbers", *arguments)
        assert refused.code == 2
        assert refused.err.startswith(f"offhook: {told}")
        assert refused.err.count("\n") == 1


def test_a_misspelt_command_gets_a_suggestion(offhook: Offhook) -> None:
    refused = offhook("numbers", "lst")
    assert refused.code == 2
    assert "Did you mean" in refused.err
    assert "'list'" in refused.err
