"""What calls gather in, SIP and usage: XML carries the values of JSON, property for property.

reference: REST conventions section 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest
from api_client import OURS, THEIRS, Api, Serving

from offhook import clock, sids
from offhook.model.call import Call
from offhook.model.gatherings import (
    Conference,
    Fork,
    Member,
    Participant,
    Payment,
    Transcription,
    claim,
)
from offhook.model.recording import Recording
from offhook.store import records
from offhook.store.gatherings import (
    conferences,
    forks,
    members,
    participants,
    payments,
    transcriptions,
)

SIP = "SIP/CredentialLists"


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and values as XML has them: UpperCamelCase, and URIs without `.json`."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, "".join(w[:1].upper() + w[1:] for w in key.split("_")))
        return
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    yield name, re.sub(r"\.json(?=\?|$)", "", text) if text.startswith("/") else text


def written(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for each in element:
        if len(each):
            yield from written(each)
        else:
            yield each.tag, each.text or ""


async def furnished(api: Api) -> dict[str, str]:
    """One of everything; the paths of each kind, without suffix."""
    now, own, store = clock.utc(), api.account.sid, api.exchange.store
    call = Call(sids.new("CA"), own, THEIRS, OURS, "inbound", now, now, "in-progress")
    room = Conference(sids.new("CF"), own, "lounge", claim(own, "lounge"), now, now)
    queue = (await api.post("Queues.json", FriendlyName="<&>")).json["sid"]
    one = Participant(sids.new("CP"), own, room.sid, call.sid, now, now, "agent", queue_time=5)
    text = Transcription(sids.new("TR"), own, sids.new("RE"), now, now)
    recording = Recording(
        sids.new("RE"), own, call.sid, "Conference", now, now, now, status="completed",
        conference_sid=room.sid,
    )  # fmt: skip
    await store.write(records.calls.insert, call)
    await store.write(records.recordings.insert, recording)
    await store.write(conferences.insert, room)
    await store.write(participants.insert, one)
    await store.write(members.insert, Member(call.sid, own, queue, now))
    await store.write(transcriptions.insert, text)
    made = {
        "Conference": f"Conferences/{room.sid}",
        "Participant": f"Conferences/{room.sid}/Participants/agent",
        "Recording": f"Conferences/{room.sid}/Recordings/{recording.sid}",
        "Queue": f"Queues/{queue}",
        "QueueMember": f"Queues/{queue}/Members/{call.sid}",
        "Transcription": f"Transcriptions/{text.sid}",
    }
    return made | await _sip(api) | await _trigger(api)


async def _sip(api: Api) -> dict[str, str]:
    async def post(path: str, **form: str) -> str:
        sid: str = (await api.post(f"SIP/{path}.json", **form)).json["sid"]
        return f"SIP/{path}/{sid}"

    lists = await post("CredentialLists", FriendlyName="phones")
    addresses = await post("IpAccessControlLists", FriendlyName="office")
    domain = await post("Domains", DomainName="desk.sip.twilio.com")
    inside = lists.removeprefix("SIP/")
    below = addresses.removeprefix("SIP/")
    mapped = f"{domain.removeprefix('SIP/')}/CredentialListMappings"
    credential = {"Username": "ann", "Password": "IWasAtSignal2018"}
    return {
        "CredentialList": lists,
        "IpAccessControlList": addresses,
        "Domain": domain,
        "Credential": await post(f"{inside}/Credentials", **credential),
        "IpAddress": await post(f"{below}/IpAddresses", FriendlyName="desk", IpAddress="192.0.2.1"),
        "CredentialListMapping": await post(mapped, CredentialListSid=lists[-34:]),
    }


async def _trigger(api: Api) -> dict[str, str]:
    form = {"CallbackUrl": "http://a.test/", "TriggerValue": "1", "UsageCategory": "calls"}
    made = (await api.post("Usage/Triggers.json", **form)).json
    return {"UsageTrigger": f"Usage/Triggers/{made['sid']}"}


async def test_each_kind_is_the_same_in_both_formats(serving: Serving) -> None:
    async with serving() as api:
        for element, path in (await furnished(api)).items():
            json = (await api.get(f"{path}.json")).json
            for suffix in ("", ".xml"):
                [found] = (await api.get(path + suffix)).xml
                assert found.tag == element
                assert list(written(found)) == list(leaves(json)), path


async def test_each_list_holds_its_kind_in_both_formats(serving: Serving) -> None:
    async with serving() as api:
        for element, path in (await furnished(api)).items():
            above = path.rpartition("/")[0]
            envelope = (await api.get(f"{above}.json")).json
            [items] = [value for value in envelope.values() if isinstance(value, list)]
            [listed] = (await api.get(above)).xml
            assert [each.tag for each in listed] == [element] * len(items)
            assert [list(written(each)) for each in listed] == [
                list(leaves(each)) for each in items
            ], above


async def test_usage_is_the_same_in_both_formats(serving: Serving) -> None:
    async with serving() as api:
        query = {"Category": "calls", "StartDate": "2026-01-01", "EndDate": "2026-01-02"}
        [json] = (await api.get("Usage/Records.json", **query)).json["usage_records"]
        [[xml]] = (await api.get("Usage/Records", **query)).xml
        skipped = {"AsOf"}
        in_xml = [pair for pair in written(xml) if pair[0] not in skipped]
        assert in_xml == [pair for pair in leaves(json) if pair[0] not in skipped]


@pytest.mark.parametrize(
    ("kind", "path", "element"),
    [
        ("stream", "Streams", "Stream"),
        ("siprec", "Siprec", "Siprec"),
        ("transcription", "Transcriptions", "Transcription"),
    ],
)
async def test_a_stopped_fork_is_the_same_in_both_formats(
    serving: Serving, kind: Any, path: str, element: str
) -> None:
    async with serving() as api:
        now, own = clock.utc(), api.account.sid
        call = Call(sids.new("CA"), own, THEIRS, OURS, "inbound", now, now, "in-progress")
        fork = Fork(sids.new("MZ"), own, call.sid, kind, now, now, "mine", "stopped")
        payment = Payment(sids.new("PK"), own, call.sid, "k1", now, now)
        await api.exchange.store.write(records.calls.insert, call)
        await api.exchange.store.write(forks.insert, fork)
        await api.exchange.store.write(payments.insert, payment)
        one = f"Calls/{call.sid}/{path}/mine"
        json = (await api.post(f"{one}.json", Status="stopped")).json
        [xml] = (await api.post(one, Status="stopped")).xml
        assert xml.tag == element
        assert list(written(xml)) == list(leaves(json))
