"""`offhook accounts`: what the operator alone decides."""

from __future__ import annotations

import json

from commands import Offhook


def test_the_operator_suspends_an_account_and_lets_it_go(offhook: Offhook) -> None:
    [account] = json.loads(offhook("accounts", "list", "--json").out)
    assert (account["status"], account["friendly_name"]) == ("active", "Offhook")
    sid = account["sid"]
    assert offhook("accounts", "suspend", sid).out == f"{sid} is suspended\n"
    refused = offhook("accounts", "list")
    assert (refused.code, refused.err) == (
        2,
        f"offhook: Account {sid} is suspended (error 20005)\n",
    )
    assert offhook("accounts", "activate", sid).out == f"{sid} is active\n"
    assert sid in offhook("accounts", "list").out


def test_an_account_that_does_not_exist_is_refused_in_one_line(offhook: Offhook) -> None:
    unknown = "AC" + "0" * 32
    refused = offhook("accounts", "suspend", unknown)
    assert (refused.code, refused.err) == (
        2,
        f"offhook: {unknown} is no account of this Offhook\n",
    )
