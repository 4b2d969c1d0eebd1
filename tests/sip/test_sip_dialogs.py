"""What dialogs do in between: PRACK, UPDATE, glare, session timers, REFER and Replaces."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sip_ends import Talk, lose, rough, word

from offhook.sip.core import Over
from offhook.sip.inbound import Inbound, Incoming, TakeOver
from offhook.sip.interval import Interval
from offhook.sip.message import Request, Response, respond
from offhook.sip.outbound import Answered, Invitation, Outbound, Progress
from offhook.sip.referral import Referred, Transferred
from offhook.sip.session import Confirmed, Offered, Reanswered, Session

INSISTS = (("Require", "100rel"),)


def last(talk: Talk, what: str, *, callee: bool = True) -> Request | Response:
    end = talk.callee if callee else talk.caller
    return [message for message in end.messages() if word(message) == what][-1]


class TestProvisionalsOfOurs:
    """RFC 3262 section 3, where the caller insists."""

    def ringing(self, talk: Talk, fields: tuple[tuple[str, str], ...] = INSISTS) -> Inbound:
        talk.invite(fields=fields)
        talk.line.run()
        call = talk.incoming()
        call.ring(talk.now)
        return call

    def test_a_180_is_numbered_and_acknowledged(self):
        talk = Talk()
        self.ringing(talk)
        talk.line.run()
        ringing, prack = last(talk, "180"), last(talk, "PRACK", callee=False)
        assert ringing.get("require") == "100rel"
        assert 0 < int(ringing.get("rseq")) < 2**31
        assert prack.get("rack") == f"{ringing.get('rseq')} 1 INVITE"
        assert talk.callee.said() == ["180", "200"]

    def test_it_is_repeated_in_doubling_steps_until_then(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(2, "PRACK")
        self.ringing(talk)
        began = talk.now
        talk.line.run(40)
        assert talk.callee.when("180") == [round(began + at, 3) for at in (0, 0.5, 1.5)]
        assert talk.caller.said().count("PRACK") == 3

    def test_without_any_prack_the_call_is_refused_after_32_seconds(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(99, "PRACK")
        self.ringing(talk)
        began = talk.now
        talk.line.run(40)
        steps = (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
        assert talk.callee.when("180") == [round(began + at, 3) for at in steps]
        assert talk.callee.when("504") == [round(began + 32, 3)]
        assert talk.caller.one(Over).code == 504

    def test_the_next_one_waits_for_the_prack_of_the_first(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(1, "PRACK")
        call = self.ringing(talk)
        call.ring(talk.now)
        talk.line.run(0.2)
        first = int(last(talk, "180").get("rseq"))
        talk.line.run(1)
        assert int(last(talk, "180").get("rseq")) == first + 1
        assert len(talk.caller.all(Progress)) == 2

    def test_an_answer_ends_the_repeats_and_a_late_prack_is_still_taken(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(1, "PRACK")
        call = self.ringing(talk)
        talk.line.run(0.1)
        call.answer(b"answer", talk.now)
        talk.line.run(5)
        assert talk.callee.said() == ["180", "200", "200"]
        assert talk.caller.said().count("PRACK") == 2

    def test_a_prack_of_nothing_is_481(self):
        talk = Talk()
        call = self.ringing(talk)
        talk.line.run()
        prack = [m for m in talk.caller.messages() if word(m) == "PRACK"][-1]
        assert isinstance(prack, Request)
        fields = tuple(
            (name, "7 PRACK" if name == "CSeq" else value.replace("z9hG4bK", "z9hG4bKx"))
            for name, value in prack.fields
        )
        talk.callee.endpoint.receive(
            replace(prack, fields=fields).encode(), talk.caller.hop, talk.now
        )
        talk.line.flush()
        assert talk.callee.said()[-1] == "481"
        assert not call.over

    @pytest.mark.parametrize(
        ("change", "status"),
        [((1, 0, ""), "481"), ((0, 1, ""), "481"), ((0, 0, "X"), "481"), ((0, 0, ""), "200")],
        ids=["another response", "another INVITE", "another method", "none"],
    )
    def test_a_prack_must_name_the_response_and_the_invite(
        self, change: tuple[int, int, str], status: str
    ):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(100, "PRACK")
        self.ringing(talk)
        talk.line.run()
        [prack] = [m for m in talk.caller.messages() if word(m) == "PRACK"]
        rseq, cseq, method = prack.get("rack").split()
        named = f"{int(rseq) + change[0]} {int(cseq) + change[1]} {method}{change[2]}"
        data = prack.encode().replace(prack.get("rack").encode(), named.encode())
        talk.callee.endpoint.receive(data, talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == status

    def test_who_does_not_insist_gets_it_once(self):
        talk = Talk()
        self.ringing(talk, (("Supported", "100rel"),))
        talk.line.run(40)
        assert talk.callee.said() == ["180"]

    def test_who_leaves_the_offer_to_us_hears_no_ringing(self):
        """The offer would have to be in the 180 (RFC 3262 section 5)."""
        talk = Talk()
        talk.invite(fields=INSISTS, body=b"")
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run(40)
        assert talk.callee.said() == []


class TestProvisionalsOfTheirs:
    """RFC 3262 section 4; the answers are written by hand, since we never send these."""

    def tell(
        self, talk: Talk, number: int, tag: str = "bob", status: int = 183, wants: str = "100rel"
    ) -> None:
        invite = talk.caller.messages()[0]
        fields = (
            ("Via", invite.get("via")),
            ("From", invite.get("from")),
            ("To", f"{invite.get('to')};tag={tag}"),
            ("Call-ID", invite.call_id),
            ("CSeq", invite.get("cseq")),
            ("Contact", f"<sip:{tag}@10.0.0.2>"),
            *((("Require", wants), ("RSeq", str(number))) if number else ()),
        )
        response = Response(fields, b"early" if status == 183 else b"", status, "As Told")
        talk.caller.endpoint.receive(response.encode(), talk.callee.hop, talk.now)
        talk.line.flush()

    def pracks(self, talk: Talk) -> list[tuple[str, str]]:
        found = [m for m in talk.caller.messages() if word(m) == "PRACK"]
        return [(m.to.tag, m.get("rack")) for m in found]

    def asks(self, talk: Talk, cseq: str, body: bytes = b"", branch: str = "up") -> str:
        """What a phone that rings is told when it asks this."""
        invite = talk.caller.messages()[0]
        fields = (
            ("Via", f"SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK{branch};rport"),
            ("From", f"{invite.get('to')};tag=bob"),
            ("To", invite.get("from")),
            ("Call-ID", invite.call_id),
            ("CSeq", cseq),
        )
        request = Request(fields, body, cseq.split()[1], "sip:ann@10.0.0.1")
        talk.caller.endpoint.receive(request.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        return talk.caller.said()[-1]

    def calling(self) -> Talk:
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.invite()
        return talk

    def test_each_is_acknowledged_once_and_told_once(self):
        talk = self.calling()
        for number in (5, 5, 6, 6):
            self.tell(talk, number)
        assert self.pracks(talk) == [("bob", "5 1 INVITE"), ("bob", "6 1 INVITE")]
        assert len(talk.caller.all(Progress)) == 2

    def test_one_that_came_too_soon_is_left_to_be_repeated(self):
        talk = self.calling()
        for number in (5, 7, 6, 7):
            self.tell(talk, number)
        assert [rack for _, rack in self.pracks(talk)] == [
            f"{number} 1 INVITE" for number in (5, 6, 7)
        ]

    def test_forks_are_numbered_each_for_itself(self):
        talk = self.calling()
        self.tell(talk, 5, "bob")
        self.tell(talk, 90, "ben")
        self.tell(talk, 6, "bob")
        assert self.pracks(talk) == [
            ("bob", "5 1 INVITE"),
            ("ben", "90 1 INVITE"),
            ("bob", "6 1 INVITE"),
        ]

    def test_requests_after_the_answer_count_on_from_the_pracks(self):
        talk = self.calling()
        self.tell(talk, 5)
        self.tell(talk, 0, status=200)
        session = talk.caller.one(Answered).session
        session.bye(talk.now)
        talk.line.flush()
        assert [m.get("cseq") for m in talk.caller.messages()] == [
            "1 INVITE", "2 PRACK", "1 ACK", "3 BYE",
        ]  # fmt: skip

    def test_an_update_may_change_what_was_described_early(self):
        """RFC 3311 section 5.2."""
        talk = self.calling()
        self.tell(talk, 5)
        self.tell(talk, 6, status=180)
        self.asks(talk, "1 UPDATE", b"other")
        offered = talk.caller.one(Offered)
        assert offered.request.body == b"other"
        offered.session.accept(b"yes", talk.now)
        talk.line.flush()
        answer = last(talk, "200", callee=False)
        assert (answer.body, answer.content_type) == (b"yes", "application/sdp")
        self.tell(talk, 0, status=200)
        assert self.asks(talk, "1 INFO", branch="late") == "500"  # section 12.2.2: a number is used

    def test_an_update_before_our_offer_was_answered_is_491(self):
        talk = self.calling()
        self.tell(talk, 0, status=180)
        assert self.asks(talk, "1 UPDATE", b"other") == "491"

    @pytest.mark.parametrize(
        ("asked", "status"),
        [("PRACK", "481"), ("REFER", "481"), ("NOTIFY", "481"), ("INFO", "200")],
    )
    def test_what_else_a_phone_that_rings_may_ask(self, asked: str, status: str):
        talk = self.calling()
        self.tell(talk, 0, status=180)
        assert self.asks(talk, f"1 {asked}") == status

    def test_one_that_does_not_insist_is_not_acknowledged(self):
        talk = self.calling()
        self.tell(talk, 5, wants="timer")
        assert self.pracks(talk) == []


class TestACallThatRingsHere:
    """Sections 12.2.2 and 15.1.2: what its caller asks before it is answered."""

    def asks(self, talk: Talk, cseq: str, body: bytes = b"") -> str:
        invite, ringing = talk.caller.messages()[0], last(talk, "180")
        fields = (
            ("Via", f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{cseq.replace(' ', '')};rport"),
            ("From", invite.get("from")),
            ("To", ringing.get("to")),
            ("Call-ID", invite.call_id),
            ("CSeq", cseq),
            ("Contact", "<sip:ann@10.0.0.7>"),
            ("Content-Type", "application/sdp"),
        )
        request = Request(fields, body, cseq.split()[1], "sip:bob@10.0.0.2")
        talk.callee.endpoint.receive(request.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        return talk.callee.said()[-1]

    def ringing(self) -> Talk:
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run()
        return talk

    @pytest.mark.parametrize(
        ("asked", "body", "status"),
        [
            ("INVITE", b"offer", "500"),
            ("UPDATE", b"offer", "500"),  # RFC 3311 section 5.2
            ("UPDATE", b"", "200"),
            ("INFO", b"", "200"),
            ("REFER", b"", "481"),
            ("NOTIFY", b"", "481"),
        ],
    )
    def test_the_next_number_is_answered_once(self, asked: str, body: bytes, status: str):
        talk = self.ringing()
        assert self.asks(talk, f"1 {asked if asked != 'INVITE' else 'INFO'}", body) == "500"
        assert self.asks(talk, f"2 {asked}", body) == status
        assert self.asks(talk, "2 OPTIONS") == "500"

    def test_it_may_move(self):
        """RFC 3311 section 5.1: an UPDATE refreshes the target also of an early dialog."""
        talk = self.ringing()
        self.asks(talk, "2 UPDATE")
        session = talk.incoming().answer(b"answer", talk.now)
        assert session
        assert session.dialog.target == "sip:ann@10.0.0.7"


class TestGlare:
    """RFC 3261 section 14.1: who made the call waits 2.1 to 4 seconds, the other at most 2."""

    def test_offers_that_cross_are_made_again_one_after_the_other(self):
        talk = Talk()
        caller, callee = talk.answered()
        began = talk.now
        caller.reinvite(b"a", began)
        callee.reinvite(b"b", began)
        talk.line.run(2.05)
        assert talk.caller.one(Offered).request.body == b"b"
        caller.accept(b"b too", talk.now)
        talk.line.run(3)
        assert talk.callee.one(Offered).request.body == b"a"
        callee.accept(b"a too", talk.now)
        talk.line.run()
        answers = [end.one(Reanswered).response for end in (talk.caller, talk.callee)]
        assert [answer.body for answer in answers if answer] == [b"a too", b"b too"]
        again = talk.callee.when("INVITE")[1] - began
        assert 0 <= again <= 2.03
        again = talk.caller.when("INVITE")[2] - began
        assert 2.1 <= again <= 4.03

    def test_one_that_is_to_be_made_again_waits_for_theirs_and_lets_no_other_pass(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"a", talk.now)
        callee.reinvite(b"b", talk.now)
        talk.line.run(0.03)
        assert not caller.reinvite(b"c", talk.now)
        talk.line.run(7)  # theirs is open still
        caller.accept(b"b too", talk.now)
        talk.line.run(2)
        assert talk.callee.one(Offered).request.body == b"a"

    def test_a_call_that_ends_meanwhile_makes_none_again(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"a", talk.now)
        callee.reinvite(b"b", talk.now)
        talk.line.run(0.015)
        caller.bye(talk.now)
        callee.bye(talk.now)
        talk.line.run(40)
        assert talk.caller.said().count("INVITE") == 2
        assert talk.caller.endpoint.wake_at is None


def test_a_change_that_is_never_answered_is_forgotten_with_its_call():
    """An INVITE that got a 100 waits for ever (RFC 3261 section 17.1.1.2); its call does not."""
    talk = Talk()
    caller, _ = talk.answered()
    caller.reinvite(b"a", talk.now)
    talk.line.run(1)
    assert talk.callee.said()[-1] == "100"
    talk.line.fates["10.0.0.2"] = lambda data: ()
    caller.bye(talk.now)
    talk.line.run(100)
    assert caller.over
    assert talk.caller.endpoint.transactions == 0


class TestTimersOfSessions:
    """RFC 4028."""

    def up(self, seconds: int = 1800, **invited: object) -> tuple[Talk, Session, Session]:
        talk = Talk(interval=Interval(seconds))
        talk.invite(**invited)
        talk.line.run()
        callee = talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        assert callee
        return talk, talk.caller.one(Answered).session, callee

    def test_both_sides_know_how_long_and_who_refreshes(self):
        talk, _, _ = self.up()
        invite, answer = last(talk, "INVITE", callee=False), last(talk, "200")
        assert (invite.get("session-expires"), invite.get("min-se")) == ("1800", "90")
        assert answer.get("session-expires") == "1800;refresher=uac"
        assert answer.all("require") == ["timer"]
        assert "timer" in invite.all("supported")

    def test_who_refreshes_does_so_at_half_the_time_without_a_description(self):
        talk, _, _ = self.up()
        talk.line.run(3600)
        assert talk.caller.when("UPDATE") == [
            pytest.approx(at, abs=0.2) for at in (900, 1800, 2700, 3600)
        ]
        for of_nothing in (last(talk, "UPDATE", callee=False), last(talk, "200")):
            assert (of_nothing.content_type, of_nothing.body) == ("", b"")
        assert talk.callee.all(Over) == []

    def test_a_side_without_update_is_refreshed_by_a_reinvite(self):
        talk = Talk(interval=Interval(1800))
        caller, callee = talk.answered()
        caller.learn(Response((("Allow", "INVITE, ACK, BYE"),)))
        talk.line.run(901)
        assert last(talk, "INVITE", callee=False).body == b"offer"
        callee.accept(b"answer", talk.now)
        talk.line.run(901)
        assert talk.caller.all(Over) == talk.callee.all(Over) == []
        assert talk.caller.all(Reanswered)

    def test_a_refresh_repeats_what_was_described_last(self):
        talk = Talk(interval=Interval(1800))
        caller, callee = talk.answered()
        caller.reinvite(b"another", talk.now)
        talk.line.run()
        callee.accept(b"answer", talk.now)
        talk.line.run()
        caller.learn(Response((("Allow", "INVITE, ACK, BYE"),)))
        talk.line.run(901)
        assert [m.body for m in talk.caller.messages() if word(m) == "INVITE"] == [
            b"offer", b"another", b"another",
        ]  # fmt: skip

    def test_an_offer_that_was_refused_is_not_what_a_refresh_repeats(self):
        talk = Talk(interval=Interval(1800))
        caller, callee = talk.answered()
        caller.reinvite(b"another", talk.now)
        talk.line.run()
        callee.refuse(488, talk.now)
        talk.line.run()
        caller.learn(Response((("Allow", "INVITE, ACK, BYE"),)))
        talk.line.run(901)
        assert last(talk, "INVITE", callee=False).body == b"offer"

    def test_intervals_that_are_never_long_enough_have_their_limit(self):
        talk = Talk(interval=Interval(1800))
        talk.invite()
        for least in range(2000, 2008):
            talk.line.run()
            talk.incoming().reject(422, talk.now, ("Min-SE", str(least)))
        talk.line.run()
        assert talk.caller.said().count("INVITE") == 4
        assert talk.caller.one(Over).code == 422

    def test_a_422_that_asks_for_no_longer_one_is_a_refusal(self):
        """RFC 4028 section 7.3."""
        talk = Talk(interval=Interval(1800))
        talk.invite()
        talk.line.run()
        talk.incoming().reject(422, talk.now, ("Min-SE", "1800"))
        talk.line.run()
        assert talk.caller.said() == ["INVITE", "ACK"]
        assert talk.caller.one(Over).code == 422

    def test_so_has_the_refresh_of_a_call(self):
        talk = Talk(interval=Interval(1800))
        caller, callee = talk.answered()
        caller.reinvite(b"another", talk.now)
        for least in range(2000, 2008):
            talk.line.run()
            invite = last(talk, "INVITE", callee=False)
            assert isinstance(invite, Request)
            refusal = respond(invite, 422, (("Min-SE", str(least)),), tag="x")
            talk.caller.endpoint.receive(refusal.encode(), talk.callee.hop, talk.now)
            talk.line.flush()
            callee.refuse(500, talk.now)
        assert talk.caller.said().count("INVITE") == 3
        assert not caller.over

    def test_an_answer_that_would_have_us_refresh_without_end_is_not_taken_at_its_word(self):
        talk = Talk(interval=Interval(1800))
        talk.invite()
        talk.line.run()
        invite = last(talk, "INVITE", callee=False)
        assert isinstance(invite, Request)
        fields = (
            ("Contact", "<sip:bob@10.0.0.2>"),
            ("Allow", "UPDATE"),
            ("Session-Expires", "1;refresher=uac"),
        )
        answer = respond(invite, 200, fields, tag="x", body=b"answer")
        talk.caller.endpoint.receive(answer.encode(), talk.callee.hop, talk.now)
        talk.line.run(1.9)
        assert talk.caller.one(Answered)
        assert "UPDATE" not in talk.caller.said()

    def test_who_called_refreshes_where_the_answer_does_not_say_who(self):
        """Section 7.2."""
        talk, caller, _ = self.up()
        caller.timer.answered(Response((("Session-Expires", "600"),)), talk.now)
        talk.line.run(301)
        assert "UPDATE" in talk.caller.said()

    def test_a_caller_who_cannot_refresh_is_not_asked_to(self):
        """Section 9: a proxy put the interval there, and one that is too short is made longer."""
        talk = Talk()
        talk.invite(fields=(("Session-Expires", "50"),))
        [(_, data)] = talk.caller.sent
        plain = b"\r\n".join(
            line for line in data.split(b"\r\n") if line[:6] not in (b"Suppor", b"Min-SE")
        )
        plain = plain.replace(b"Session-Expires: 1800\r\n", b"")
        talk.callee.endpoint.receive(plain, talk.caller.hop, talk.now)
        talk.line.flush()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.flush()
        said = last(talk, "200")
        assert said.get("session-expires") == "90;refresher=uas"
        assert said.values("require") == []

    def test_a_refresh_that_is_refused_is_tried_again_as_a_reinvite(self):
        talk, _, callee = self.up()
        talk.line.run(899.9)
        talk.line.fates["10.0.0.1"] = lose(1, "UPDATE")
        talk.line.run(0.2)
        update = last(talk, "UPDATE", callee=False)
        assert isinstance(update, Request)
        talk.caller.endpoint.receive(respond(update, 501).encode(), talk.callee.hop, talk.now)
        talk.line.run(9.5)
        assert talk.caller.said().count("INVITE") == 1
        talk.line.run(1)
        assert talk.caller.said().count("INVITE") == 2
        assert last(talk, "INVITE", callee=False).body == b"offer"
        callee.accept(b"answer", talk.now)
        talk.line.run(1800)
        assert talk.caller.all(Over) == talk.callee.all(Over) == []

    def test_after_an_update_a_reinvite_still_repeats_what_was_described(self):
        talk, caller, _ = self.up()
        talk.line.run(901)
        caller.learn(Response((("Allow", "INVITE, ACK, BYE"),)))
        talk.line.run(900)
        assert last(talk, "INVITE", callee=False).body == b"offer"

    def test_an_interval_that_ends_after_the_call_wakes_nobody(self):
        talk, caller, _ = self.up(600)
        talk.line.run(299)
        talk.line.fates["10.0.0.2"] = lambda data: ()
        caller.bye(talk.now)
        talk.line.run(33)
        assert "UPDATE" not in talk.caller.said()
        assert talk.caller.one(Over)

    def test_the_callee_refreshes_when_the_caller_wants_it_to(self):
        wish = (("Session-Expires", "600;refresher=uas"),)
        talk, _, _ = self.up(0, fields=wish)
        assert talk.callee.when("UPDATE") == []
        talk = Talk(interval=Interval(1800))
        talk.caller = talk.line.ends["10.0.0.1"] = type(talk.caller)(
            "ann", "10.0.0.1", interval=Interval(0)
        )
        talk.invite(fields=wish)
        talk.line.run()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run(301)
        assert talk.callee.when("UPDATE") == [pytest.approx(300, abs=0.3)]
        assert last(talk, "UPDATE").get("session-expires") == "600;refresher=uac"

    def test_a_call_that_is_not_refreshed_is_ended_before_its_time_is_over(self):
        """Section 10: a third of the interval before, but at most 32 seconds."""
        talk, _, _ = self.up(90)
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.line.run(100)
        ended = talk.callee.one(Over)
        assert (ended.by, ended.code) == ("network", 408)
        assert talk.callee.when("BYE")[0] == pytest.approx(60, abs=0.3)

    def test_who_refreshes_and_hears_nothing_ends_the_call(self):
        talk, _, _ = self.up(600)
        talk.line.fates["10.0.0.2"] = lambda data: ()
        talk.line.run(300 + 32 + 1)
        assert talk.caller.said()[-1] == "BYE"

    def test_too_short_an_interval_is_422_and_asked_for_again(self):
        talk = Talk()
        talk.caller = talk.line.ends["10.0.0.1"] = type(talk.caller)(
            "ann", "10.0.0.1", interval=Interval(300)
        )
        talk.callee = talk.line.ends["10.0.0.2"] = type(talk.callee)(
            "bob", "10.0.0.2", interval=Interval(1800, 600)
        )
        talk.invite()
        talk.line.run()
        assert last(talk, "422").get("min-se") == "600"
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        invite = last(talk, "INVITE", callee=False)
        assert (invite.get("session-expires"), invite.get("min-se")) == ("600", "600")
        assert last(talk, "200").get("session-expires") == "600;refresher=uac"
        assert talk.caller.one(Answered)

    def test_a_caller_without_timers_has_none(self):
        talk = Talk()
        talk.caller = talk.line.ends["10.0.0.1"] = type(talk.caller)(
            "ann", "10.0.0.1", interval=Interval(0)
        )
        talk.invite()
        talk.line.run()
        request = talk.incoming().request
        assert not request.get("session-expires")

    def test_a_refresh_that_is_lost_is_repeated_by_its_transaction(self):
        talk, _, _ = self.up()
        talk.line.fates["10.0.0.1"] = rough(3, 0.3, 0.2, 0.05)
        talk.line.fates["10.0.0.2"] = rough(4, 0.3, 0.2, 0.05)
        talk.line.run(3600 * 4)
        assert talk.caller.all(Over) == talk.callee.all(Over) == []


class TestUpdate:
    """RFC 3311."""

    def test_one_with_an_offer_is_answered_in_its_200(self):
        talk = Talk()
        caller, callee = talk.answered()
        update = caller.dialog.request("UPDATE", (("Content-Type", "application/sdp"),), b"new")
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKu;rport"
        talk.callee.endpoint.receive(update.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.one(Offered).request.body == b"new"
        callee.accept(b"fine", talk.now)
        talk.line.run(40)
        answer = last(talk, "200")
        assert (answer.body, answer.cseq.method) == (b"fine", "UPDATE")
        assert talk.callee.said().count("200") == 2

    def test_one_without_may_move_the_other_side(self):
        """Section 5.1."""
        talk = Talk()
        caller, callee = talk.answered()
        update = caller.dialog.request("UPDATE", (("Contact", "<sip:ann@10.0.0.77>"),))
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKu;rport"
        talk.callee.endpoint.receive(update.via_first(via).encode(), talk.caller.hop, talk.now)
        assert callee.dialog.target == "sip:ann@10.0.0.77"

    def test_what_answered_one_is_what_a_refresh_repeats(self):
        """RFC 4028 section 7.4."""
        talk = Talk(interval=Interval(1800))
        caller, callee = talk.answered()
        fields = (("Supported", "timer"), ("Session-Expires", "1800;refresher=uas"))
        update = callee.dialog.request("UPDATE", fields, b"new")
        via = "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu;rport"
        talk.caller.endpoint.receive(update.via_first(via).encode(), talk.callee.hop, talk.now)
        caller.accept(b"fine", talk.now)
        caller.learn(Response((("Allow", "INVITE, ACK, BYE"),)))
        talk.line.run(1800)
        assert last(talk, "INVITE", callee=False).body == b"fine"

    def test_one_that_meets_an_offer_in_our_answer_is_491(self):
        """Section 5.2."""
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(1, "ACK")
        talk.invite(body=b"")
        talk.line.run()
        talk.incoming().answer(b"offer", talk.now)
        talk.line.run()
        caller = talk.caller.one(Answered).session
        update = caller.dialog.request("UPDATE", (("Content-Type", "application/sdp"),), b"new")
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKu;rport"
        talk.callee.endpoint.receive(update.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == "491"

    def test_one_that_meets_a_mere_refresh_of_ours_is_heard(self):
        talk = Talk(interval=Interval(1800))
        _, callee = talk.answered()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.line.run(901)
        assert "UPDATE" in talk.caller.said()
        update = callee.dialog.request("UPDATE", (("Content-Type", "application/sdp"),), b"new")
        via = "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKu;rport"
        talk.caller.endpoint.receive(update.via_first(via).encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.one(Offered).request.body == b"new"

    def test_one_that_meets_an_offer_of_ours_is_491(self):
        talk = Talk()
        caller, callee = talk.answered()
        callee.reinvite(b"mine", talk.now)
        update = caller.dialog.request("UPDATE", (("Content-Type", "application/sdp"),), b"new")
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKu;rport"
        talk.callee.endpoint.receive(update.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == "491"


class TestTransfers:
    """RFC 3515."""

    def referred(self) -> tuple[Talk, Session, Referred]:
        talk = Talk()
        caller, _ = talk.answered()
        assert caller.refer("<sip:carol@10.0.0.3>", (), talk.now)
        talk.line.run()
        return talk, caller, talk.callee.one(Referred)

    def test_the_target_arrives_and_the_outcome_comes_back(self):
        talk, caller, event = self.referred()
        assert event.target == "<sip:carol@10.0.0.3>"
        event.referral.take(talk.now)
        talk.line.run()
        event.referral.tell(180, talk.now)
        talk.line.run()
        assert not caller.refer("<sip:dave@10.0.0.4>", (), talk.now)
        event.referral.tell(200, talk.now)
        talk.line.run()
        told = [(each.status, each.final) for each in talk.caller.all(Transferred)]
        assert told == [(202, False), (100, False), (180, False), (200, True)]
        notify = last(talk, "NOTIFY")
        assert notify.body == b"SIP/2.0 200 OK\r\n"
        assert notify.get("subscription-state").startswith("terminated")
        assert notify.get("event") == "refer;id=2"
        assert caller.refer("<sip:dave@10.0.0.4>", (), talk.now)

    def test_of_the_next_one_we_wait_for_news_as_of_the_first(self):
        """RFC 6665 section 4.1.2.4: timer N."""
        talk, caller, event = self.referred()
        event.referral.take(talk.now)
        event.referral.tell(200, talk.now)
        talk.line.run()
        talk.line.fates["10.0.0.2"] = lose(99, "NOTIFY")
        assert caller.refer("<sip:dave@10.0.0.4>", (), talk.now)
        talk.line.run()
        talk.callee.all(Referred)[-1].referral.take(talk.now)
        talk.line.run(40)
        assert talk.caller.all(Transferred)[-1].final

    def test_who_never_says_that_he_heard_is_told_no_more(self):
        """RFC 6665 section 4.2.2."""
        talk, _, event = self.referred()
        talk.line.fates["10.0.0.2"] = lose(99, "NOTIFY")
        event.referral.take(talk.now)
        talk.line.run(40)
        said = len(talk.callee.sent)
        event.referral.tell(200, talk.now)
        talk.line.run(1)
        assert len(talk.callee.sent) == said

    def test_one_whose_outcome_nobody_will_tell_is_over_with_its_answer(self):
        """RFC 4488 section 4."""
        talk, _, event = self.referred()
        taken = respond(event.request, 202, (("Refer-Sub", "false"),))
        talk.caller.endpoint.receive(taken.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.one(Transferred).final

    @pytest.mark.parametrize(
        ("state", "body", "told"),
        [
            ("active;expires=60", b"SIP/2.0 200 OK", [(200, True)]),
            ("terminated;reason=noresource", b"SIP/2.0 100 Trying", [(100, True)]),
            ("terminated;reason=noresource", b"", [(0, True)]),
            ("active;expires=60", b"", []),
        ],
    )
    def test_it_is_over_with_a_final_status_or_the_subscription(
        self, state: str, body: bytes, told: list[tuple[int, bool]]
    ):
        """RFC 3515 section 2.4.5, RFC 6665 section 4.1.3."""
        talk, _, event = self.referred()
        fields = (("Event", "refer"), ("Subscription-State", state))
        notify = event.referral.party.dialog.request("NOTIFY", fields, body)
        via = "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKn;rport"
        talk.caller.endpoint.receive(notify.via_first(via).encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert [(each.status, each.final) for each in talk.caller.all(Transferred)] == told

    def test_a_refusal_is_the_outcome(self):
        talk, _, event = self.referred()
        event.referral.refuse(603, talk.now)
        talk.line.run()
        [told] = talk.caller.all(Transferred)
        assert (told.status, told.final) == (603, True)

    def test_nothing_is_told_after_the_last_word(self):
        talk, _, event = self.referred()
        event.referral.take(talk.now)
        event.referral.tell(486, talk.now)
        event.referral.tell(200, talk.now)
        talk.line.run()
        assert talk.callee.said().count("NOTIFY") == 2

    def test_what_there_is_to_tell_goes_out_one_after_the_other_and_the_bye_waits(self):
        talk, caller, event = self.referred()
        event.referral.take(talk.now)
        event.referral.tell(180, talk.now)
        event.referral.tell(200, talk.now)
        talk.callee.one(Confirmed).session.bye(talk.now)
        talk.line.flush()
        assert talk.callee.said()[1:] == ["202", "NOTIFY"]
        talk.line.run()
        assert talk.callee.said()[-4:] == ["202", "NOTIFY", "NOTIFY", "BYE"]
        assert [each.status for each in talk.caller.all(Transferred)] == [202, 100, 200]
        assert caller.over

    def test_a_notify_that_overtakes_the_202_counts(self):
        talk, _, event = self.referred()
        talk.line.fates["10.0.0.2"] = lambda data: (0.3,) if b" 202 " in data else (0.01,)
        event.referral.take(talk.now)
        talk.line.run(1)
        assert [each.status for each in talk.caller.all(Transferred)] == [100, 202]
        assert "481" not in talk.caller.said()
        talk.line.run(100)  # as long as it said, not as for a first one
        assert not talk.caller.all(Transferred)[-1].final

    def test_a_202_after_the_last_word_begins_nothing_anew(self):
        talk, caller, event = self.referred()
        talk.line.fates["10.0.0.2"] = lambda data: (0.3,) if b" 202 " in data else (0.01,)
        event.referral.take(talk.now)
        event.referral.tell(486, talk.now)
        talk.line.run(1)
        assert [each.status for each in talk.caller.all(Transferred)] == [100, 486]
        assert caller.refer("<sip:dave@10.0.0.4>", (), talk.now)

    @pytest.mark.parametrize(("event", "status"), [("refer", "481"), ("presence", "489")])
    def test_a_notify_of_nothing_is_refused(self, event: str, status: str):
        talk = Talk()
        caller, _ = talk.answered()
        notify = caller.dialog.request("NOTIFY", (("Event", event),))
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn;rport"
        talk.callee.endpoint.receive(notify.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == status
        assert talk.callee.messages()[-1].get("allow-events") == "refer"

    def test_who_does_not_want_to_know_is_told_no_more(self):
        """RFC 6665 section 4.2.2; a BYE waits for what there is to tell."""
        talk = Talk()
        caller, callee = talk.answered()
        refer = caller.dialog.request("REFER", (("Refer-To", "<sip:carol@10.0.0.3>"),))
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn;rport"
        talk.callee.endpoint.receive(refer.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        referral = talk.callee.one(Referred).referral
        referral.take(talk.now)
        referral.tell(180, talk.now)
        talk.line.run()
        assert talk.caller.said()[-1] == "481"
        referral.tell(200, talk.now)
        callee.bye(talk.now)
        talk.line.run()
        assert talk.callee.said()[-2:] == ["NOTIFY", "BYE"]
        assert talk.callee.said().count("NOTIFY") == 1

    @pytest.mark.parametrize("targets", [0, 2])
    def test_a_refer_without_exactly_one_target_is_400(self, targets: int):
        talk = Talk()
        caller, _ = talk.answered()
        refer = caller.dialog.request("REFER", (("Refer-To", "<sip:carol@10.0.0.3>"),) * targets)
        via = "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKn;rport"
        talk.callee.endpoint.receive(refer.via_first(via).encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == "400"
        assert talk.callee.all(Referred) == []


class TestReplaces:
    """RFC 3891 section 3."""

    def replaces(self, session: Session, more: str = "") -> tuple[tuple[str, str], ...]:
        call_id, ours, theirs = session.dialog.key
        return (("Replaces", f"{call_id};to-tag={ours};from-tag={theirs}{more}"),)

    def test_an_invite_may_name_a_call_that_is_up(self):
        talk = Talk()
        _, callee = talk.answered()
        talk.invite(fields=self.replaces(callee))
        talk.line.run()
        wanted = talk.incoming().takes_over
        assert wanted
        assert wanted.call is callee

    @pytest.mark.parametrize(("more", "status"), [(";early-only", 486), ("x", 481)])
    def test_what_it_names_must_be_there_and_be_answered(self, more: str, status: int):
        talk = Talk()
        _, callee = talk.answered()
        talk.invite(fields=self.replaces(callee, more))
        talk.line.run()
        wanted = talk.incoming().takes_over
        assert wanted
        assert (wanted.call, wanted.status) == (None, status)

    def rings(self, of: str, more: str = "") -> TakeOver | None:
        """What the caller, or the callee, makes of an INVITE that would take over what rings."""
        talk = Talk()
        call = talk.invite()
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run()
        theirs = last(talk, "180").to.tag
        asked, asking = (talk.caller, talk.callee) if of == "caller" else (talk.callee, talk.caller)
        ours, theirs = (call.tag, theirs) if of == "caller" else (theirs, call.tag)
        value = f"{call.call_id};to-tag={ours};from-tag={theirs}{more}"
        order = Invitation("sip:x", "<sip:x>", "<sip:x>", asked.hop, b"", (("Replaces", value),))
        asking.endpoint.invite(order, talk.now)
        talk.line.run()
        return asked.all(Incoming)[-1].call.takes_over

    @pytest.mark.parametrize("more", ["", ";early-only"])
    def test_a_call_of_ours_that_rings_may_be_taken_over(self, more: str):
        wanted = self.rings("caller", more)
        assert wanted
        assert isinstance(wanted.call, Outbound)

    @pytest.mark.parametrize(("of", "more"), [("callee", ""), ("caller", "x")])
    def test_one_that_rings_here_may_not_nor_may_a_phone_that_does_not_ring(
        self, of: str, more: str
    ):
        assert self.rings(of, more) == TakeOver(None, 481)

    def test_a_call_that_is_being_ended_is_603(self):
        talk = Talk()
        _, callee = talk.answered()
        talk.line.fates["10.0.0.2"] = lose(99, "BYE")
        callee.bye(talk.now)
        talk.invite(fields=self.replaces(callee))
        talk.line.run()
        assert talk.incoming().takes_over == TakeOver(None, 603)

    @pytest.mark.parametrize("values", [["nonsense"], ["a;to-tag=b;from-tag=c"] * 2])
    def test_one_that_cannot_be_read_is_400(self, values: list[str]):
        talk = Talk()
        talk.invite(fields=tuple(("Replaces", value) for value in values))
        talk.line.run()
        assert talk.caller.one(Over).code == 400


def test_what_we_can_do_is_said_in_both_directions():
    talk = Talk()
    talk.answered()
    for message in (last(talk, "INVITE", callee=False), last(talk, "200")):
        assert {"100rel", "timer", "replaces"} == set(message.all("supported"))
        assert {"PRACK", "UPDATE", "REFER", "NOTIFY"} <= set(message.all("allow"))


def test_a_bad_line_leaves_no_transfer_and_no_timer_behind():
    talk = Talk()
    caller, callee = talk.answered()
    talk.line.fates["10.0.0.1"] = rough(5, 0.2, 0.3, 0.3)
    talk.line.fates["10.0.0.2"] = rough(6, 0.2, 0.3, 0.3)
    caller.refer("<sip:carol@10.0.0.3>", (), talk.now)
    talk.line.run(20)
    event = talk.callee.one(Referred)
    event.referral.take(talk.now)
    callee.reinvite(b"hold", talk.now)
    talk.line.run(20)
    caller.accept(b"held", talk.now)
    event.referral.tell(200, talk.now)
    talk.line.run(20)
    assert talk.caller.all(Transferred)[-1].final
    assert talk.callee.one(Reanswered).response
    caller.bye(talk.now)
    talk.line.run(120)
    assert not talk.caller.endpoint.busy
    assert not talk.callee.endpoint.busy
    assert talk.caller.endpoint.wake_at is talk.callee.endpoint.wake_at is None
