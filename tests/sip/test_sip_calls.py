"""Calls between two endpoints: set up, refused, given up, ended.  RFC 3261 sections 9, 13, 15."""

from __future__ import annotations

import pytest
from sip_ends import Talk, lose, rough, sip, word

from offhook.sip import digest
from offhook.sip.core import Over
from offhook.sip.hop import Hop, Send
from offhook.sip.inbound import Incoming
from offhook.sip.message import Request, parse, respond
from offhook.sip.outbound import MOST_FORKS, Answered, Invitation, Progress
from offhook.sip.session import Confirmed, Info, Offered, Reanswered, Session


def over(talk: Talk) -> tuple[Over, Over]:
    """How the caller's and the callee's end ended; each exactly once."""
    return talk.caller.one(Over), talk.callee.one(Over)


def test_a_call_is_set_up_spoken_and_ended():
    talk = Talk()
    talk.invite()
    talk.line.run()
    call = talk.incoming()
    call.trying(talk.now)
    call.ring(talk.now)
    talk.line.run()
    session = call.answer(b"answer", talk.now)
    talk.line.run()
    assert talk.caller.one(Answered).response.body == b"answer"
    assert talk.callee.one(Confirmed).session is session
    talk.caller.one(Answered).session.bye(talk.now)
    talk.line.run()
    caller, callee = over(talk)
    assert (caller.by, caller.code) == ("near", 200)
    assert (callee.by, callee.code) == ("far", 200)
    assert talk.caller.said() == ["INVITE", "ACK", "BYE"]
    assert talk.callee.said() == ["100", "180", "200", "200"]


def test_nothing_is_left_of_a_call_when_the_timers_have_run_out():
    talk = Talk()
    caller, _ = talk.answered()
    caller.bye(talk.now)
    talk.line.run(70)
    assert not talk.caller.endpoint.busy
    assert not talk.callee.endpoint.busy
    assert talk.caller.endpoint.wake_at is None
    assert talk.callee.endpoint.wake_at is None


class TestRefusing:
    def test_a_refusal_ends_both_sides_and_is_acknowledged(self):
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.incoming().reject(486, talk.now, ("X-Why", "lunch"))
        talk.line.run()
        caller, callee = over(talk)
        assert (caller.by, caller.code, caller.reason) == ("far", 486, "Busy Here")
        assert caller.response
        assert caller.response.get("x-why") == "lunch"
        assert (callee.by, callee.code) == ("near", 486)
        assert talk.caller.said() == ["INVITE", "ACK"]

    def test_a_refusal_is_repeated_until_the_ack_arrives(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(2, "ACK")
        talk.invite()
        talk.line.run()
        began = talk.now
        talk.incoming().reject(404, began)
        talk.line.run(40)
        assert talk.callee.when("404") == [round(began + at, 3) for at in (0, 0.5, 1.5)]
        assert over(talk)[1].code == 404

    def test_without_any_ack_the_refusal_is_over_after_32_seconds(self):
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.incoming().reject(404, talk.now)
        talk.line.run(31.9)
        assert talk.callee.all(Over) == []
        talk.line.run(0.2)
        assert talk.callee.one(Over).code == 404


class TestNobodyThere:
    def test_ringing_is_told_again_every_minute(self):
        """A proxy on the way would give up what it hears nothing of (section 13.3.1.1)."""
        talk = Talk()
        talk.invite()
        talk.line.run()
        call = talk.incoming()
        began = talk.now
        call.ring(began)
        talk.line.run(150)
        assert talk.callee.when("180") == [round(began + at, 3) for at in (0, 60, 120)]
        call.answer(b"answer", talk.now)
        talk.line.run(100)
        assert talk.callee.said().count("180") == 3

    def test_an_invite_that_is_never_answered_ends_after_32_seconds(self):
        """Timer B; not a ring timeout, so its code is 503 and not 408."""
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.invite()
        talk.line.run(31.9)
        assert talk.caller.all(Over) == []
        talk.line.run(0.2)
        ended = talk.caller.one(Over)
        assert (ended.by, ended.code) == ("network", 503)
        assert talk.caller.when("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]

    def test_it_may_ring_for_as_long_as_it_likes(self):
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run(600)
        assert talk.caller.said() == ["INVITE"]
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        assert talk.caller.one(Answered)


class TestAcknowledging:
    """Sections 13.2.2.4 and 13.3.1.4."""

    def test_the_200_is_repeated_until_the_ack(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(3, "ACK")
        talk.invite()
        talk.line.run()
        began = talk.now
        talk.incoming().answer(b"answer", began)
        talk.line.run(30)
        assert talk.callee.when("200") == [round(began + at, 3) for at in (0, 0.5, 1.5, 3.5)]
        assert talk.callee.endpoint.counts["retransmitted"] == 3
        assert talk.caller.said().count("ACK") == 4
        assert len(talk.callee.all(Confirmed)) == 1
        assert len(talk.caller.all(Answered)) == 1

    def test_an_ack_with_the_branch_of_the_invite_is_an_ack(self):
        """It should have its own (section 13.2.2.4), but clients of RFC 2543 know no branches."""
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        branches = [message.via.branch.encode() for message in talk.caller.messages()]
        ack = talk.caller.sent[-1][1].replace(branches[1], branches[0])
        talk.callee.endpoint.receive(ack, talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.one(Confirmed)

    def test_each_repeated_200_gets_the_same_ack(self):
        talk = Talk()
        talk.line.fates["10.0.0.2"] = lambda data: (0.01, 0.02, 0.03)
        talk.answered()
        acks = {data for _, data in talk.caller.sent if data.startswith(b"ACK")}
        assert talk.caller.said().count("ACK") == 3
        assert len(acks) == 1

    def test_without_an_ack_for_32_seconds_the_callee_says_bye_and_ends(self):
        """The condition of error 32022."""
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        began = talk.now
        talk.incoming().answer(b"answer", began)
        talk.line.run(31.9)
        assert talk.callee.all(Over) == []
        talk.line.run(0.2)
        ended = talk.callee.one(Over)
        assert (ended.by, ended.code) == ("network", 408)
        assert "ACK" in ended.reason
        assert talk.callee.when("BYE")[0] == pytest.approx(began + 32)

    def test_a_callee_that_hangs_up_before_the_ack_waits_for_it(self):
        """Section 15: no BYE in a dialog that is not confirmed."""
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(1, "ACK")
        talk.invite()
        talk.line.run()
        session = talk.incoming().answer(b"answer", talk.now)
        assert session
        session.bye(talk.now)
        talk.line.run(0.3)
        assert "BYE" not in talk.callee.said()
        talk.line.run(5)
        assert talk.callee.said() == ["200", "200", "BYE"]
        assert over(talk)[0].by == "far"
        assert talk.callee.all(Confirmed) == []

    def test_who_is_sent_no_ack_at_all_hung_up_all_the_same(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(99, "ACK", "200")
        talk.invite()
        talk.line.run()
        session = talk.incoming().answer(b"answer", talk.now)
        assert session
        session.bye(talk.now)
        talk.line.run(33)
        assert (talk.callee.one(Over).by, talk.callee.said()[-1]) == ("near", "BYE")

    def test_what_is_asked_while_a_bye_is_on_its_way_is_481(self):
        """Section 15.1.2: the call is over for us."""
        talk = Talk()
        caller, callee = talk.answered()
        talk.line.fates["10.0.0.2"] = lambda data: ()
        callee.bye(talk.now)
        info = caller.dialog.request("INFO").via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKi;rport")
        talk.callee.endpoint.receive(info.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-1] == "481"


class TestCancelling:
    """Section 9."""

    def ringing(self) -> Talk:
        talk = Talk()
        self.call = talk.invite()
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run()
        return talk

    def test_a_ringing_call_is_given_up(self):
        talk = self.ringing()
        self.call.cancel(talk.now)
        talk.line.run()
        caller, callee = over(talk)
        assert (caller.by, caller.code) == ("near", 487)
        assert (callee.by, callee.code) == ("far", 487)
        assert talk.caller.said() == ["INVITE", "CANCEL", "ACK"]
        assert talk.callee.said() == ["180", "200", "487"]

    def test_the_cancel_has_the_invites_branch_and_number_and_its_route(self):
        talk = Talk()
        call = talk.invite(fields=(("Route", "<sip:10.0.0.2;lr>"),))
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run()
        call.cancel(talk.now)
        talk.line.run()
        invite, cancel, _ = talk.caller.messages()
        assert cancel.get("via") == invite.get("via")
        assert cancel.values("route") == invite.values("route") == ["<sip:10.0.0.2;lr>"]
        assert cancel.cseq == (invite.cseq.number, "CANCEL")
        assert isinstance(cancel, Request)
        assert isinstance(invite, Request)
        assert cancel.uri == invite.uri

    def test_before_any_response_the_cancel_waits_for_one(self):
        talk = Talk()
        call = talk.invite()
        call.cancel(talk.now)
        talk.line.run()
        assert talk.caller.said() == ["INVITE"]
        assert talk.caller.messages()[0].via.param("rport") == ""  # RFC 3581 section 3
        talk.incoming().trying(talk.now)
        talk.line.run()
        assert talk.caller.said() == ["INVITE", "CANCEL", "ACK"]
        assert over(talk)[0].code == 487

    def test_a_200_that_crosses_the_cancel_is_acknowledged_and_ended(self):
        talk = self.ringing()
        self.call.cancel(talk.now)
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        assert talk.caller.said() == ["INVITE", "CANCEL", "ACK", "BYE"]
        assert talk.caller.all(Answered) == []
        caller, callee = over(talk)
        assert (caller.by, callee.by) == ("near", "far")

    def test_a_refusal_that_crosses_the_cancel_is_the_end(self):
        talk = self.ringing()
        self.call.cancel(talk.now)
        talk.incoming().reject(486, talk.now)
        talk.line.run(40)
        caller, callee = over(talk)
        assert (caller.by, caller.code) == ("near", 486)
        assert (callee.by, callee.code) == ("near", 486)

    def test_a_cancel_after_the_answer_is_200_and_without_effect(self):
        talk = self.ringing()
        session = talk.incoming().answer(b"answer", talk.now)
        self.call.cancel(talk.now)
        talk.line.run(0.011)
        assert session
        assert not session.over

    def test_the_answer_to_a_cancel_has_the_tag_of_the_answer_to_its_invite(self):
        """RFC 3261 section 9.2."""
        talk = self.ringing()
        self.call.cancel(talk.now)
        talk.line.run()
        answers = [each for each in talk.callee.messages() if each.to.tag]
        assert len({answer.to.tag for answer in answers}) == 1
        assert {answer.cseq.method for answer in answers} == {"INVITE", "CANCEL"}

    def test_a_cancel_for_nothing_is_481(self):
        talk = Talk()
        talk.invite()
        [(_, data)] = talk.caller.sent
        strange = data.replace(b"INVITE", b"CANCEL").replace(b"branch=z9hG4bK", b"branch=z9hG4bKx")
        talk.callee.endpoint.receive(strange, talk.caller.hop, 0.0)
        talk.line.flush()
        assert talk.callee.said() == ["481"]

    def test_who_rings_on_is_not_sent_another(self):
        talk = self.ringing()
        talk.line.fates["10.0.0.1"] = lose(1, "CANCEL")
        self.call.cancel(talk.now)
        talk.incoming().ring(talk.now)
        talk.line.run(0.3)
        assert talk.caller.said() == ["INVITE", "CANCEL"]

    def test_a_lost_cancel_is_repeated(self):
        talk = self.ringing()
        talk.line.fates["10.0.0.1"] = lose(2, "CANCEL")
        self.call.cancel(talk.now)
        talk.line.run(3)
        assert talk.caller.said().count("CANCEL") == 3
        assert over(talk)[0].code == 487

    def test_what_went_by_datagram_after_all_is_cancelled_there(self):
        """An INVITE that is too long for one, at somebody's who has no TCP."""
        talk = Talk()
        call = talk.caller.endpoint.invite(
            Invitation(
                "sip:bob@10.0.0.2",
                "<sip:ann@10.0.0.1>",
                "<sip:bob@10.0.0.2>",
                talk.callee.hop,
                b"x" * 1400,
            ),
            0,
        )
        [tcp] = [each for each in talk.caller.endpoint.take() if isinstance(each, Send)]
        talk.caller.endpoint.undeliverable(tcp, 0)
        assert talk.caller.endpoint.counts["undeliverable"] == 1
        talk.line.run()
        talk.incoming().ring(talk.now)
        talk.line.run()
        call.cancel(talk.now)
        talk.line.run()
        cancel = talk.caller.messages()[-2]
        assert word(cancel) == "CANCEL"
        assert cancel.via.transport == "UDP"
        assert talk.callee.one(Over).by == "far"

    def test_a_cancel_that_nobody_minds_ends_the_attempt_after_32_seconds(self):
        talk = self.ringing()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        self.call.cancel(talk.now)
        talk.line.run(31.9)
        assert talk.caller.all(Over) == []
        talk.line.run(0.2)
        assert (talk.caller.one(Over).by, talk.caller.one(Over).code) == ("near", 487)
        talk.line.run(70)
        assert not talk.caller.endpoint.busy

    def test_a_caller_may_also_say_bye_while_it_rings(self):
        """Section 15: the caller's BYE ends an early dialog."""
        talk = self.ringing()
        invite, early = talk.caller.messages()[0], talk.callee.messages()[0]
        bye = Request(
            (
                ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKbye"),
                ("From", invite.get("from")),
                ("To", early.get("to")),
                ("Call-ID", invite.call_id),
                ("CSeq", "9 BYE"),
            ),
            b"",
            "BYE",
            "sip:bob@10.0.0.2",
        )
        talk.callee.endpoint.receive(bye.encode(), talk.caller.hop, talk.now)
        talk.line.run()
        assert talk.callee.said() == ["180", "200", "487"]
        assert (talk.callee.one(Over).by, talk.callee.one(Over).code) == ("far", 200)


class TestForks:
    """Section 13.2.2.4: one INVITE, several answers."""

    def answer_twice(self) -> Talk:
        talk = Talk()
        talk.invite()
        talk.line.run()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        [(_, first)] = talk.callee.sent
        tag = parse(first).to.tag.encode()
        talk.callee.endpoint.take()
        talk.caller.endpoint.receive(first.replace(tag, b"fork"), talk.callee.hop, talk.now)
        talk.line.flush()
        return talk

    def test_an_answer_of_another_fork_is_acknowledged_and_ended(self):
        talk = self.answer_twice()
        assert talk.caller.said() == ["INVITE", "ACK", "ACK", "BYE"]
        *_, ack, bye = talk.caller.messages()
        assert (ack.to.tag, bye.to.tag) == ("fork", "fork")
        assert len(talk.caller.all(Answered)) == 1
        assert not talk.caller.one(Answered).session.over

    def test_the_end_of_the_extra_one_is_not_the_calls(self):
        talk = self.answer_twice()
        talk.line.run(70)
        assert talk.caller.all(Over) == []

    def test_early_dialogs_of_several_forks_are_all_progress(self):
        talk = Talk()
        talk.invite()
        talk.line.run()
        call = talk.incoming()
        call.ring(talk.now)
        talk.line.run()
        [(_, ringing)] = talk.callee.sent
        tag = parse(ringing).to.tag.encode()
        talk.caller.endpoint.receive(ringing.replace(tag, b"fork"), talk.callee.hop, talk.now)
        talk.line.flush()
        assert [e.response.to.tag for e in talk.caller.all(Progress)] == [tag.decode(), "fork"]

    def test_there_are_only_so_many(self):
        """A far end could make up one after the other."""
        talk = Talk()
        talk.invite()
        talk.line.flush()
        [invite] = talk.caller.messages()
        assert isinstance(invite, Request)
        contact = ("Contact", "<sip:bob@10.0.0.2>")
        for number in range(MOST_FORKS + 10):
            for status in (183, 200):
                answer = respond(invite, status, (contact,), tag=f"{number}", body=b"answer")
                talk.caller.endpoint.receive(answer.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert len(talk.caller.all(Progress)) == 1
        assert talk.caller.said().count("ACK") == MOST_FORKS


class TestEnding:
    """Section 15."""

    def test_byes_that_cross_end_the_call_once_on_each_side(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.bye(talk.now)
        callee.bye(talk.now)
        talk.line.run(70)
        assert [each.by for each in over(talk)] == ["near", "near"]

    def test_a_bye_that_nobody_answers_is_over_after_32_seconds(self):
        talk = Talk()
        caller, _ = talk.answered()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        caller.bye(talk.now)
        talk.line.run(31.9)
        assert talk.caller.all(Over) == []
        talk.line.run(0.2)
        assert talk.caller.one(Over).by == "near"

    @pytest.mark.parametrize(
        ("said", "told"),
        [('Q.850;cause=16;text="Clearing"', "Clearing"), ("Q.850;cause=16", "Q.850;cause=16")],
    )
    def test_the_reason_of_a_bye_is_told(self, said: str, told: str):
        """RFC 3326: the text is optional."""
        talk = Talk()
        _, callee = talk.answered()
        bye = callee.dialog.request("BYE", (("Reason", said),))
        bye = bye.via_first("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx")
        talk.caller.endpoint.receive(bye.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.one(Over).reason == told

    def test_a_bye_for_a_dialog_that_is_gone_is_481(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.bye(talk.now)
        talk.line.run()
        stray = callee.dialog.request("BYE").via_first("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx")
        talk.caller.endpoint.receive(stray.encode(), talk.callee.hop, talk.now)
        talk.line.flush()
        assert talk.caller.said()[-1] == "481"

    def test_a_bye_that_overtakes_the_200_ends_the_call(self):
        talk = Talk()
        talk.line.fates["10.0.0.2"] = lambda data: (0.5 if b"200 OK" in data else 0.01,)
        talk.invite()
        talk.line.run()
        talk.incoming().trying(talk.now)
        session = talk.incoming().answer(b"answer", talk.now)
        assert session
        bye = session.dialog.request("BYE").via_first("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx")
        talk.caller.endpoint.receive(bye.encode(), talk.callee.hop, talk.now)
        talk.line.run(5)
        assert talk.caller.one(Over).by == "far"
        assert talk.caller.all(Answered) == []
        assert talk.caller.said()[:4] == ["INVITE", "200", "ACK", "BYE"]

    def test_after_a_restart_a_bye_can_be_sent_from_what_was_kept(self):
        talk = Talk()
        caller, _ = talk.answered()
        kept = caller.dialog.data()
        again = Talk()
        restored = again.caller.endpoint.restore(kept)
        restored.bye(again.now)
        again.line.flush()
        [(_, bye)] = again.caller.sent
        talk.callee.endpoint.receive(bye, talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.one(Over).by == "far"


class TestChanging:
    """Section 14: re-INVITE."""

    def test_an_offer_is_answered_and_acknowledged(self):
        talk = Talk()
        caller, callee = talk.answered()
        assert caller.reinvite(b"hold", talk.now)
        talk.line.run()
        assert talk.callee.one(Offered).request.body == b"hold"
        callee.accept(b"held", talk.now)
        talk.line.run()
        response = talk.caller.one(Reanswered).response
        assert response
        assert response.body == b"held"
        assert talk.caller.said()[-1] == "ACK"
        assert len(talk.callee.all(Confirmed)) == 2

    def test_a_call_to_a_sips_uri_stays_one_that_tls_alone_leads_to(self):
        """RFC 3261 section 12.1.2."""
        talk = Talk()
        talk.invite(uri="sips:bob@10.0.0.2")
        talk.line.run()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        talk.caller.one(Answered).session.reinvite(b"hold", talk.now)
        talk.line.flush()
        contacts = [
            each.get("contact") for each in talk.caller.messages() if word(each) == "INVITE"
        ]
        assert contacts == ["<sips:10.0.0.1:5060>"] * 2

    def test_either_side_may_offer(self):
        talk = Talk()
        caller, callee = talk.answered()
        assert callee.reinvite(b"hold", talk.now)
        talk.line.run()
        caller.accept(b"held", talk.now)
        talk.line.run()
        response = talk.callee.one(Reanswered).response
        assert response
        assert response.status == 200

    def test_a_refused_offer_leaves_the_call_as_it_was(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"video", talk.now)
        talk.line.run()
        callee.refuse(488, talk.now)
        talk.line.run()
        response = talk.caller.one(Reanswered).response
        assert response
        assert response.status == 488
        assert not caller.over
        assert not callee.over

    def test_offers_that_cross_are_both_491(self):
        """They are made again, each at its time: see the tests of dialogs."""
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"a", talk.now)
        callee.reinvite(b"b", talk.now)
        talk.line.run(0.025)
        assert talk.caller.said()[-1] == "ACK"
        assert "491" in talk.caller.said()
        assert "491" in talk.callee.said()
        assert talk.caller.all(Offered) == talk.caller.all(Reanswered) == []

    def test_a_second_offer_before_the_first_is_answered_is_500_with_a_time(self):
        talk = Talk()
        caller, _ = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        more = caller.dialog.request("INVITE").via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
        talk.callee.endpoint.receive(more.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        last = talk.callee.messages()[-1]
        assert word(last) == "500"
        assert 0 <= int(last.get("retry-after")) <= 10

    def test_an_offer_before_the_ack_of_the_answer_is_491(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(9, "ACK")
        caller, _ = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        assert "491" in talk.callee.said()

    def test_a_new_contact_is_where_later_requests_go(self):
        talk = Talk()
        caller, callee = talk.answered()
        moved = caller.dialog.request("INVITE", (("Contact", "<sip:ann@10.0.0.77>"),))
        moved = moved.via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
        talk.callee.endpoint.receive(moved.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        callee.accept(b"answer", talk.now)
        assert callee.dialog.hop() == Hop("UDP", "10.0.0.77", 5060)

    def test_so_is_that_of_who_answers_an_offer(self):
        """Section 12.2.1.2."""
        talk = Talk()
        caller, _ = talk.answered()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        caller.reinvite(b"hold", talk.now)
        talk.line.flush()
        reinvite = talk.caller.messages()[-1]
        assert isinstance(reinvite, Request)
        moved = respond(reinvite, 200, (("Contact", "<sip:bob@10.0.0.77>"),), body=b"held")
        talk.caller.endpoint.receive(moved.encode(), talk.callee.hop, talk.now)
        assert caller.dialog.hop() == Hop("UDP", "10.0.0.77", 5060)

    def test_an_offer_may_be_taken_back(self):
        """Section 9: a re-INVITE is cancelled as any INVITE; the call goes on."""
        talk = Talk()
        caller, _ = talk.answered()
        caller.reinvite(b"hold", talk.now)
        talk.line.run()
        reinvite = talk.caller.messages()[-1]
        assert isinstance(reinvite, Request)
        fields = tuple(
            (name, value.replace("INVITE", "CANCEL") if name == "CSeq" else value)
            for name, value in reinvite.fields
            if not name.startswith("Content-")
        )
        cancel = Request(fields, b"", "CANCEL", reinvite.uri)
        talk.callee.endpoint.receive(cancel.encode(), talk.caller.hop, talk.now)
        talk.line.run()
        assert talk.callee.said()[-2:] == ["200", "487"]
        assert not caller.over

    def test_nothing_is_offered_while_another_offer_is_open(self):
        """Section 14.1, and 13.2.1: nor before the ACK of an answer."""
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(1, "ACK")
        talk.invite()
        talk.line.run()
        callee = talk.incoming().answer(b"answer", talk.now)
        assert callee
        assert not callee.reinvite(b"hold", talk.now)
        talk.line.run(1)
        talk.caller.one(Answered).session.reinvite(b"hold", talk.now)
        talk.line.run()
        assert not callee.reinvite(b"hold too", talk.now)

    def test_a_phone_that_is_behind_another_nat_is_where_its_offer_came_from(self):
        talk = Talk()
        caller, callee = talk.answered()
        moved = caller.dialog.request("INVITE", (("Contact", "<sip:ann@192.168.1.5>"),))
        moved = moved.via_first("SIP/2.0/UDP 192.168.1.5;branch=z9hG4bKx;rport")
        nat = Hop("UDP", "8.8.4.4", 4000)
        talk.callee.endpoint.receive(moved.encode(), nat, talk.now)
        talk.line.flush()
        callee.accept(b"answer", talk.now)
        assert callee.dialog.hop() == nat

    def test_a_dialog_that_the_other_side_has_forgotten_is_ended(self):
        """Section 14.1: 481 and 408 mean that it is gone."""
        talk = Talk()
        caller, callee = talk.answered()
        callee.over = True
        talk.callee.endpoint.__init__(  # type: ignore[misc]
            lambda hop: "10.0.0.2:5060", lambda hop: "sip:10.0.0.2", lambda: "0" * 32
        )
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        assert talk.caller.one(Over).by == "near"

    def test_no_ack_for_a_changed_answer_ends_the_call(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        callee.accept(b"b", talk.now)
        talk.line.run(33)
        assert talk.callee.one(Over).by == "network"

    def test_a_bye_beats_an_offer_that_waits(self):
        talk = Talk()
        caller, _ = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        caller.bye(talk.now)
        talk.line.run()
        assert "487" in talk.callee.said()
        assert [each.by for each in over(talk)] == ["near", "far"]

    def test_an_offer_that_waits_is_refused_when_the_call_is_given_up(self):
        talk = Talk()
        talk.line.fates["10.0.0.1"] = lose(99, "ACK")
        caller, _ = talk.answered()
        update = caller.dialog.request("UPDATE", body=b"a")
        update = update.via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
        talk.callee.endpoint.receive(update.encode(), talk.caller.hop, talk.now)
        talk.line.run(140)
        assert talk.callee.one(Offered).request.body == b"a"
        assert talk.callee.said().count("487") == 1
        assert talk.callee.endpoint.transactions == 0

    def test_a_glare_that_is_heard_of_after_the_end_wakes_nobody(self):
        talk = Talk()
        caller, callee = talk.answered()
        talk.line.fates["10.0.0.2"] = lambda data: (5 if b"491" in data[:12] else 0.01,)
        caller.reinvite(b"a", talk.now)
        callee.reinvite(b"b", talk.now)
        talk.line.run()
        callee.bye(talk.now)
        talk.line.run(100)
        assert talk.callee.said().count("491") > 1
        assert talk.caller.endpoint.wake_at is None

    def test_a_repeated_answer_is_not_that_to_the_next_offer(self):
        talk = Talk()
        caller, callee = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        callee.accept(b"answer a", talk.now)
        talk.line.run()
        answer = talk.callee.messages()[-1]
        caller.reinvite(b"b", talk.now)
        talk.caller.endpoint.receive(answer.encode(), talk.callee.hop, talk.now)
        talk.line.run()
        assert len(talk.caller.all(Reanswered)) == 1
        callee.accept(b"answer b", talk.now)
        talk.line.run()
        assert [each.response.body for each in talk.caller.all(Reanswered) if each.response] == [
            b"answer a",
            b"answer b",
        ]

    def test_nothing_is_promised_that_a_changed_call_does_not_keep(self):
        """A provisional response to a re-INVITE is not acknowledged (RFC 3262 section 4)."""
        talk = Talk()
        caller, _ = talk.answered()
        caller.reinvite(b"a", talk.now)
        talk.line.run()
        assert talk.caller.messages()[-1].tags("supported") == ["timer", "replaces"]


class TestInTheDialog:
    def test_an_info_is_answered_and_told(self):
        talk = Talk()
        caller, _ = talk.answered()
        info = caller.dialog.request("INFO", (("Content-Type", "application/dtmf"),), b"5")
        info = info.via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
        talk.callee.endpoint.receive(info.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.one(Info).request.body == b"5"
        assert talk.callee.said()[-1] == "200"

    def test_a_number_that_is_not_higher_is_500(self):
        """Section 12.2.2."""
        talk = Talk()
        caller, _ = talk.answered()
        for branch in ("one", "two"):
            old = caller.dialog.request("INFO", cseq=5)
            old = old.via_first(f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{branch}")
            talk.callee.endpoint.receive(old.encode(), talk.caller.hop, talk.now)
        talk.line.flush()
        assert talk.callee.said()[-2:] == ["200", "500"]

    def test_nobody_registers_inside_a_call(self):
        """Sections 10.2 and 21.4.6; before it is answered as after."""
        talk = Talk()
        caller, _ = talk.answered()
        register = caller.dialog.request("REGISTER")
        register = register.via_first("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
        talk.callee.endpoint.receive(register.encode(), talk.caller.hop, talk.now)
        talk.line.run()
        refused = talk.callee.messages()[-1]
        assert word(refused) == "405"
        assert "REGISTER" not in refused.all("allow")
        caller.bye(talk.now)
        talk.line.run()
        assert talk.callee.one(Over).code == 200

    def test_another_source_address_is_still_the_same_dialog(self):
        talk = Talk()
        caller, _ = talk.answered()
        bye = caller.dialog.request("BYE").via_first("SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKx;rport")
        talk.callee.endpoint.receive(bye.encode(), Hop("UDP", "10.0.0.99", 999), talk.now)
        talk.line.flush()
        assert talk.callee.one(Over).by == "far"


KNOWN = {"ann": "secret"}


class TestChallenges:
    """Section 22."""

    def challenged(self, status: int, login: digest.Credentials | None) -> Talk:
        talk = Talk()
        talk.invite(credentials=login)
        talk.line.run()
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        self.server = digest.Server("r", b"k", lambda: "ab" * 16)
        for challenge in self.server.challenges(0)[:1]:
            talk.incoming().reject(status, talk.now, (name, challenge))
        talk.line.run()
        return talk

    @pytest.mark.parametrize(
        ("status", "name"), [(401, "authorization"), (407, "proxy-authorization")]
    )
    def test_it_is_met_with_the_next_number_in_the_same_call(self, status: int, name: str):
        talk = self.challenged(status, digest.Credentials("ann", "secret"))
        first, _, second = talk.caller.messages()
        assert isinstance(second, Request)
        assert second.call_id == first.call_id
        assert second.from_.tag == first.from_.tag
        assert second.via.branch != first.via.branch
        assert second.cseq == (2, "INVITE")
        checked = self.server.check(
            second.values(name), "INVITE", second.uri, b"", {"ann": "secret"}, 0
        )
        assert checked == ("right", "ann")
        assert talk.caller.all(Over) == []
        session = talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        assert session
        assert talk.caller.one(Answered)

    def test_the_ack_of_the_200_carries_the_credentials(self):
        """Section 13.2.2.4."""
        talk = self.challenged(407, digest.Credentials("ann", "secret"))
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        invite, ack = talk.caller.messages()[-2:]
        assert ack.get("proxy-authorization") == invite.get("proxy-authorization") != ""

    def test_so_does_the_ack_of_a_change(self):
        talk = Talk()
        talk.invite(credentials=digest.Credentials("ann", "secret"))
        talk.line.run()
        callee = talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lose(1, "INVITE")
        talk.caller.one(Answered).session.reinvite(b"hold", talk.now)
        talk.line.flush()
        first = talk.caller.messages()[-1]
        challenge = digest.Server("r", b"k", lambda: "ab" * 16).challenges(0)[0]
        assert callee
        assert isinstance(first, Request)
        refusal = respond(first, 407, (("Proxy-Authenticate", challenge),))
        talk.caller.endpoint.receive(refusal.encode(), talk.callee.hop, talk.now)
        talk.line.run()
        callee.accept(b"held", talk.now)
        talk.line.run()
        *_, invite, ack = talk.caller.messages()
        assert [word(invite), word(ack)] == ["INVITE", "ACK"]
        assert ack.get("proxy-authorization") == invite.get("proxy-authorization") != ""

    def test_each_proxy_on_the_way_is_answered_for_its_realm(self):
        """Section 22.3: the answer to the first goes along with that to the second."""
        talk = self.challenged(407, digest.Credentials("ann", "secret"))
        other = digest.Server("s", b"k", lambda: "cd" * 16)
        talk.incoming().reject(407, talk.now, ("Proxy-Authenticate", other.challenges(0)[0]))
        talk.line.run()
        invite = talk.caller.messages()[-1]
        assert isinstance(invite, Request)
        answers = invite.values("proxy-authorization")
        for server in (self.server, other):
            verdict = server.check(answers, "INVITE", invite.uri, b"", {"ann": "secret"}, 0)
            assert verdict == ("right", "ann")

    def test_an_answer_that_goes_along_is_counted_on(self):
        """RFC 7616 section 3.4: who has seen a count of its nonce takes it for a replay."""
        talk = self.challenged(407, digest.Credentials("ann", "secret"))
        other = digest.Server("s", b"k", lambda: "cd" * 16)
        talk.incoming().reject(401, talk.now, ("WWW-Authenticate", other.challenges(0)[0]))
        talk.line.run()
        invites = [each for each in talk.caller.messages() if word(each) == "INVITE"]
        answers = [digest.parse(each.get("proxy-authorization")) for each in invites[1:]]
        assert [answer["nc"] for answer in answers] == ["00000001", "00000002"]
        assert answers[0]["response"] != answers[1]["response"]
        for invite in invites[1:]:
            given = invite.values("proxy-authorization")
            verdict = self.server.check(given, "INVITE", "sip:bob@10.0.0.2", b"", KNOWN, 0)
            assert verdict == ("right", "ann")

    def test_so_is_one_that_is_sent_again_with_a_longer_interval(self):
        talk = self.challenged(401, digest.Credentials("ann", "secret"))
        talk.incoming().reject(422, talk.now, ("Min-SE", "3600"))
        talk.line.run()
        given = talk.caller.messages()[-1].values("authorization")
        assert [digest.parse(each)["nc"] for each in given] == ["00000002"]

    def test_several_challenges_at_once_are_all_answered(self):
        talk = Talk()
        talk.invite(credentials=digest.Credentials("ann", "secret"))
        talk.line.run()
        servers = [digest.Server(realm, b"k", lambda: "ab" * 16) for realm in "rs"]
        asked = [("WWW-Authenticate", each) for server in servers for each in server.challenges(0)]
        talk.incoming().reject(401, talk.now, *asked)
        talk.line.run()
        answers = talk.caller.messages()[-1].values("authorization")
        assert [digest.parse(answer)["realm"] for answer in answers] == ["r", "s"]

    def test_a_second_refusal_of_the_same_credentials_is_the_end(self):
        talk = self.challenged(401, digest.Credentials("ann", "wrong"))
        challenge = self.server.challenges(0)[0]
        talk.incoming().reject(401, talk.now, ("WWW-Authenticate", challenge))
        talk.line.run()
        assert talk.caller.one(Over).code == 401
        assert talk.caller.said().count("INVITE") == 2

    @pytest.mark.parametrize("stale", ["true", "TRUE"])
    def test_a_stale_nonce_is_another_try(self, stale: str):
        """RFC 7616 section 3.3: in either case."""
        talk = self.challenged(401, digest.Credentials("ann", "secret"))
        challenge = self.server.challenges(0, stale=True)[0].replace("true", stale)
        talk.incoming().reject(401, talk.now, ("WWW-Authenticate", challenge))
        talk.line.run()
        assert talk.caller.all(Over) == []
        assert talk.caller.said().count("INVITE") == 3
        assert len(talk.caller.messages()[-1].values("authorization")) == 1

    def test_even_staleness_has_its_limit(self):
        talk = self.challenged(401, digest.Credentials("ann", "secret"))
        for _ in range(5):
            challenge = self.server.challenges(0, stale=True)[0]
            talk.incoming().reject(401, talk.now, ("WWW-Authenticate", challenge))
            talk.line.run()
        assert talk.caller.one(Over).code == 401

    def test_without_credentials_it_is_a_refusal(self):
        talk = self.challenged(401, None)
        assert talk.caller.one(Over).code == 401

    def test_a_cancelled_call_is_not_tried_again(self):
        talk = Talk()
        call = talk.invite(credentials=digest.Credentials("ann", "secret"))
        call.cancel(talk.now)
        talk.line.run()
        challenge = digest.Server("r", b"k", lambda: "ab" * 16).challenges(0)[0]
        talk.incoming().reject(401, talk.now, ("WWW-Authenticate", challenge))
        talk.line.run()
        assert talk.caller.said() == ["INVITE", "ACK"]
        assert talk.caller.one(Over).by == "near"

    def test_a_bye_that_is_challenged_is_sent_again_with_the_answer(self):
        talk = Talk()
        talk.invite(credentials=digest.Credentials("ann", "secret"))
        talk.line.run()
        talk.incoming().answer(b"answer", talk.now)
        talk.line.run()
        talk.line.fates["10.0.0.1"] = lambda data: ()
        talk.caller.one(Answered).session.bye(talk.now)
        talk.line.flush()
        bye = talk.caller.messages()[-1]
        challenge = digest.Server("r", b"k", lambda: "ab" * 16).challenges(0)[1]
        refusal = sip(f"""
SIP/2.0 401 Unauthorized
Via: {bye.get("via")}
From: {bye.get("from")}
To: {bye.get("to")}
Call-ID: {bye.call_id}
CSeq: {bye.get("cseq")}
WWW-Authenticate: {challenge}
""")
        talk.caller.endpoint.receive(refusal, talk.callee.hop, talk.now)
        talk.line.flush()
        again = talk.caller.messages()[-1]
        assert again.cseq == (bye.cseq.number + 1, "BYE")
        assert again.get("authorization").startswith("Digest ")


@pytest.mark.parametrize("seed", range(40))
def test_on_a_bad_line_a_call_comes_up_and_ends_on_both_sides(seed: int):
    """A fifth of all messages lost, a fifth doubled, many out of order."""
    talk = Talk()
    talk.line.fates = {
        host: rough(seed * 2 + n, 0.2, 0.2, 1.5) for n, host in enumerate(talk.line.ends)
    }
    talk.invite()
    talk.line.run(8)
    call = talk.incoming()
    call.ring(talk.now)
    session = call.answer(b"answer", talk.now)
    talk.line.run(30)
    [answered] = talk.caller.all(Answered)
    assert isinstance(session, Session)
    assert len(talk.callee.all(Confirmed)) == 1
    (answered.session if seed % 2 else session).bye(talk.now)
    talk.line.run(120)
    caller, callee = over(talk)
    assert {caller.by, callee.by} == {"near", "far"}
    assert len(talk.callee.all(Incoming)) == 1
    assert not talk.caller.endpoint.busy
    assert not talk.callee.endpoint.busy
    assert talk.caller.endpoint.wake_at is talk.callee.endpoint.wake_at is None


@pytest.mark.parametrize("seed", range(20))
def test_on_a_bad_line_a_cancelled_call_leaves_nobody_in_a_call(seed: int):
    talk = Talk()
    talk.line.fates = {
        host: rough(seed * 2 + n, 0.2, 0.2, 1.5) for n, host in enumerate(talk.line.ends)
    }
    call = talk.invite()
    talk.line.run(8)
    talk.incoming().ring(talk.now)
    talk.line.run(seed / 10)
    call.cancel(talk.now)
    session = talk.incoming().answer(b"answer", talk.now + seed / 20)
    talk.line.run(200)
    assert len(talk.caller.all(Over)) == len(talk.callee.all(Over)) == 1
    assert session is None or session.over
    assert not talk.caller.endpoint.busy
    assert not talk.callee.endpoint.busy
