"""Requests and answers in general.  reference: REST conventions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from api_client import OURS, THEIRS, Serving, furnish
from structlog.testing import capture_logs

from offhook.api.app import LARGEST_BODY
from offhook.store import records

MESSAGE = {"To": THEIRS, "From": OURS, "Body": "Hi"}


async def test_who_leaves_in_the_middle_of_a_request_is_no_fault(serving: Serving) -> None:
    came = iter([b"To=%2B1", None])

    async def receive() -> dict[str, Any]:
        body = next(came)
        if body is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": body, "more_body": True}

    async def send(message: Any) -> None:
        pass

    async with serving() as api:
        path = f"{api.base}/Calls.json"
        scope = {
            "type": "http", "method": "POST", "path": path, "raw_path": path.encode(),
            "root_path": "", "scheme": "http", "query_string": b"", "http_version": "1.1",
            "headers": [], "client": ("192.0.2.7", 50000), "server": ("api.test", 80),
        }  # fmt: skip
        with capture_logs() as logs:
            await api.app(scope, receive, send)
        assert logs == []


# Section 2: authentication


async def test_no_credentials_are_asked_for_with_basic(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.request("GET", "Calls.json", headers={"authorization": ""})
        assert reply.code == (401, 20003)
        assert reply.headers["www-authenticate"] == 'Basic realm="Twilio API"'
        assert reply.json["detail"] == "Your AccountSid or AuthToken was incorrect."
        assert reply.json["message"] == "Authenticate"


async def test_a_wrong_token_is_refused(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.request("GET", "Calls.json", auth=(api.account.sid, "f" * 32))
        assert reply.code == (401, 20003)


async def test_credentials_that_are_no_text_are_refused(serving: Serving) -> None:
    async with serving() as api:
        for given in ("Basic ///", "Basic w7/=", "Bearer x", "Basic"):
            reply = await api.request("GET", "Calls.json", headers={"authorization": given})
            assert reply.code == (401, 20003)


async def test_an_account_that_does_not_exist_is_missing(serving: Serving) -> None:
    async with serving() as api:
        for sid in ("AC" + "0" * 32, "ACME"):
            reply = await api.get(f"/2010-04-01/Accounts/{sid}/Calls.json")
            assert reply.code == (404, 20404)


async def test_another_account_is_not_said_to_exist(serving: Serving) -> None:
    async with serving() as api:
        other, _ = await furnish(api.exchange.store, number="+14155550111")
        reply = await api.get(f"/2010-04-01/Accounts/{other.sid}/Calls.json")
        assert reply.code == (401, 20003)


async def test_a_parent_acts_for_its_subaccount_and_never_the_other_way(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        path = f"/2010-04-01/Accounts/{child.sid}/Messages.json"
        sent = await api.post(path, To=THEIRS, From_="+14155550111", Body="Hi")
        assert (sent.status, sent.json["account_sid"]) == (201, child.sid)
        upwards = await api.request("GET", "Calls.json", auth=(child.sid, child.auth_token))
        assert upwards.code == (401, 20003)


async def test_an_account_that_is_suspended_is_refused(serving: Serving) -> None:
    async with serving() as api:
        suspended = replace(api.account, status="suspended")
        await api.exchange.store.write(records.accounts.save, suspended)
        assert (await api.get("Calls.json")).code == (403, 20005)


async def test_guessing_tokens_is_stopped_for_who_guesses_only(serving: Serving) -> None:
    async with serving() as api:
        other, _ = await furnish(api.exchange.store, number="+14155550111")
        for _ in range(5):
            wrong = await api.request("GET", "Calls.json", auth=(api.account.sid, "guess"))
            assert wrong.code == (401, 20003)
        assert (await api.get("Calls.json")).code == (429, 20429)
        path = f"/2010-04-01/Accounts/{other.sid}/Calls.json"
        untouched = await api.request("GET", path, auth=(other.sid, other.auth_token))
        assert untouched.status == 200
        await asyncio.sleep(59)
        assert (await api.get("Calls.json")).code == (429, 20429)
        await asyncio.sleep(2)
        assert (await api.get("Calls.json")).status == 200


async def test_names_that_begin_alike_are_one_guesser(serving: Serving) -> None:
    """What is remembered of a stranger does not grow with what he sends."""
    async with serving() as api:
        for n in range(5):
            long = f"{api.account.sid}{n}" + "x" * 1000
            assert (await api.request("GET", "Calls.json", auth=(long, "guess"))).status == 401
        assert (await api.get("Calls.json")).code == (429, 20429)


# Section 3: formats


async def test_without_a_suffix_the_answer_is_xml(serving: Serving) -> None:
    async with serving() as api:
        for path in ("Calls", "Calls.xml"):
            reply = await api.get(path)
            assert (reply.status, reply.headers["content-type"]) == (200, "application/xml")
            prolog = b"<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse>"
            assert reply.body.startswith(prolog)


async def test_an_error_in_xml_is_a_rest_exception(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.get("Calls/CA1")
        [error] = reply.xml
        assert error.tag == "RestException"
        assert [each.tag for each in error] == ["Code", "Message", "MoreInfo", "Status"]
        assert error.findtext("Message") == (
            f"The requested resource {api.base}/Calls/CA1 was not found"
        )


async def test_text_that_xml_cannot_hold_is_left_out(serving: Serving) -> None:
    async with serving() as api:
        body = "<a> & \x07 \r\n 😀"
        sent = await api.post("Messages", To=THEIRS, From_=OURS, Body=body)
        assert sent.xml.findtext("Message/Body") == "<a> &  \r\n 😀"


async def test_suffixes_that_are_not_documented_are_not_there(serving: Serving) -> None:
    async with serving() as api:
        for path in ("Calls.html", "Calls.mp3"):
            assert (await api.get(path)).status == 404


# Section 5: requests


async def test_parameter_names_are_case_sensitive(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.post("Messages.json", to=THEIRS, From_=OURS, Body="x")).code == (
            400,
            21604,
        )


async def test_unknown_parameters_are_ignored(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.post("Messages.json", **MESSAGE, Colour="red")).status == 201


async def test_parameters_of_a_post_may_be_in_its_query(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.request("POST", "Messages.json", MESSAGE, {"Body": "from the form"})
        assert (reply.status, reply.json["body"]) == (201, "from the form")


async def test_a_method_that_a_resource_does_not_have(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.delete("Calls.json")).code == (405, 20004)
        assert (await api.request("PUT", "Calls.json")).code == (405, 20004)


async def test_an_unknown_route_is_named_in_full(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.get("Nothing.json")
        assert reply.status == 404
        assert reply.json == {
            "code": 20404,
            "message": f"The requested resource {api.base}/Nothing.json was not found",
            "more_info": "https://www.twilio.com/docs/errors/20404",
            "status": 404,
        }
        assert list(reply.json) == ["code", "message", "more_info", "status"]


async def test_put_updates_and_an_override_deletes(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        put = await api.request("PUT", path, form={"FriendlyName": "Desk"})
        assert (put.status, put.json["friendly_name"]) == (200, "Desk")
        assert (await api.post(path, _method="DELETE")).status == 204
        assert (await api.get(path)).status == 404


async def test_a_body_that_is_no_form_is_refused(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.request(
            "POST", "Messages.json", headers={"content-type": "application/json"}, body=b"{}"
        )
        assert reply.status == 415


async def test_a_body_that_is_too_large_is_refused(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.post("Messages.json", Body="x" * LARGEST_BODY)
        assert reply.code == (413, 20413)


async def test_what_strangers_send_is_not_kept(serving: Serving) -> None:
    """Unless it is little: they are refused before the rest of it is read."""
    async with serving() as api:
        for length in (LARGEST_BODY, 1):
            form, guess = {"Body": "x" * length}, (api.account.sid, "guess")
            reply = await api.request("POST", "Messages.json", form=form, auth=guess)
            assert reply.code == (401, 20003)


async def test_options_answers_browsers_without_credentials(serving: Serving) -> None:
    async with serving() as api:
        reply = await api.request("OPTIONS", "Calls.json", headers={"authorization": ""})
        assert reply.status == 200
        assert reply.headers["access-control-allow-origin"] == "*"
        assert reply.headers["access-control-allow-methods"] == "GET, POST, DELETE, OPTIONS"


async def test_head_is_get_without_the_body(serving: Serving) -> None:
    async with serving() as api:
        got, head = await api.get("Calls.json"), await api.request("HEAD", "Calls.json")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


async def test_the_prefix_of_a_redirected_region_is_taken_off(serving: Serving) -> None:
    async with serving() as api:
        assert (await api.get(f"/.twilio.com{api.base}/Calls.json")).status == 200


# Section 7: response headers


async def test_every_answer_has_a_request_id(serving: Serving) -> None:
    async with serving() as api:
        replies = [await api.get("Calls.json"), await api.get("Nothing.json")]
        ids = {reply.headers["twilio-request-id"] for reply in replies}
        assert len(ids) == 2
        assert all(each.startswith("RQ") and len(each) == 34 for each in ids)
        assert replies[0].headers["twilio-request-duration"] == "0.000"
        assert replies[0].headers["twilio-concurrent-requests"] == "1"


# Accounts


async def test_an_account_is_fetched_and_renamed(serving: Serving) -> None:
    async with serving() as api:
        fetched = (await api.get(".json")).json
        assert fetched["sid"] == fetched["owner_account_sid"] == api.account.sid
        assert fetched["auth_token"] == api.account.auth_token
        assert fetched["subresource_uris"]["short_codes"] == f"{api.base}/SMS/ShortCodes.json"
        renamed = await api.post(".json", FriendlyName="Shop")
        assert (renamed.status, renamed.json["friendly_name"]) == (200, "Shop")
        assert (await api.get(".json")).json["friendly_name"] == "Shop"
        assert (await api.post(".json", FriendlyName="x" * 65)).code == (400, 20002)


async def test_accounts_lists_oneself_and_ones_subaccounts(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        await furnish(api.exchange.store, number="+14155550112")
        listed = (await api.get("/2010-04-01/Accounts.json")).json
        assert {each["sid"] for each in listed["accounts"]} == {api.account.sid, child.sid}
