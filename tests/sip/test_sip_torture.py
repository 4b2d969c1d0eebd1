"""Messages that are hard to read, judged by what they mean.  RFC 4475, RFC 5118 for IPv6.

Each is of our own making and has the property that its section of the RFC is about.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import pytest
from sip_ends import End, sip, word

from offhook.sip import digest, sdp
from offhook.sip.core import Registering
from offhook.sip.grammar import BadSip
from offhook.sip.hop import Hop, Send, hop_of
from offhook.sip.inbound import Incoming
from offhook.sip.message import Request, Response, fault, parse
from offhook.sip.registrar import Refused, Registrar
from offhook.sip.stream import Stream
from offhook.sip.uri import parse_address, parse_uri

PEER = Hop("UDP", "192.0.2.80", 5060)
STREAM = Hop("TCP", "192.0.2.80", 5060, flow=1)
US = "sip:desk@198.51.100.9"


@dataclass
class Verdict:
    """What an endpoint made of one message: the statuses it said, and the calls it reported."""

    said: list[Response]
    calls: list[Incoming]
    registering: list[Registering]
    counted: dict[str, int]

    @property
    def words(self) -> list[str]:
        return [word(message) for message in self.said]


class Endpoint:
    """One that hears what a test says, by datagram or by connection."""

    def __init__(self) -> None:
        self.end = End("desk", "198.51.100.9")
        self.stream = Stream()

    def hears(self, data: bytes, hop: Hop = PEER) -> Verdict:
        before = dict(self.end.endpoint.counts)
        self.end.endpoint.receive(data, hop, 0.0)
        taken = self.end.endpoint.take()
        counts = self.end.endpoint.counts
        said = [parse(each.data) for each in taken if isinstance(each, Send)]
        return Verdict(
            [each for each in said if isinstance(each, Response)],
            [each for each in taken if isinstance(each, Incoming)],
            [each for each in taken if isinstance(each, Registering)],
            {name: counts[name] - before.get(name, 0) for name in counts},
        )

    def hears_stream(self, data: bytes) -> list[Verdict]:
        """Raises BadSip where the connection has to be closed."""
        return [self.hears(message, STREAM) for message in self.stream.feed(data)]


def heard(data: bytes) -> Verdict:
    return Endpoint().hears(data)


def read(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    assert fault(message) is None
    return message


def plain(method: str = "OPTIONS", **changes: str) -> bytes:
    """A request without anything odd; `changes` replace fields, or take them out when empty."""
    fields = {
        "line": f"{method} {US} SIP/2.0",
        "Via": "SIP/2.0/UDP 192.0.2.80;branch=z9hG4bKodd",
        "Max_Forwards": "70",
        "From": "<sip:odd@192.0.2.80>;tag=f1",
        "To": f"<{US}>",
        "Call_ID": "odd-1@192.0.2.80",
        "CSeq": f"3 {method}",
        "Contact": "<sip:odd@192.0.2.80>",
    } | changes
    line = fields.pop("line")
    shown = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items() if value]
    return sip("\n".join([line, *shown]))


class TestValid:
    """Section 3.1.1: nothing is wrong with these."""

    def test_every_liberty_the_grammar_gives_at_once(self):
        """3.1.1.1: folds, blanks, compact and odd-cased names, quotations, empty values."""
        data = sip("""
INVITE sip:desk@198.51.100.9;novel-flag SIP/2.0
tO :
  sip:desk@198.51.100.9
fRoM   : "Lee \\\\\\"Ray\\\\\\""   <sip:lee@example.org>
 ;
 tag   = 77ab
mAX-fORWARDS: 0041
i: folded.call
	@192.0.2.80
CSEQ  : 0012
  INVITE
v:  SIP  / 2.0
 / TCP     one.example.org   ;
  branch   =   z9hG4bKfolded  ,
 SIP  /    2.0   / UDP  192.0.2.200   ; branch=
 z9hG4bKbelow
s:
X-Unheard-Of: \u4e2d\u6587 ;;,, "open is fine here
Route:
 <sip:edge.example.org;lr;flag;word=value>
m:"With \\"marks\\" and, comma"   <sip:lee@192.0.2.80> ; fresh =
 yes ;
  other ; q = 0.25
c: application/sdp
l: 4

abcd""")
        request = read(data)
        assert request.from_.display == 'Lee \\"Ray\\"'
        assert request.from_.tag == "77ab"
        assert (request.get("max-forwards"), request.call_id) == ("0041", "folded.call @192.0.2.80")
        assert request.cseq == (12, "INVITE")
        assert request.via.branch == "z9hG4bKfolded"
        assert (request.via.transport, request.via.sent_by) == ("TCP", "one.example.org:5060")
        assert len(request.all("via")) == 2
        assert request.get("subject") == ""
        assert request.contact
        assert request.contact.display == 'With "marks" and, comma'
        assert (request.contact.param("fresh"), request.contact.param("q")) == ("yes", "0.25")
        assert request.body == b"abcd"
        [incoming] = heard(data).calls
        assert incoming.call.request.get("subject") == ""
        assert incoming.call.request.body == b"abcd"

    def test_a_folded_length_frames_a_stream(self):
        data = plain(Content_Length="\n  2") + b"hi"
        verdicts = Endpoint().hears_stream(data + data.replace(b"z9hG4bKodd", b"z9hG4bKmerged"))
        assert [each.words for each in verdicts] == [["200"], ["482"]]

    def test_methods_users_and_fields_made_of_every_character_there_is(self):
        """3.1.1.2: an unknown method, whoever's, is 405 with what we have (8.2.1)."""
        method = "Odd-*_+`%'~.!9"
        uri = "sip:1_odd.USER~(a-b!c)&d'e+f$/g?,/;;*:&pass+x=1,y!z$@198.51.100.9"
        data = plain(
            method,
            line=f"{method} {uri} SIP/2.0",
            To='"ring:\\\x07 nul:\\\x00 del:\\\x7f" <sip:x@198.51.100.9>',
            **{"Field-!.%*+_`'~": "\u03b1\u03b2\u03b3 , \u2603"},
        )
        request = read(data)
        assert parse_uri(request.uri).user == "1_odd.USER~(a-b!c)&d'e+f$/g?,/;;*"
        assert parse_uri(request.uri).password == "&pass+x=1,y!z$"
        assert request.to.display == "ring: nul: del:"
        [response] = heard(data).said
        assert word(response) == "405"
        assert response.get("to").startswith('"ring:\\\x07 nul:\\\x00 del:\\\x7f" <')

    def test_escapes_are_undone_once_and_only_where_they_mean_something(self):
        """3.1.1.3"""
        contact = "<sip:c%61ller@192.0.2.80;%6C%72;n%61me=v%61lue%25%34%31>"
        request = read(plain(From="<sip:has%20blanks@192.0.2.80>;tag=1", Contact=contact))
        assert request.from_.parsed.user == "has blanks"
        assert request.contact
        uri = request.contact.parsed
        assert (uri.user, uri.param("lr"), uri.param("name")) == ("caller", "", "value%41")
        assert parse_uri("sip:sips%3Adesk%40here@198.51.100.9").user == "sips:desk@here"

    def test_an_escaped_null_is_a_character_of_the_user(self):
        """3.1.1.4: %00 and %00%00 are two places."""
        request = read(plain("REGISTER", Contact="<sip:%00@h.example>,<sip:%00%00@h.example>"))
        registrar = Registrar(lambda aor, contacts: None)
        listed = registrar.register("null-\0-null@h", request, PEER, 0.0)
        assert [value.partition(">")[0] for _, value in listed] == [
            "<sip:%00@h.example",
            "<sip:%00%00@h.example",
        ]

    def test_a_percent_sign_in_a_method_or_a_name_is_no_escape(self):
        """3.1.1.5"""
        data = plain("OP%54IONS", From='"%41%42" <sip:odd@192.0.2.80>;tag=1')
        assert read(data).from_.display == "%41%42"
        assert heard(data).words == ["405"]

    def test_no_blank_between_a_name_and_its_address(self):
        """3.1.1.6"""
        request = read(plain(From="Operator<sip:odd@192.0.2.80>;tag=9"))
        assert (request.from_.display, request.from_.tag) == ("Operator", "9")

    def test_long_values_in_every_place(self):
        """3.1.1.7"""
        long = "very" * 40
        request = read(
            plain(
                From=f'"{long}" <sip:{long}@192.0.2.80;{long}={long}>;tag={long};{long}',
                Via=", ".join(f"SIP/2.0/TCP {long}{n}.example;branch=z9hG4bK{long}" for n in "123"),
                Call_ID=long,
                CSeq="2147483647 OPTIONS",
                **{f"X-{long}": long * 10},
            )
        )
        assert (request.from_.display, request.from_.tag, request.call_id) == (long, long, long)
        assert request.from_.parsed.user == long
        assert len(request.all("via")) == 3
        assert heard(request.encode()).words == ["200"]

    def test_what_follows_in_the_datagram_is_thrown_away(self):
        """3.1.1.8: another message behind the first one's length."""
        data = plain(Content_Length="0")
        verdict = heard(data + plain("INVITE"))
        assert (verdict.words, verdict.calls) == (["200"], [])

    def test_semicolons_in_a_user_part(self):
        """3.1.1.9: they are not the parameters of the URI."""
        uri = parse_uri("sip:desk;par=u%40example.org@198.51.100.9;lr")
        assert (uri.user, uri.host, uri.params) == (
            "desk;par=u@example.org",
            "198.51.100.9",
            (("lr", ""),),
        )

    @pytest.mark.parametrize("transport", ["UDP", "SCTP", "TLS", "TLS-SCTP", "WSS", "CARRIER2"])
    def test_any_transport_may_stand_in_a_via(self, transport: str):
        """3.1.1.10"""
        via = f"SIP/2.0/{transport} 192.0.2.80;branch=z9hG4bKt"
        assert heard(plain(Via=via)).words == ["200"]
        assert read(plain(Via=via)).via.transport == transport

    def test_a_body_in_several_parts_is_bytes(self):
        """3.1.1.11: what we cannot read is refused by its type, and not by its bytes."""
        body = b"--b\r\n\r\nv=0\r\n--b\r\nContent-Type: application/x\r\n\r\n\x00\xff\r\n--b--\r\n"
        data = plain("INVITE", Content_Type="multipart/mixed;boundary=b") + body
        assert read(data).body == body
        assert heard(data).words == ["415"]

    @pytest.mark.parametrize("reason", [" \u0411\u0435\u0437 = 2**3 * 9.85e2", " ", ""])
    def test_a_response_may_say_anything_or_nothing(self, reason: str):
        """3.1.1.12 and 3.1.1.13"""
        response = parse(
            plain().replace(f"OPTIONS {US} SIP/2.0".encode(), b"SIP/2.0 100" + reason.encode())
        )
        assert isinstance(response, Response)
        assert (response.status, response.reason) == (100, reason[1:])
        assert fault(response) is None


class TestInvalid:
    """Section 3.1.2: what is wrong is said, where there is a way to say it."""

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            # 3.1.2.1: separators with nothing between them
            ({"Via": "SIP/2.0/UDP 192.0.2.80;;,;,,"}, "400"),
            # 3.1.2.2 and 3.1.2.3: more than there is, less than nothing
            ({"Content_Length": "9999"}, "400"),
            ({"Content_Length": "-999"}, "400"),
            ({"Content_Length": "1" * 5000}, "400"),
            ({"Content_Length": "\u0664"}, "400"),
            # 3.1.2.4: numbers that are too large
            ({"CSeq": "36893488147419103232 OPTIONS"}, "400"),
            ({"CSeq": "9" * 5000 + " OPTIONS"}, "400"),
            ({"Max_Forwards": "300"}, "400"),
            ({"Max_Forwards": "7" * 5000}, "400"),
            # 3.1.2.6: a quotation without its end
            ({"To": '"Desk <sip:desk@198.51.100.9>'}, "400"),
            # 3.1.2.7 to 3.1.2.9: what is around and within the Request-URI
            ({"line": f"OPTIONS <{US}> SIP/2.0"}, "400"),
            ({"line": "OPTIONS sip:desk@198.51.100.9; lr SIP/2.0"}, "400"),
            ({"line": f"OPTIONS  {US}  SIP/2.0"}, "400"),
            # 3.1.2.10: a blank at the end harms nobody
            ({"line": f"OPTIONS {US} SIP/2.0  "}, "200"),
            # 3.1.2.13: whose are the headers of a URI without brackets?
            ({"Contact": "sip:odd@192.0.2.80?Route=%3Csip:evil.example%3E"}, "400"),
            # 3.1.2.14: blanks inside of brackets
            ({"To": '"Desk, Front" < sip:desk@198.51.100.9 >'}, "400"),
            # 3.1.2.15: a name with a comma and without quotations is guessed
            ({"To": "Desk, Front <sip:desk@198.51.100.9>"}, "200"),
            # 3.1.2.16 to 3.1.2.18
            ({"line": f"OPTIONS {US} SIP/7.0"}, "505"),
            ({"CSeq": "8 INVITE"}, "400"),
            ({"line": f"NOVELTY {US} SIP/2.0"}, "400"),
        ],
    )  # fmt: skip
    def test_it_is_refused_with_its_status(self, changes: dict[str, str], status: str):
        verdict = heard(plain(**changes))
        assert verdict.words == [status]
        assert verdict.counted.get("malformed", 0) == (status != "200")
        assert verdict.calls == []

    @pytest.mark.parametrize(
        "line",
        [
            "SIP/2.0 4294967301 better not break the receiver",  # 3.1.2.19
            "SIP/2.0 0200 OK",
            "SIP/2.0 999 Beyond",
            "SIP/2.0 -42 Below",
        ],
    )
    def test_a_status_that_is_none_makes_no_response(self, line: str):
        verdict = heard(plain(line=line))
        assert (verdict.words, verdict.counted["malformed"]) == ([], 1)

    @pytest.mark.parametrize(
        "changes", [{"CSeq": "9223372036854775808 OPTIONS"}, {"Content_Length": "-1"}]
    )
    def test_a_response_with_impossible_numbers_is_dropped(self, changes: dict[str, str]):
        """3.1.2.5: nobody is told, since responses are not answered."""
        verdict = heard(plain(**({"line": "SIP/2.0 503 No"} | changes)))
        assert (verdict.words, verdict.counted["malformed"]) == ([], 1)

    def test_the_headers_of_a_request_uri_are_left_aside(self):
        """3.1.2.11: no Route of theirs finds its way into a request of ours."""
        verdict = heard(plain(line=f"OPTIONS {US}?Route=%3Csip:evil.example%3E SIP/2.0"))
        assert verdict.words == ["200"]

    def test_a_date_that_is_none_is_nobodys_business(self):
        """3.1.2.12"""
        assert heard(plain(Date="Fri, 01 Jan 2010 16:00:00 EST")).words == ["200"]

    @pytest.mark.parametrize(
        "length",
        ["-999", "", "0x2", "2 2", "2,2", "+2", "9999999", "0000000000002", "2\nContent-Length: 3",
         "2\nl: 0"],
    )  # fmt: skip
    def test_without_a_length_that_can_be_trusted_a_stream_is_closed(self, length: str):
        """3.1.2.3, 3.3.9: where the next message begins cannot be known."""
        data = plain().replace(b"\r\n\r\n", f"\r\nContent-Length: {length}\r\n\r\nhi".encode())
        with pytest.raises(BadSip):
            Endpoint().hears_stream(data.replace(b"\nContent-Length: 3", b"\r\nContent-Length: 3"))

    def test_what_came_before_the_boundary_was_lost_is_answered(self):
        endpoint = Endpoint()
        stream = endpoint.stream.feed(plain(Content_Length="0") + plain(Content_Length="-1"))
        assert endpoint.hears(next(stream), STREAM).words == ["200"]
        with pytest.raises(BadSip):
            next(stream)

    def test_a_length_that_is_too_long_swallows_what_follows_and_waits(self):
        """3.1.2.2 on a stream: it is all body until there is enough of it."""
        endpoint, data = Endpoint(), plain(Content_Length="40")
        assert endpoint.hears_stream(data) == []
        assert [each.words for each in endpoint.hears_stream(b"x" * 40)] == [["200"]]


class TestTransactions:
    """Section 3.2."""

    def test_a_cookie_with_nothing_behind_it_names_no_transaction(self):
        """3.2.1: two requests that say no more than that they could be told apart."""
        endpoint, via = Endpoint(), "SIP/2.0/UDP 192.0.2.80;branch=z9hG4bK"
        assert endpoint.hears(plain(Via=via, Call_ID="1")).words == ["200"]
        assert endpoint.hears(plain(Via=via, Call_ID="2", Require="odd")).words == ["420"]
        assert endpoint.hears(plain(Via=via, Call_ID="1")).words == ["200"]
        assert endpoint.end.endpoint.transactions == 2


class TestApplication:
    """Section 3.3."""

    @pytest.mark.parametrize("missing", ["Call_ID", "From", "To", "CSeq"])
    def test_a_field_that_must_be_there_is_missing(self, missing: str):
        """3.3.1: 400, with what there was."""
        [response] = heard(plain(**{missing: ""})).said
        assert word(response) == "400"
        assert missing.replace("_", "-").lower() not in {
            name.lower() for name, _ in response.fields
        }
        assert heard(plain("ACK", **{missing: ""})).words == []

    def test_without_a_via_there_is_no_way_back(self):
        verdict = heard(plain(Via=""))
        assert (verdict.words, verdict.counted["malformed"]) == ([], 1)

    @pytest.mark.parametrize("uri", ["nobodyKnowsThisScheme:a", "soap.beep://192.0.2.80:3002"])
    def test_a_scheme_that_is_not_ours_is_416(self, uri: str):
        """3.3.2 and 3.3.3"""
        assert heard(plain(line=f"OPTIONS {uri} SIP/2.0")).words == ["416"]

    def test_other_schemes_may_stand_in_fields_but_not_be_called(self):
        """3.3.4: whoever they name cannot be registered here."""
        data = plain("REGISTER", To="isbn:2983792873", From="<http://h.example>;tag=1",
                     Contact="<name:Jo_Doe>")  # fmt: skip
        [asked] = heard(data).registering
        with pytest.raises(BadSip):
            Registrar(lambda aor, contacts: None).register("a@b", asked.request, PEER, 0.0)

    def test_an_extension_nobody_has_is_420_and_named(self):
        """3.3.5: what is required of proxies is none of ours."""
        data = plain(Require="odd1, odd2", Proxy_Require="odd3")
        [response] = heard(data).said
        assert (word(response), response.all("unsupported")) == ("420", ["odd1", "odd2"])

    def test_a_body_of_a_type_nobody_knows_is_415(self):
        """3.3.6"""
        [response] = heard(plain("INVITE", Content_Type="application/odd") + b"<x/>").said
        assert (word(response), response.get("accept")) == ("415", "application/sdp")

    def test_credentials_of_a_scheme_nobody_knows_are_none(self):
        """3.3.7"""
        server = digest.Server("r", b"k", lambda: "ab" * 16)
        data = plain("REGISTER", Authorization="NoSuchScheme opaque-data=here")
        [asked] = heard(data).registering
        values = asked.request.values("authorization")
        assert server.check(values, "REGISTER", US, b"", {"odd": "x"}, 0) == ("absent", "")

    @pytest.mark.parametrize("field", ["From", "To", "Call_ID", "CSeq", "Max_Forwards"])
    def test_two_values_where_one_may_be_is_400(self, field: str):
        """3.3.8"""
        twice = {"From": "<sip:x@h>;tag=2", "To": "<sip:x@h>", "Call_ID": "2", "CSeq": "5 OPTIONS",
                 "Max_Forwards": "5"}  # fmt: skip
        name = field.replace("_", "-")
        data = plain().replace(b"\r\n\r\n", f"\r\n{name}: {twice[field]}\r\n\r\n".encode())
        assert heard(data).words == ["400"]

    def test_two_lengths_are_400(self):
        """3.3.9"""
        data = plain(Content_Length="2").replace(b"\r\n\r\n", b"\r\nContent-Length: 1\r\n\r\nhi")
        assert heard(data).words == ["400"]

    def test_a_response_that_is_none_of_ours_goes_nowhere(self):
        """3.3.10: whatever its Via says, a broadcast address even."""
        data = plain(line="SIP/2.0 200 OK", Via="SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1")
        verdict = heard(data)
        assert (verdict.words, verdict.counted["stray"]) == ([], 1)

    def test_the_last_hop_may_be_us(self):
        """3.3.11"""
        assert heard(plain(Max_Forwards="0")).words == ["200"]

    def test_parameters_belong_to_the_contact_outside_of_brackets(self):
        """3.3.12 and 3.3.13"""
        assert parse_address("sip:+15550@h;odd").params == (("odd", ""),)
        assert parse_address("<sip:+15550@h;odd>").parsed.params == (("odd", ""),)
        assert parse_address("<sip:+15550@h;odd>").params == ()

    def test_a_registered_uri_keeps_its_headers_and_is_called_without_them(self):
        """3.3.14"""
        contact = "<sip:odd@192.0.2.80?Route=%3Csip:edge.example%3E>"
        registrar = Registrar(lambda aor, contacts: None)
        registrar.register("a@b", read(plain("REGISTER", Contact=contact)), PEER, 0.0)
        [kept] = registrar.contacts("a@b", 0.0)
        assert kept.uri == contact.strip("<>")
        assert str(parse_uri(kept.uri).bare()) == "sip:odd@192.0.2.80"

    @pytest.mark.parametrize(
        ("accept", "words"),
        [
            ("text/odd", ["406"]),
            ('"open, text/odd', ["406"]),
            ("text/odd, application/sdp;level=1", []),
            ("APPLICATION/*", []),
            ("*/*;q=0.1", []),
        ],
    )
    def test_who_takes_no_description_is_406(self, accept: str, words: list[str]):
        """3.3.15"""
        verdict = heard(plain("INVITE", Accept=accept))
        assert verdict.words == words
        assert len(verdict.calls) == (not words)


class TestOldClients:
    """Section 3.4: RFC 2543 had no cookies, no tags at first, no Max-Forwards."""

    DATA = plain("INVITE", Via="SIP/2.0/UDP old.example", From="sip:old@h", Max_Forwards="")

    def test_its_call_is_taken(self):
        endpoint = Endpoint()
        [incoming] = endpoint.hears(self.DATA).calls
        assert endpoint.hears(self.DATA).calls == []
        incoming.call.reject(486, 0.0)
        [response] = [parse(s.data) for s in endpoint.end.endpoint.take() if isinstance(s, Send)]
        assert word(response) == "486"
        assert response.get("from") == "sip:old@h"

    def test_its_cancel_is_known_again(self):
        endpoint = Endpoint()
        endpoint.hears(self.DATA)
        cancel = self.DATA.replace(b"INVITE", b"CANCEL")
        first, again = endpoint.hears(cancel), endpoint.hears(cancel)
        assert (first.words, again.words) == (["200", "487"], ["200"])
        assert again.said == first.said[:1]  # from its transaction, tag and all
        assert endpoint.end.endpoint.transactions == 2


class TestIPv6:
    """RFC 5118 section 4."""

    @pytest.mark.parametrize(
        ("text", "hop"),
        [
            ("sip:[2001:db8::10]", Hop("UDP", "2001:db8::10", 5060)),  # 4.1
            ("sip:[2001:db8::10:5070]", Hop("UDP", "2001:db8::10:5070", 5060)),  # 4.3
            ("sip:[2001:db8::10]:5070", Hop("UDP", "2001:db8::10", 5070)),  # 4.4
            ("sip:odd@[::ffff:192.0.2.10]:5061", Hop("UDP", "::ffff:192.0.2.10", 5061)),  # 4.9
        ],
    )
    def test_an_address_in_brackets_leads_there(self, text: str, hop: Hop):
        assert hop_of(parse_uri(text)) == hop
        assert heard(plain(line=f"OPTIONS {text} SIP/2.0")).words == ["200"]

    @pytest.mark.parametrize(
        "text", ["sip:2001:db8::10", "sip:[2001:db8:::192.0.2.1]", "sip:[2001:db8::10", "sip:[]"]
    )
    def test_anything_else_is_no_address(self, text: str):
        """4.2, and 4.10: three colons that a faulty grammar once allowed."""
        assert heard(plain(line=f"OPTIONS {text} SIP/2.0")).words == ["400"]

    @pytest.mark.parametrize("received", ["[2001:db8::9:255]", "2001:db8::9:255"])
    def test_received_may_or_may_not_have_brackets(self, received: str):
        """4.5"""
        via = f"SIP/2.0/UDP [2001:db8::9:1]:5062;received={received};branch=z9hG4bKv6"
        [response] = Endpoint().hears(plain(Via=via), Hop("UDP", "2001:db8::9:255", 5062)).said
        assert word(response) == "200"
        assert response.via.param("received") == "2001:db8::9:255"
        assert response.via.sent_by == "[2001:db8::9:1]:5062"

    def test_both_families_in_one_message(self):
        """4.7 and 4.8: each Via, and each stream, has an address of its own."""
        via = "SIP/2.0/UDP [2001:db8::9:1];branch=z9hG4bKa, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb"
        request = read(plain(Via=via))
        assert (request.via.host, len(request.all("via"))) == ("[2001:db8::9:1]", 2)
        body = b"v=0\no=- 1 1 IN IP6 2001:db8::20\ns=-\nt=0 0\nm=audio 6000 RTP/AVP 0\n"
        media = sdp.parse(
            body + b"c=IN IP6 2001:db8::20\nm=audio 6002 RTP/AVP 0\nc=IN IP4 192.0.2.20\n"
        )
        assert [each.host for each in media] == ["2001:db8::20", "192.0.2.20"]

    def test_a_mapped_address_in_a_description(self):
        """4.9"""
        body = b"v=0\nc=IN IP6 ::ffff:192.0.2.20\nt=0 0\nm=audio 6000 RTP/AVP 0\n"
        told = ip_address(sdp.parse(body)[0].host)
        assert told == ip_address("::ffff:192.0.2.20")


def test_a_wildcard_that_takes_nothing_back_is_400():
    """RFC 3261 section 10.3; the same family of faults, found in no section of its own."""
    request = read(plain("REGISTER", Contact="*"))
    with pytest.raises(Refused):
        Registrar(lambda aor, contacts: None).register("a@b", request, PEER, 0.0)
