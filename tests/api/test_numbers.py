"""IncomingPhoneNumbers and Applications.  reference: numbers sections 1 and 6."""

from __future__ import annotations

from typing import Any

import pytest
from api_client import OURS, Api, Reply, Serving, furnish

from offhook import clock, sids
from offhook.api.resources.applications import MOST, NEARLY
from offhook.model.account import Application
from offhook.store import Connection, records

URL = "http://application.test/voice"
NEW = "+15105647903"


async def take(api: Api, **form: Any) -> Reply:
    return await api.post("IncomingPhoneNumbers.json", **{"PhoneNumber": NEW} | form)


# 1.1 and 1.2: create


async def test_a_possible_number_is_ones_own_at_once(serving: Serving) -> None:
    """M26."""
    async with serving() as api:
        reply = await take(api)
        assert reply.status == 201
        number = reply.json
        unset = {name for name, value in number.items() if value is None}
        assert unset == {
            "address_sid", "identity_sid", "sms_application_sid", "sms_fallback_url", "sms_url",
            "status_callback", "trunk_sid", "voice_application_sid", "voice_fallback_url",
            "voice_url", "emergency_address_sid", "bundle_sid",
        }  # fmt: skip
        expected = {
            "friendly_name": "(510) 564-7903", "phone_number": NEW, "api_version": "2010-04-01",
            "voice_method": "POST", "voice_caller_id_lookup": False, "voice_receive_mode": "voice",
            "beta": False, "origin": "twilio", "address_requirements": "none", "status": "in-use",
            "emergency_status": "Inactive", "emergency_address_status": "unregistered",
            "type": "local", "account_sid": api.account.sid,
            "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False},
            "uri": f"{api.base}/IncomingPhoneNumbers/{number['sid']}.json",
        }  # fmt: skip
        assert {name: number[name] for name in expected} == expected
        assert (await api.get(number["uri"])).json == number


async def test_numbers_that_no_plan_assigned_are_possible(serving: Serving) -> None:
    async with serving() as api:
        assert (await take(api, PhoneNumber="+15550001111")).status == 201
        assert (await take(api, PhoneNumber="(415) 555-4345")).json["phone_number"] == (
            "+14155554345"
        )


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"PhoneNumber": ""}, 21421),
        ({"PhoneNumber": "33"}, 21421),
        ({"PhoneNumber": OURS}, 21422),
        ({"PhoneNumber": "", "AreaCode": "41"}, 21451),
        ({"FriendlyName": "x" * 65}, 20002),
        ({"FriendlyName": ""}, 20002),
        ({"VoiceUrl": "nowhere"}, 21402),
        ({"SmsUrl": "http://under_score.test/"}, 21402),
        ({"StatusCallback": "nowhere"}, 21402),
        ({"VoiceMethod": "PUT"}, 21403),
        ({"SmsFallbackMethod": "PUT"}, 21403),
        ({"VoiceFallbackUrl": URL}, 21405),
        ({"SmsFallbackUrl": URL}, 21406),
        ({"VoiceApplicationSid": "AP" + "0" * 32}, 21420),
        ({"SmsApplicationSid": "AP1"}, 21420),
        ({"ApiVersion": "2020-01-01"}, 20001),
        ({"VoiceCallerIdLookup": "perhaps"}, 20001),
    ],
)
async def test_a_setting_that_is_wrong_has_its_code(
    serving: Serving, form: dict[str, str], code: int
) -> None:
    async with serving() as api:
        assert (await take(api, **form)).code == (400, code)
        listed = (await api.get("IncomingPhoneNumbers.json")).json["incoming_phone_numbers"]
        assert [each["phone_number"] for each in listed] == [OURS]


async def test_the_message_says_which_number(serving: Serving) -> None:
    async with serving() as api:
        assert (await take(api, PhoneNumber="33")).json["message"] == "33 is not a valid number"
        taken = await take(api, PhoneNumber=OURS)
        assert taken.json["message"] == f"{OURS} is not available"


async def test_an_area_code_gives_a_free_number_of_it(serving: Serving) -> None:
    async with serving() as api:
        first = await take(api, PhoneNumber="", AreaCode="415")
        second = await take(api, PhoneNumber="", AreaCode="415")
        numbers = {each.json["phone_number"] for each in (first, second)}
        assert len(numbers) == 2
        assert {number[:5] for number in numbers} == {"+1415"}


async def test_a_number_that_somebody_else_has_is_not_available(serving: Serving) -> None:
    async with serving() as api:
        await furnish(api.exchange.store, number=NEW)
        assert (await take(api)).code == (400, 21422)


@pytest.mark.parametrize(
    ("path", "number", "kind"),
    [
        ("Local", "+442079460100", "local"),
        ("Mobile", "+447700900100", "mobile"),
        ("TollFree", "+18005550100", "toll-free"),
        ("Local", NEW, "local"),
        ("Mobile", NEW, "mobile"),
    ],
)
async def test_each_kind_has_its_own_list(
    serving: Serving, path: str, number: str, kind: str
) -> None:
    async with serving() as api:
        taken = await api.post(f"IncomingPhoneNumbers/{path}.json", PhoneNumber=number)
        assert (taken.status, taken.json["type"]) == (201, kind)
        for each in ("Local", "Mobile", "TollFree"):
            listed = (await api.get(f"IncomingPhoneNumbers/{each}.json")).json
            numbers = [found["phone_number"] for found in listed["incoming_phone_numbers"]]
            assert (number in numbers) == (each == path)


@pytest.mark.parametrize(
    ("path", "number"),
    [("Mobile", "+442079460100"), ("TollFree", NEW), ("Local", "+18005550100")],
)
async def test_a_number_of_another_kind_is_refused(
    serving: Serving, path: str, number: str
) -> None:
    async with serving() as api:
        taken = await api.post(f"IncomingPhoneNumbers/{path}.json", PhoneNumber=number)
        assert taken.code == (400, 21458)


# 1.3: update, list, release


async def test_only_what_is_sent_changes_and_empty_clears(serving: Serving) -> None:
    """M12."""
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        changes = {"VoiceUrl": URL, "VoiceMethod": "get", "SmsUrl": URL + "/sms"}
        changed = await api.post(path, **changes, VoiceCallerIdLookup="TRUE")
        assert (changed.status, changed.json["voice_method"]) == (200, "GET")
        assert changed.json["voice_caller_id_lookup"] is True
        cleared = (await api.post(path, VoiceUrl="", VoiceMethod="")).json
        assert (cleared["voice_url"], cleared["voice_method"]) == (None, "POST")
        assert cleared["sms_url"] == URL + "/sms"
        assert (await api.get(path)).json == cleared


async def test_an_application_is_assigned_and_taken_back(serving: Serving) -> None:
    """M13."""
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        sid = (await api.post("Applications.json", FriendlyName="Menu")).json["sid"]
        form = {"VoiceApplicationSid": sid, "SmsApplicationSid": sid}
        assert (await api.post(path, **form)).json["voice_application_sid"] == sid
        assert (await api.delete(f"Applications/{sid}.json")).status == 204
        left = (await api.get(path)).json
        assert left["voice_application_sid"] is left["sms_application_sid"] is None


async def test_a_trunk_and_an_application_exclude_each_other(serving: Serving) -> None:
    async with serving() as api:
        path, trunk = f"IncomingPhoneNumbers/{api.number.sid}.json", "TK" + "0" * 32
        sid = (await api.post("Applications.json")).json["sid"]
        await api.post(path, VoiceApplicationSid=sid)
        trunked = (await api.post(path, TrunkSid=trunk)).json
        assert (trunked["trunk_sid"], trunked["voice_application_sid"]) == (trunk, None)
        back = (await api.post(path, VoiceApplicationSid=sid)).json
        assert (back["trunk_sid"], back["voice_application_sid"]) == (None, sid)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"PhoneNumber": "+15105647903"}, [NEW]),
        ({"PhoneNumber": "510564"}, [NEW]),
        ({"PhoneNumber": "5*0564"}, [NEW]),
        ({"PhoneNumber": "+1"}, [NEW, OURS]),
        ({"PhoneNumber": "999"}, []),
        ({"FriendlyName": "(510) 564-7903"}, [NEW]),
        ({"FriendlyName": "(510)"}, []),
        ({"Beta": "true"}, []),
        ({"Origin": "twilio"}, [NEW, OURS]),
        ({"Origin": "hosted"}, []),
    ],
)
async def test_numbers_are_filtered(
    serving: Serving, query: dict[str, str], found: list[str]
) -> None:
    async with serving() as api:
        await take(api)
        listed = (await api.get("IncomingPhoneNumbers.json", **query)).json
        assert [each["phone_number"] for each in listed["incoming_phone_numbers"]] == found


async def test_a_released_number_can_be_had_by_others(serving: Serving) -> None:
    async with serving() as api:
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        assert (await api.delete(path)).status == 204
        assert (await api.get(path)).code == (404, 20404)
        assert (await api.delete(path)).code == (404, 20404)
        assert (await take(api, PhoneNumber=OURS)).status == 201


async def test_a_parent_moves_numbers_within_its_family(serving: Serving) -> None:
    async with serving() as api:
        child, _ = await furnish(api.exchange.store, api.account.sid, "+14155550111")
        stranger, _ = await furnish(api.exchange.store, number="+14155550112")
        path = f"IncomingPhoneNumbers/{api.number.sid}.json"
        assert (await api.post(path, AccountSid="AC1")).code == (400, 21470)
        assert (await api.post(path, AccountSid="AC" + "0" * 32)).code == (400, 21470)
        assert (await api.post(path, AccountSid=stranger.sid)).code == (400, 21473)
        moved = await api.post(path, AccountSid=child.sid)
        assert (moved.status, moved.json["account_sid"]) == (200, child.sid)
        assert moved.json["sid"] == api.number.sid
        assert (await api.get(path)).code == (404, 20404)
        back = await api.request(
            "POST", moved.json["uri"], form={"AccountSid": api.account.sid},
            auth=(child.sid, child.auth_token),
        )  # fmt: skip
        assert back.code == (400, 21474)


# 6: Applications


async def test_an_application_is_created_changed_and_deleted(serving: Serving) -> None:
    async with serving() as api:
        created = await api.post("Applications.json", FriendlyName="Menu", VoiceUrl=URL)
        assert created.status == 201
        application = created.json
        assert (application["voice_url"], application["voice_method"]) == (URL, "POST")
        assert application["sms_url"] is application["message_status_callback"] is None
        assert application["public_application_connect_enabled"] is False
        changed = await api.post(application["uri"], SmsUrl=URL, VoiceUrl="")
        assert (changed.status, changed.json["sms_url"]) == (200, URL)
        assert changed.json["voice_url"] is None
        assert (await api.get(application["uri"])).json == changed.json
        assert (await api.delete(application["uri"])).status == 204
        assert (await api.get(application["uri"])).code == (404, 20404)


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"FriendlyName": "x" * 65}, 20002),
        ({"VoiceUrl": "nowhere"}, 21402),
        ({"SmsStatusCallback": "nowhere"}, 21402),
        ({"VoiceFallbackMethod": "PUT"}, 21403),
    ],
)
async def test_an_application_that_is_wrong_has_its_code(
    serving: Serving, form: dict[str, str], code: int
) -> None:
    async with serving() as api:
        assert (await api.post("Applications.json", **form)).code == (400, code)


async def test_applications_are_found_by_name(serving: Serving) -> None:
    async with serving() as api:
        for name in ("Menu", "Shop"):
            await api.post("Applications.json", FriendlyName=name)
        found = (await api.get("Applications.json", FriendlyName="Shop")).json["applications"]
        assert [each["friendly_name"] for each in found] == ["Shop"]


async def test_the_limit_of_applications_is_warned_of_and_then_kept(serving: Serving) -> None:
    async with serving() as api:
        now = clock.utc()

        def fill(connection: Connection, count: int) -> None:
            for _ in range(count):
                application = Application(sids.new("AP"), api.account.sid, now, now)
                records.applications.insert(connection, application)

        await api.exchange.store.write(fill, NEARLY - 1)
        await api.post("Applications.json")
        await api.told()
        assert (await api.get("Notifications.json")).json["notifications"] == []
        await api.post("Applications.json")
        await api.told()
        [warning] = (await api.get("Notifications.json")).json["notifications"]
        assert (warning["error_code"], warning["log"]) == ("21302", "1")
        await api.exchange.store.write(fill, MOST - NEARLY - 1)
        assert (await api.post("Applications.json")).code == (400, 21301)
