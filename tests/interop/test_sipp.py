"""SIPp plays the other side: five hundred calls, and some that are given up or not taken."""

from __future__ import annotations

import pytest
from peers import free_port, needs
from served import Application, Up, response, serving
from sipp import Run

pytestmark = pytest.mark.interop

CALLS, A_SECOND = 500, 20


def finals(up: Up, **where: str) -> list[str]:
    """The statuses of calls, newest first."""
    return [call["status"] for call in up.get("Calls.json", PageSize="1000", **where)["calls"]]


def test_five_hundred_short_calls(up: Up) -> None:
    needs("sipp")
    app = Application({"/voice": response("<Play digits='1'/>")})
    with serving(app):
        up.number("+15550100310", VoiceUrl=f"{app.url}/voice", StatusCallback=f"{app.url}/status")
        done = Run("uac_short_call", calls=CALLS, rate=A_SECOND, seconds=90).call(
            up.sip_host, up.sip_port, "+15550100310"
        )
        assert (done.successful, done.failed) == (CALLS, 0), (done.output, up.err.text)
        app.gets("/status", CallStatus="completed", times=CALLS)
    assert finals(up, To="+15550100310") == ["completed"] * CALLS


def test_a_caller_who_gives_up_while_it_rings(up: Up) -> None:
    needs("sipp")
    app = Application({"/voice": response("<Pause length='30'/>")})
    with serving(app):
        up.number("+15550100311", VoiceUrl=f"{app.url}/voice", StatusCallback=f"{app.url}/status")
        done = Run("uac_cancel", pause=1000).call(up.sip_host, up.sip_port, "+15550100311")
        assert (done.successful, done.failed) == (1, 0), done.output
        app.gets("/status", CallStatus="no-answer")
    assert finals(up, To="+15550100311") == ["no-answer"]


def test_a_caller_who_is_told_that_it_is_busy(up: Up) -> None:
    needs("sipp")
    app = Application({"/voice": response("<Reject reason='busy'/>")})
    with serving(app):
        up.number("+15550100312", VoiceUrl=f"{app.url}/voice", StatusCallback=f"{app.url}/status")
        done = Run("uac_busy").call(up.sip_host, up.sip_port, "+15550100312")
        assert (done.successful, done.failed) == (1, 0), done.output
        app.gets("/status", CallStatus="busy")
    assert finals(up, To="+15550100312") == ["busy"]


@pytest.mark.parametrize(
    ("scenario", "status"), [("uas_busy", "busy"), ("uas_no_answer", "no-answer")]
)
def test_somebody_called_who_does_not_take_the_call(up: Up, scenario: str, status: str) -> None:
    needs("sipp")
    port = free_port()
    there = Run(scenario, local_port=port, seconds=20).listen()
    app = Application({})
    with serving(app):
        made = up.post(
            "Calls.json", To=f"sip:nobody@127.0.0.1:{port}", From=up.demo, Timeout="2",
            Url=f"{app.url}/voice", StatusCallback=f"{app.url}/status",
        )  # fmt: skip
        done = there.wait()
        assert (done.successful, done.failed) == (1, 0), done.output
        told = app.gets("/status", CallStatus=status).params
    assert (told["CallSid"], told["CallDuration"]) == (made["sid"], "0")
    assert up.call(made["sid"])["status"] == status
    assert app.asked("/voice") == []


def test_somebody_called_who_answers_is_hung_up_on(up: Up) -> None:
    needs("sipp")
    port = free_port()
    there = Run("uas_answer", local_port=port, seconds=20).listen()
    app = Application({"/voice": response("<Pause length='1'/>")})
    with serving(app):
        made = up.post(
            "Calls.json", To=f"sip:x@127.0.0.1:{port}", From=up.demo, Url=app.url + "/voice"
        )
        done = there.wait()
        assert (done.successful, done.failed) == (1, 0), done.output
    ended = up.call(made["sid"])
    assert (ended["status"], ended["direction"]) == ("completed", "outbound-api")


def test_a_phone_registers_at_its_domain_and_calls_it(up: Up) -> None:
    needs("sipp")
    app = Application({"/voice": response("<Play digits='1'/><Pause length='9'/>")})
    with serving(app):
        domain = up.post(
            "SIP/Domains.json", DomainName="desk.sip.twilio.com", VoiceUrl=f"{app.url}/voice",
            SipRegistration="true",
        )  # fmt: skip
        users = up.post("SIP/CredentialLists.json", FriendlyName="users")["sid"]
        up.post(
            f"SIP/CredentialLists/{users}/Credentials.json", Username="alice",
            Password="Correct-Horse-1",
        )  # fmt: skip
        for use in ("Calls", "Registrations"):
            path = f"SIP/Domains/{domain['sid']}/Auth/{use}/CredentialListMappings.json"
            up.post(path, CredentialListSid=users)
        for times, transport in enumerate(("u1", "t1"), 1):
            run = Run(
                "uac_register", username="alice", password="Correct-Horse-1",
                login_at="desk.sip.twilio.com", transport=transport, seconds=20,
            )  # fmt: skip
            done = run.call(up.sip_host, up.sip_port, "100")
            assert (done.successful, done.failed) == (1, 0), (done.output, up.err.text)
            asked = app.gets("/voice", times=times).params
            assert asked["To"] == "sip:100@desk.sip.twilio.com"
            assert asked["From"] == "sip:alice@desk.sip.twilio.com"
