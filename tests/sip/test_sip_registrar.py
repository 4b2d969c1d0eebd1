"""Where phones can be reached.  RFC 3261 section 10; reference: REST voice, SIP."""

from __future__ import annotations

import pytest
from sip_ends import sip

from offhook.sip.hop import Hop
from offhook.sip.message import Request, parse
from offhook.sip.registrar import Contact, Refused, Registrar, aor_of

AOR = "alice@phones.example"
HOME = Hop("UDP", "10.0.0.5", 5060)


class Desk:
    """A registrar, and what it was told to keep."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, tuple[Contact, ...]]] = []
        self.registrar = Registrar(lambda aor, contacts: self.kept.append((aor, contacts)))
        self.cseq = 0

    def registers(self, *fields: str, at: float = 0, source: Hop = HOME, **more: str) -> list[str]:
        """The Contacts of the 200."""
        self.cseq += 1
        given = {"call_id": "one", "cseq": str(self.cseq)} | more
        lines = "\n".join(fields)
        request = parse(
            sip(f"""
REGISTER sip:phones.example SIP/2.0
Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK{self.cseq}
From: <sip:{AOR}>;tag=a
To: <sip:{AOR}>
Call-ID: {given["call_id"]}
CSeq: {given["cseq"]} REGISTER
{lines}

""")
        )
        assert isinstance(request, Request)
        return [value for _, value in self.registrar.register(AOR, request, source, at)]

    def refused(self, *fields: str, at: float = 0, **more: str) -> Refused:
        with pytest.raises(Refused) as refused:
            self.registers(*fields, at=at, **more)
        return refused.value

    def uris(self, at: float = 0) -> list[str]:
        return [contact.uri for contact in self.registrar.contacts(AOR, at)]


class TestContacts:
    def test_a_phone_is_reached_until_its_time_is_over(self):
        desk = Desk()
        assert desk.registers("Contact: <sip:a@10.0.0.5>", "Expires: 600") == [
            "<sip:a@10.0.0.5>;expires=600"
        ]
        assert desk.uris(at=599) == ["sip:a@10.0.0.5"]
        assert desk.uris(at=600) == []

    def test_several_phones_the_latest_first(self):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>, <sip:b@10.0.0.6>;expires=900")
        desk.registers("Contact: <sip:c@10.0.0.7>")
        assert desk.uris() == ["sip:c@10.0.0.7", "sip:b@10.0.0.6", "sip:a@10.0.0.5"]
        assert desk.uris(at=1000) == ["sip:c@10.0.0.7", "sip:a@10.0.0.5"]

    def test_asking_without_a_contact_changes_nothing(self):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>")
        assert desk.registers(at=100) == ["<sip:a@10.0.0.5>;expires=3500"]
        assert len(desk.kept) == 1

    def test_a_refresh_replaces_and_0_removes(self):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>")
        assert desk.registers("Contact: <sip:a@10.0.0.5>", at=1000) == [
            "<sip:a@10.0.0.5>;expires=3600"
        ]
        assert desk.registers("Contact: <sip:a@10.0.0.5>;expires=0") == []
        assert desk.kept[-1] == (AOR, ())

    def test_a_device_with_a_name_is_one_wherever_it_is(self):
        """RFC 5626: its address changes with each connection."""
        desk = Desk()
        name = ';+sip.instance="<urn:uuid:1>";reg-id=1'
        desk.registers(f"Contact: <sip:a@10.0.0.5:1111>{name}")
        desk.registers(f"Contact: <sip:a@10.0.0.5:2222>{name}")
        assert desk.uris() == ["sip:a@10.0.0.5:2222"]

    def test_the_wildcard_removes_everything(self):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>", "Expires: 900")
        desk.registers("Contact: <sip:b@10.0.0.5>", call_id="two")
        assert desk.registers("Contact: *", "Expires: 0") == []
        assert desk.uris() == []

    @pytest.mark.parametrize(
        "fields",
        [("Contact: *",), ("Contact: *", "Expires: 600"), ("Contact: *, <sip:b@h>", "Expires: 0")],
    )
    def test_the_wildcard_means_nothing_else(self, fields: tuple[str, ...]):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>")
        assert desk.refused(*fields).status == 400
        assert desk.uris() == ["sip:a@10.0.0.5"]

    @pytest.mark.parametrize("cseq", ["6", "7"])
    @pytest.mark.parametrize("contact", ["<sip:a@10.0.0.5>", "*"])
    def test_a_request_that_was_overtaken_changes_nothing(self, contact: str, cseq: str):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>", cseq="7")
        late = desk.refused(f"Contact: {contact}", "Expires: 0", cseq=cseq)
        assert late.status == 500
        assert desk.uris() == ["sip:a@10.0.0.5"]

    def test_another_life_of_the_phone_counts_anew(self):
        desk = Desk()
        desk.registers("Contact: <sip:a@10.0.0.5>", cseq="7")
        desk.registers("Contact: <sip:a@10.0.0.5>", cseq="1", call_id="two")
        assert desk.registrar.contacts(AOR, 0)[0].call_id == "two"


class TestLimits:
    @pytest.mark.parametrize("seconds", [1, 599])
    def test_less_than_600_seconds_is_423_with_the_least(self, seconds: int):
        refused = Desk().refused("Contact: <sip:a@10.0.0.5>", f"Expires: {seconds}")
        assert (refused.status, refused.fields) == (423, (("Min-Expires", "600"),))

    @pytest.mark.parametrize(
        "asked", ["Expires: 3601", "Expires: 99999999999", "Expires: x", "X: "]
    )
    def test_more_than_3600_or_nothing_at_all_is_3600(self, asked: str):
        assert Desk().registers("Contact: <sip:a@10.0.0.5>", asked) == [
            "<sip:a@10.0.0.5>;expires=3600"
        ]

    def test_a_contacts_own_time_counts_first(self):
        listed = Desk().registers("Contact: <sip:a@10.0.0.5>;expires=700", "Expires: 900")
        assert listed == ["<sip:a@10.0.0.5>;expires=700"]

    def test_the_eleventh_contact_is_refused_and_the_ten_stay(self):
        desk = Desk()
        for number in range(10):
            desk.registers(f"Contact: <sip:a@10.0.0.{number}>")
        assert desk.refused("Contact: <sip:a@10.0.0.10>").status == 403
        assert len(desk.uris()) == 10
        desk.registers("Contact: <sip:a@10.0.0.3>", at=100)
        desk.registers("Contact: <sip:a@10.0.0.10>", at=3650)
        assert desk.uris(at=3650) == ["sip:a@10.0.0.10", "sip:a@10.0.0.3"]

    def test_all_of_a_request_counts_or_nothing(self):
        desk = Desk()
        desk.refused("Contact: <sip:a@10.0.0.5>, <sip:b@10.0.0.6>;expires=10")
        assert desk.uris() == []


class TestWhereTheyAre:
    def hop(self, contact: str, source: Hop, *fields: str) -> Hop:
        desk = Desk()
        desk.registers(f"Contact: {contact}", *fields, source=source)
        return desk.registrar.contacts(AOR, 0)[0].hop

    def test_at_their_contact_when_that_is_where_they_were_heard(self):
        assert self.hop("<sip:a@10.0.0.5:5070>", HOME) == Hop("UDP", "10.0.0.5", 5070)

    def test_behind_a_nat_where_they_were_heard(self):
        seen = Hop("UDP", "203.0.113.9", 40000)
        assert self.hop("<sip:a@192.168.1.5>", seen) == seen

    def test_on_their_connection(self):
        seen = Hop("TCP", "203.0.113.9", 40000, flow=7)
        assert self.hop("<sip:a@203.0.113.9;transport=tcp>", seen) == seen

    def test_by_the_proxy_that_asked_to_stay_in_between(self):
        """RFC 3327."""
        hop = self.hop("<sip:a@192.168.1.5>", HOME, "Path: <sip:10.0.0.9;lr>, <sip:10.0.0.8;lr>")
        assert hop == Hop("UDP", "10.0.0.9", 5060)

    def test_a_restart_forgets_connections_and_nothing_else(self):
        desk = Desk()
        seen = Hop("TCP", "203.0.113.9", 40000, flow=7)
        desk.registers("Contact: <sip:a@192.168.1.5>", "Path: <sip:p;lr>", source=seen)
        [contact] = desk.registrar.contacts(AOR, 0)
        restored = Contact.restored(contact.data())
        assert restored.received == Hop("TCP", "203.0.113.9", 40000)
        assert (restored.uri, restored.path, restored.expires_at) == (
            contact.uri, contact.path, contact.expires_at,
        )  # fmt: skip


def test_an_address_of_record_has_no_port_and_a_host_in_lower_case():
    assert aor_of("sip:Alice@Phones.Example:5060;transport=tcp") == "Alice@phones.example"


def test_who_is_gone_before_the_time_does_not_count():
    """A browser cannot be reached but by its connection; its page may be loaded anew all day."""
    gone: set[int] = set()
    registrar = Registrar(lambda *kept: None, lambda contact: contact.received.flow not in gone)
    desk = Desk()
    desk.registrar = registrar
    for flow in range(1, 30):
        source = Hop("WSS", "10.0.0.5", 50000 + flow, flow)
        listed = desk.registers(f"Contact: <sip:x@page{flow}.invalid;transport=ws>", source=source)
        assert len(listed) == 1
        gone.add(flow)
    assert registrar.contacts(AOR, 1) == ()
