"""What an endpoint says to requests before anybody looks at them, and where messages go.

RFC 3261 sections 8, 11, 12 and 18, RFC 3581.
"""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sip_ends import End, Line, Talk, counter, sip, word

from offhook.sip.core import Over, Registering
from offhook.sip.dialog import Dialog
from offhook.sip.digest import Credentials
from offhook.sip.endpoint import Endpoint
from offhook.sip.hop import Hop, Send
from offhook.sip.inbound import Incoming
from offhook.sip.message import REASONS, Request, Response, parse
from offhook.sip.outbound import Answered, Invitation

PEER = Hop("UDP", "10.0.0.9", 5060)
LONG = tuple(f"<sip:p{n}.example.org;lr>" for n in range(60))
SPANNERS = [
    b"\r\nContact: <nonsense>\r\n",
    b"\r\nRecord-Route: nonsense\r\n",
    b'\r\nRequire: "open\r\n',
    b"\r\nWWW-Authenticate: Digest\r\n",
    b"\r\nContent-Length: 9\r\n",
    b"BYE ",
    b"SIP/2.0 401 No\r\n",
    b"SIP/2.0 200 OK\r\n",
    b";tag=",
    b"\r\n\r\n",
]


def request(method: str = "INVITE", *fields: str, branch: str = "z9hG4bK1", **more: str) -> bytes:
    given = {
        "uri": "sip:bob@10.0.0.2",
        "via": f"SIP/2.0/UDP 10.0.0.9;branch={branch}",
        "to": "<sip:bob@10.0.0.2>",
        "cseq": f"1 {method}",
        "contact": "<sip:ann@10.0.0.9>",
    } | more
    lines = [
        f"{method} {given['uri']} SIP/2.0",
        f"Via: {given['via']}",
        "From: <sip:ann@10.0.0.9>;tag=a",
        f"To: {given['to']}",
        "Call-ID: one",
        f"CSeq: {given['cseq']}",
        f"Contact: {given['contact']}",
        *fields,
    ]
    return sip("\n".join(lines))


class Alone:
    """One endpoint at 10.0.0.2, and what it sends."""

    def __init__(self) -> None:
        self.end = End("bob", "10.0.0.2")
        self.line = Line(self.end)
        self.sends: list[Send] = []

    def hears(self, data: bytes, hop: Hop = PEER) -> list[Request | Response]:
        """What it says to that."""
        before = len(self.end.sent)
        self.end.endpoint.receive(data, hop, self.line.now)
        taken = self.end.endpoint.take()
        self.sends += [output for output in taken if isinstance(output, Send)]
        self.end.events += [output for output in taken if not isinstance(output, Send)]
        self.end.sent += [(0.0, output.data) for output in taken if isinstance(output, Send)]
        return self.end.messages()[before:]


class TestAnswersOfTheEndpoint:
    def test_options_is_200_with_what_we_can_do(self):
        """Section 11.2."""
        [response] = Alone().hears(request("OPTIONS"))
        assert word(response) == "200"
        assert "INVITE" in response.all("allow")
        assert response.get("accept") == "application/sdp"
        assert response.get("server") == "bob"
        assert response.to.tag

    def test_while_calls_are_refused_so_is_that(self):
        """Section 11.2: as an INVITE would be. A proxy that asks sends its calls elsewhere."""
        alone = Alone()
        alone.end.endpoint.refusing = True
        [response] = alone.hears(request("OPTIONS"))
        assert word(response) == "503"

    @pytest.mark.parametrize("method", ["SUBSCRIBE", "MESSAGE", "NOBODYKNOWS"])
    def test_a_method_we_do_not_have_is_405_with_those_we_have(self, method: str):
        """Section 8.2.1."""
        [response] = Alone().hears(request(method))
        assert word(response) == "405"
        assert {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"} <= set(response.all("allow"))

    def test_a_required_extension_is_420_and_named(self):
        """Section 8.2.2.3."""
        [response] = Alone().hears(request("INVITE", "Require: nothingSupportsThis, 100REL, path"))
        assert word(response) == "420"
        assert response.all("unsupported") == ["nothingSupportsThis", "path"]

    def test_a_path_may_be_required_of_a_registrar(self):
        """RFC 3327 section 5.2."""
        alone = Alone()
        assert alone.hears(request("REGISTER", "Require: path")) == []
        assert alone.end.one(Registering)

    def test_the_same_request_by_another_way_is_482(self):
        """Section 8.2.2.2."""
        alone = Alone()
        assert alone.hears(request(branch="z9hG4bKway1")) == []
        [response] = alone.hears(request(branch="z9hG4bKway2"))
        assert word(response) == "482"
        assert len(alone.end.all(Incoming)) == 1

    @pytest.mark.parametrize(
        "type", ["text/plain", "multipart/mixed;boundary=x", "multipart/mixed", 'multipart/x;"', ""]
    )
    def test_a_body_that_is_no_sdp_is_415(self, type: str):
        """Section 8.2.3."""
        lines = request("INVITE", f"Content-Type: {type}") + b"hello"
        [response] = Alone().hears(lines)
        assert word(response) == "415"
        assert response.get("accept") == "application/sdp"

    @pytest.mark.parametrize("boundary", ["one", '"o n;e"'])
    def test_a_description_in_company_is_read_alone(self, boundary: str):
        """ISUP, or where the caller is, beside it (RFC 5621)."""
        line = f"--{boundary.strip(chr(34))}"
        body = f"""
{line}
Content-Type: application/isup;version=itu

v=1
{line}
Content-Disposition: session
Content-Type: application/sdp

v=0
s=-

{line}--
"""
        alone = Alone()
        fields = [f"c: multipart/mixed; x=1; boundary={boundary}"]
        assert alone.hears(request("INVITE", *fields) + body.replace("\n", "\r\n").encode()) == []
        [incoming] = alone.end.all(Incoming)
        assert incoming.call.request.body == b"v=0\r\ns=-\r\n"

    def test_a_body_in_a_code_is_415(self):
        fields = ("Content-Type: application/sdp", "e: gzip")
        [response] = Alone().hears(request("INVITE", *fields) + b"hello")
        assert word(response) == "415"
        assert response.get("accept-encoding") == "identity"

    def test_one_that_says_it_is_in_none_is_read(self):
        fields = ("Content-Type: application/sdp", "Content-Encoding: identity")
        assert Alone().hears(request("INVITE", *fields) + b"hello") == []

    @pytest.mark.parametrize("method", ["BYE", "INFO", "INVITE"])
    def test_a_dialog_that_is_not_ours_is_481(self, method: str):
        [response] = Alone().hears(request(method, to="<sip:bob@h>;tag=unknown"))
        assert word(response) == "481"

    def test_a_bye_outside_any_dialog_is_481(self):
        assert word(Alone().hears(request("BYE"))[0]) == "481"

    @pytest.mark.parametrize("to", ["<sip:bob@h>;tag=unknown", "<sip:bob@h>"])
    def test_a_stray_ack_is_counted_and_not_answered(self, to: str):
        alone = Alone()
        assert alone.hears(request("ACK", to=to)) == []
        assert alone.end.endpoint.counts["stray"] == 1

    @pytest.mark.parametrize(
        "instead",
        [
            b"",
            b"Contact: <mailto:ann@h>\r\n",
            b"Record-Route: <sip:p;lr>, nonsense\r\nm: <sip:a>\r\n",
        ],
    )
    def test_an_invite_that_says_no_way_back_to_its_caller_is_400(self, instead: bytes):
        """Sections 8.1.1.8 and 12.1.1."""
        data = request().replace(b"Contact: <sip:ann@10.0.0.9>\r\n", instead)
        [response] = Alone().hears(data)
        assert word(response) == "400"

    def test_a_telephone_number_may_be_called(self):
        """RFC 3966: also by one that does not make it a sip: URI."""
        alone = Alone()
        assert alone.hears(request(uri="tel:+15550001111")) == []
        assert alone.end.one(Incoming)

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ((b"1 INVITE", b"1 BYE"), "400"),
            ((b"SIP/2.0\r\nVia", b"SIP/3.0\r\nVia"), "505"),
            ((b"INVITE sip:bob@10.0.0.2", b"INVITE http://bob"), "416"),
            ((b"To: <sip:bob@10.0.0.2>", b'To: "open'), "400"),
            ((b"Call-ID: one\r\n", b""), "400"),
        ],
    )
    def test_a_bad_request_is_answered_when_there_is_a_way_back(
        self, change: tuple[bytes, bytes], status: str
    ):
        alone = Alone()
        [response] = alone.hears(request().replace(*change))
        assert word(response) == status
        assert isinstance(response, Response)
        assert (response.reason == REASONS[int(status)]) == (status != "400")
        assert alone.end.endpoint.counts["malformed"] == 1
        assert alone.end.events == []

    @pytest.mark.parametrize(
        "data",
        [
            b"hello",
            b"\x00" * 100,
            request("ACK").replace(b"1 ACK", b"1 BYE"),
            request().replace(b"Via: SIP", b"Via: SAP"),
            b"SIP/2.0 200 OK\r\n\r\n",
        ],
    )
    def test_what_cannot_be_answered_is_dropped_and_counted(self, data: bytes):
        alone = Alone()
        assert alone.hears(data) == []
        assert alone.end.endpoint.counts["malformed"] == 1

    def test_a_response_to_nothing_is_dropped_and_counted(self):
        alone = Alone()
        stray = request().replace(b"INVITE sip:bob@10.0.0.2 SIP/2.0", b"SIP/2.0 200 OK")
        assert alone.hears(stray) == []
        assert alone.end.endpoint.counts["stray"] == 1

    @pytest.mark.parametrize("hops", ["0", "1"])
    def test_max_forwards_stops_nobody_who_is_the_last(self, hops: str):
        """Section 16.3 is for proxies."""
        assert word(Alone().hears(request("OPTIONS", f"Max-Forwards: {hops}"))[0]) == "200"


class TestStrangers:
    """Section 26.3.2.4: nothing is kept for those who are not known."""

    def test_who_is_turned_away_is_told_once_and_forgotten(self):
        alone = Alone()
        alone.hears(request())
        alone.end.one(Incoming).call.turn_away(401, ("WWW-Authenticate", 'Digest realm="r"'))
        told = alone.hears(b"")
        assert [word(response) for response in told] == ["401"]
        assert told[0].get("www-authenticate")
        assert alone.end.one(Over).code == 401
        assert alone.end.endpoint.wake_at is None
        assert not alone.end.endpoint.busy

    def test_a_repeated_invite_of_theirs_comes_again(self):
        alone = Alone()
        alone.hears(request())
        alone.end.one(Incoming).call.turn_away(403)
        alone.hears(request())
        assert len(alone.end.all(Incoming)) == 2

    def test_there_is_no_second_word_after_it(self):
        alone = Alone()
        alone.hears(request())
        call = alone.end.one(Incoming).call
        call.turn_away(403)
        alone.hears(b"")
        call.turn_away(403)
        call.trying(0.0)
        call.ring(0.0)
        call.reject(486, 0.0)
        assert call.answer(b"answer", 0.0) is None
        assert alone.hears(b"") == []


class TestRepeats:
    def test_a_repeated_invite_is_answered_from_its_transaction(self):
        alone = Alone()
        alone.hears(request())
        [incoming] = alone.end.all(Incoming)
        incoming.call.ring(0.0)
        alone.end.endpoint.take()
        [again] = alone.hears(request())
        assert word(again) == "180"
        assert len(alone.end.all(Incoming)) == 1

    def test_a_repeated_request_gets_the_very_same_response(self):
        alone = Alone()
        first, second = alone.hears(request("OPTIONS")), alone.hears(request("OPTIONS"))
        assert first == second != []
        assert alone.end.events == []  # they belong to no call

    def test_without_the_cookie_the_whole_request_is_the_key(self):
        """Section 17.2.3: clients of RFC 2543."""
        alone = Alone()
        assert alone.hears(request(branch="1")) == []
        alone.hears(request(branch="1"))
        assert len(alone.end.all(Incoming)) == 1
        alone.hears(request(branch="1").replace(b"Call-ID: one", b"Call-ID: two"))
        assert len(alone.end.all(Incoming)) == 2

    def test_a_refusal_to_an_old_client_is_ended_by_its_ack(self):
        alone = Alone()
        alone.hears(request(branch="1"))
        alone.end.one(Incoming).call.reject(486, 0.0)
        alone.end.endpoint.take()
        alone.hears(request("ACK", branch="1", cseq="1 ACK"))
        assert alone.end.one(Over).code == 486


class TestWaysBack:
    """Section 18.2 and RFC 3581: where a response goes."""

    @pytest.mark.parametrize(
        ("via", "source", "to", "stamp"),
        [
            ("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1", PEER, ("10.0.0.9", 5060), ""),
            (
                "SIP/2.0/UDP 10.0.0.9:5070;branch=z9hG4bK1",
                Hop("UDP", "10.0.0.9", 4000),
                ("10.0.0.9", 5070),
                "",
            ),
            (
                "SIP/2.0/UDP host.example;branch=z9hG4bK1",
                PEER,
                ("10.0.0.9", 5060),
                ";received=10.0.0.9",
            ),
            (
                "SIP/2.0/UDP 192.168.0.5:5070;branch=z9hG4bK1",
                Hop("UDP", "10.0.0.9", 4000),
                ("10.0.0.9", 5070),
                ";received=10.0.0.9",
            ),
            (
                "SIP/2.0/UDP 192.168.0.5:5070;rport;branch=z9hG4bK1",
                Hop("UDP", "10.0.0.9", 4000),
                ("10.0.0.9", 4000),
                ";received=10.0.0.9",
            ),
            (
                "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1;received=6.6.6.6;rport",
                Hop("UDP", "10.0.0.9", 4000),
                ("10.0.0.9", 4000),
                ";received=10.0.0.9",
            ),
        ],
    )
    def test_it_goes_where_the_request_really_came_from(
        self, via: str, source: Hop, to: tuple[str, int], stamp: str
    ):
        alone = Alone()
        [response] = alone.hears(request("OPTIONS", via=via), source)
        [send] = alone.sends
        assert (send.hop.host, send.hop.port) == to
        assert response.get("via").endswith(stamp)
        assert response.get("via").count("received") == bool(stamp)
        if "rport" in via:
            assert response.via.param("rport") == str(source.port)

    @pytest.mark.parametrize("rport", ["", ";rport"])
    @pytest.mark.parametrize(("transport", "port"), [("TCP", 5060), ("TLS", 5061)])
    def test_it_goes_back_on_the_connection_or_where_its_sender_listens(
        self, transport: str, port: int, rport: str
    ):
        alone, flow = Alone(), Hop(transport, "10.0.0.9", 40000, 7)
        alone.hears(
            request("OPTIONS", via=f"SIP/2.0/{transport} 10.0.0.9;branch=z9hG4bK1{rport}"), flow
        )
        assert alone.sends[0].hop == Hop(transport, "10.0.0.9", port, 7)

    def test_only_the_topmost_via_is_changed(self):
        via = "SIP/2.0/UDP p1;rport;branch=z9hG4bK1,SIP/2.0/UDP p2;rport"
        [response] = Alone().hears(request("OPTIONS", "Via: SIP/2.0/UDP p3", via=via))
        assert [one.count("received") for one in response.all("via")] == [1, 0, 0]


def dialog(
    *,
    route: str = "",
    contact: str = "sip:ann@10.0.0.9",
    source: Hop = PEER,
    uri: str = "",
) -> Dialog:
    lines = [f"Record-Route: {route}"] if route else []
    data = request("INVITE", *lines, contact=f"<{contact}>")
    if uri:
        data = re.sub(rb"^INVITE \S+", f"INVITE {uri}".encode(), data)
    parsed = parse(data)
    assert isinstance(parsed, Request)
    return Dialog.answering(parsed, "mine", source)


@pytest.mark.parametrize(
    ("uri", "route", "contact", "sips"),
    [
        ("sip:us@10.0.0.1", "", "sip:ann@10.0.0.9", False),
        ("sips:us@10.0.0.1", "", "sip:ann@10.0.0.9", True),
        ("sip:us@10.0.0.1", "<sips:p1;lr>, <sip:p2;lr>", "sip:ann@10.0.0.9", True),
        ("sip:us@10.0.0.1", "<sip:p1;lr>, <sips:p2;lr>", "sips:ann@10.0.0.9", False),
        ("sip:us@10.0.0.1", "", "sips:ann@10.0.0.9", True),
    ],
)
def test_when_our_contact_is_sips(uri: str, route: str, contact: str, sips: bool):
    """Section 12.1.1: by the Request-URI, by the top Record-Route, else by the Contact."""
    assert dialog(uri=uri, route=route, contact=contact).sips is sips


@pytest.mark.parametrize(
    ("uri", "route", "by", "contact"),
    [
        ("sip:bob@10.0.0.2", "<sip:p;lr>", "UDP", "<sip:us:5060>"),
        ("sips:bob@10.0.0.2", "", "UDP", "<sips:us:5061>"),
        ("sip:bob@10.0.0.2", "<sips:p;lr>", "UDP", "<sips:us:5061>"),
        ("sips:bob@10.0.0.2", "", "WSS", "<sips:us:443;transport=ws>"),
    ],
)
def test_a_contact_that_is_sips_leads_to_where_tls_is_spoken(
    uri: str, route: str, by: str, contact: str
):
    """Section 8.1.1.8, also where the next hop itself is none of TLS."""
    ports = {"UDP": "5060", "TLS": "5061;transport=tls", "WSS": "443;transport=ws"}
    endpoint = Endpoint(
        lambda hop: "us", lambda hop: f"sip:us:{ports[hop.transport]}", counter("ann")
    )
    fields = (("Route", route),) if route else ()
    endpoint.invite(
        Invitation(uri, "<sip:ann@us>", "<sip:bob@x>", Hop(by, "10.0.0.2", 5060), b"", fields), 0
    )
    [sent] = [output for output in endpoint.take() if isinstance(output, Send)]
    assert parse(sent.data).get("contact") == contact


class TestRoutes:
    """Section 12.2.1.1."""

    def test_without_proxies_requests_go_to_the_contact(self):
        made = dialog(contact="sip:ann@10.0.0.8:5070;transport=tcp")
        assert made.hop() == Hop("TCP", "10.0.0.8", 5070)
        assert made.request("BYE").uri == "sip:ann@10.0.0.8:5070;transport=tcp"

    def test_what_may_not_stand_in_a_request_line_does_not(self):
        """Section 19.1.1, table 1."""
        made = dialog(contact="sip:ann@10.0.0.9;method=INVITE;x=1?Subject=y")
        assert made.request("BYE").uri == "sip:ann@10.0.0.9;x=1"

    def test_a_contact_that_is_sips_is_not_reached_by_a_connection_in_the_clear(self):
        """RFC 5630 section 3.1.3."""
        made = dialog(contact="sips:ann@10.0.0.9", source=Hop("TCP", "10.0.0.9", 40000, 7))
        assert made.hop() == Hop("TLS", "10.0.0.9", 5061)

    def test_loose_proxies_are_listed_and_the_first_is_the_hop(self):
        made = dialog(route="<sip:p1;lr>, <sip:p2:5070;lr>")
        bye = made.request("BYE")
        assert bye.values("route") == ["<sip:p1;lr>", "<sip:p2:5070;lr>"]
        assert bye.uri == "sip:ann@10.0.0.9"
        assert made.hop() == Hop("UDP", "p1", 0)

    def test_a_strict_proxy_takes_the_place_of_the_target(self):
        made = dialog(route="<sip:p1>, <sip:p2;lr>")
        bye = made.request("BYE")
        assert bye.uri == "sip:p1"
        assert bye.values("route") == ["<sip:p2;lr>", "<sip:ann@10.0.0.9>"]

    def test_the_callers_route_is_the_recorded_one_backwards(self):
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.incoming().answer(b"answer", talk.now)
        [answer] = [output for output in talk.callee.endpoint.take() if isinstance(output, Send)]
        recorded = b"Record-Route: <sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>\r\nContact:"
        data = answer.data.replace(b"Contact:", recorded)
        talk.caller.endpoint.receive(data, talk.callee.hop, talk.now)
        talk.line.flush()
        ack = talk.caller.messages()[-1]
        assert ack.values("route") == ["<sip:10.0.0.8;lr>", "<sip:10.0.0.7;lr>"]
        assert talk.caller.one(Answered).session.dialog.hop().host == "10.0.0.8"

    def test_a_route_also_goes_into_the_ack_of_a_refusal(self):
        talk = Talk()
        talk.invite(fields=(("Route", "<sip:10.0.0.2;lr>"),))
        talk.line.run()
        talk.incoming().reject(486, talk.now)
        talk.line.run()
        assert talk.caller.messages()[-1].values("route") == ["<sip:10.0.0.2;lr>"]

    def test_a_contact_behind_nat_is_answered_where_it_was_heard(self):
        public = Hop("UDP", "8.8.4.4", 4000)
        assert dialog(contact="sip:a@192.168.1.5", source=public).hop() == public
        assert dialog(contact="sip:a@8.8.8.8", source=public).hop().host == "8.8.8.8"

    def test_a_connection_that_is_open_is_used_again(self):
        flow = Hop("TCP", "10.0.0.9", 40000, 7)
        made = dialog(contact="sip:a@10.0.0.9;transport=tcp", source=flow)
        assert made.hop() == Hop("TCP", "10.0.0.9", 5060, 7)

    def test_so_is_one_where_the_contact_does_not_say_what_leads_there(self):
        """By RFC 3263 that is a datagram: after a call by TLS, in the clear, and to nobody."""
        flow = Hop("TLS", "10.0.0.9", 40000, 7)
        assert dialog(contact="sip:a@10.0.0.9:5061", source=flow).hop() == Hop(
            "TLS", "10.0.0.9", 5061, 7
        )
        assert dialog(contact="sip:a@10.0.0.8", source=flow).hop().transport == "UDP"
        assert dialog(contact="sip:a@10.0.0.9;transport=udp", source=flow).hop().transport == "UDP"

    @pytest.mark.parametrize(
        ("transport", "host", "flow"),
        [("tls", "10.0.0.7", 7), ("tls", "10.0.0.8", 0), ("tcp", "10.0.0.7", 0)],
    )
    def test_so_is_a_proxys_by_tls_since_no_certificate_names_an_address(
        self, transport: str, host: str, flow: int
    ):
        source = Hop(transport.upper(), "10.0.0.7", 40000, 7)
        made = dialog(route=f"<sip:{host}:5061;transport={transport};lr>", source=source)
        assert made.hop() == Hop(transport.upper(), host, 5061, flow)

    def test_what_is_kept_for_a_restart_is_plain_data(self):
        made = dialog(route="<sip:p1;lr>")
        again = Dialog.restored(made.data())
        assert again.key == made.key
        assert again.hop() == made.hop()
        assert again.request("BYE").cseq.number > made.request("BYE").cseq.number


class TestLongRequests:
    """Section 18.1.1: more than 1300 bytes do not go by datagram."""

    def long(self, size: int = 2000) -> End:
        end = End("ann", "10.0.0.1")
        order = Invitation(
            "sip:b@10.0.0.2",
            "<sip:a@h>",
            "<sip:b@10.0.0.2>",
            Hop("UDP", "10.0.0.2", 5060),
            b"x" * size,
        )
        end.endpoint.invite(order, 0.0)
        return end

    def sends(self, end: End) -> list[Send]:
        return [output for output in end.endpoint.take() if isinstance(output, Send)]

    def test_a_long_request_goes_over_tcp_and_its_via_says_so(self):
        [send] = self.sends(self.long())
        assert send.hop.transport == "TCP"
        assert parse(send.data).via.transport == "TCP"

    def test_a_short_one_does_not(self):
        [send] = self.sends(self.long(10))
        assert (send.hop.transport, parse(send.data).via.transport) == ("UDP", "UDP")

    def test_where_nobody_listens_on_tcp_it_is_a_datagram_after_all(self):
        end = self.long()
        [send] = self.sends(end)
        end.endpoint.undeliverable(send, 0.1)
        [again] = self.sends(end)
        assert (again.hop.transport, parse(again.data).via.transport) == ("UDP", "UDP")
        assert parse(again.data).cseq == parse(send.data).cseq
        assert end.endpoint.wake_at == 0.1 + 0.5
        end.endpoint.undeliverable(again, 0.2)
        [over] = [output for output in end.endpoint.take() if isinstance(output, Over)]
        assert (over.by, over.code) == ("network", 503)
        for later, transport in ((600, "UDP"), (601, "TCP")):
            end.endpoint.options("sip:b@10.0.0.2", again.hop, lambda *_: None, later, route=LONG)
            assert self.sends(end)[-1].hop.transport == transport


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(0, 400),
    st.integers(0, 20),
    st.one_of(st.binary(max_size=30), st.sampled_from(SPANNERS)),
)
def test_no_change_to_the_messages_of_a_call_breaks_an_endpoint(
    which: int, start: int, length: int, noise: bytes
):
    """Whatever arrives in the middle of a call, it goes on working."""
    talk = Talk()
    talk.invite(credentials=Credentials("ann", "secret"))
    talk.line.run()
    talk.incoming().ring(talk.now)
    talk.incoming().answer(b"answer", talk.now)
    talk.line.run()
    both = [*talk.caller.sent, *talk.callee.sent]
    data = both[which % len(both)][1]
    for end in (talk.caller, talk.callee):
        end.endpoint.receive(data[:start] + noise + data[start + length :], PEER, talk.now)
    talk.line.run(100)
    [answered] = talk.caller.all(Answered)
    answered.session.bye(talk.now)
    talk.line.run(100)
    assert answered.session.over


def test_an_endpoint_can_be_asked_whether_it_is_there():
    talk, heard = Talk(), []
    talk.caller.endpoint.options(
        "sip:10.0.0.2",
        talk.callee.hop,
        lambda response, now: heard.append(response),
        0.0,
        route=("<sip:p;lr>",),
    )
    talk.line.run()
    assert [word(response) for response in heard] == ["200"]
    assert talk.caller.messages()[0].values("route") == ["<sip:p;lr>"]


def test_one_that_is_not_is_reported_after_32_seconds():
    talk, heard = Talk(), []
    talk.line.fates["10.0.0.1"] = lambda data: ()
    talk.caller.endpoint.options(
        "sip:10.0.0.2", talk.callee.hop, lambda response, now: heard.append((now, response)), 0.0
    )
    talk.line.run(40)
    assert heard == [(32.0, None)]


def test_over_tcp_a_call_needs_no_repeats():
    talk = Talk("TCP")
    caller, _ = talk.answered()
    caller.bye(talk.now)
    talk.line.run(60)
    assert talk.caller.said() == ["INVITE", "ACK", "BYE"]
    assert talk.callee.said() == ["200", "200"]
    assert "TCP" in talk.caller.messages()[0].get("via")
    assert "transport=tcp" in talk.caller.messages()[0].get("contact")
