"""What either side may want of a dialog, played by SIPp over UDP and TCP.

RFC 3261, 3262, 3264, 3311, 3515, 3891 and 4028: a dialogue in `sip` fails at the first message that
is not as it says. They all begin at once, and each test waits for its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from peers import free_port, needs
from served import Application, Up, response, serving
from sipp import Run, Running

pytestmark = pytest.mark.interop

WAITS = "<Play digits='wwwwwwww1'/>"
# SIPp calls a number whose application says this ...
CALLERS = {
    "uac_no_ack": "<Play digits='1'/><Pause length='60'/>",
    "uac_prack_update_hold": "<Play digits='ww1wwwwwwwwwww1'/>",
    "uac_session_timer": WAITS,
    "uac_late_offer": WAITS,
    "uac_refer_declined": WAITS,
    "uac_is_referred": "<Refer action='/referred'><Sip>sip:carol@desk.test?X-Case=7</Sip></Refer>",
    "uac_replaces": WAITS,
    "uac_cancel_too_late": WAITS,
    "uac_bye_crosses_reinvite": WAITS,
}
# ... or is called, and the application of that call says this once it is answered; with a {uri},
# it is the application that calls SIPp.
CALLED = {
    "uas_prack": "<Pause length='1'/>",
    "uas_early_media": "<Pause length='1'/>",
    "uas_forked": "<Pause length='1'/>",
    "uas_answers_although_cancelled": "<Pause length='1'/>",
    "uas_is_refreshed": "<Pause length='5'/>",
    "uas_is_never_refreshed": "<Pause length='60'/>",
    "uas_glare_of_theirs": "<Pause length='18'/>",
    "uas_glare_of_ours": "<Pause length='6'/>",
    "uas_hold": "<Pause length='2'/>",
    "uas_bye_crosses_reinvite": "<Pause length='30'/>",
    "uas_refers": "<Dial referUrl='/refer'><Sip>{uri}</Sip></Dial>",
    "uas_replaces": "<Dial timeLimit='1'><Sip>{uri}?Replaces=other%40desk.test%3B"
    "to-tag%3D1%3Bfrom-tag%3D2</Sip></Dial>",
}
TRANSPORTS = ["u1", "t1"]
BAD_LINE, CALLS = 16, 20  # of a hundred datagrams that many are lost
LONG = f"<Play digits='{16 * 'W'}1'/>"  # in seconds: until the last ACK and BYE got through


class Stage:
    """Begins the dialogues, each with an application of its own."""

    def __init__(self, up: Up, app: Application) -> None:
        self._up, self._app = up, app
        self._numbers = iter(range(15550103010, 15550103999, 10))

    def calls(self, run: Run, verbs: str) -> Running:
        number = f"+{next(self._numbers)}"
        status = f"{self._app.url}/status"
        self._up.number(number, VoiceUrl=self._voice(run, verbs), StatusCallback=status)
        return run.begin(self._up.sip_host, self._up.sip_port, number)

    def is_called(self, run: Run, verbs: str) -> Running:
        port = free_port()
        end = ";transport=tcp" if run.transport == "t1" else ""
        uri = f"sip:sipp@127.0.0.1:{port}{end}"
        running = replace(run, local_port=port).listen()
        dialled = "{uri}" in verbs  # by the application of a phone on the simulated network
        timeout = "2" if "cancelled" in run.scenario else "20"
        for _ in range(run.calls):
            self._up.post(
                "Calls.json", To="+15550103000" if dialled else uri, From=self._up.demo,
                Url=self._voice(run, verbs.format(uri=uri)), Timeout=timeout,
                StatusCallback=f"{self._app.url}/status",
            )  # fmt: skip
        return running

    def _voice(self, run: Run, verbs: str) -> str:
        path = f"/{run.scenario}-{run.transport}"
        self._app.answers[path] = response(verbs)
        return self._app.url + path


@pytest.fixture(scope="module")
def app() -> Iterator[Application]:
    app = Application({"/referred": response(), "/refer": response()})
    with serving(app):
        yield app


@pytest.fixture(scope="module")
def going(up: Up, app: Application) -> Iterator[dict[tuple[str, str], Running]]:
    needs("sipp")
    stage, going = Stage(up, app), dict[tuple[str, str], Running]()
    for transport in TRANSPORTS:
        for name, verbs in (CALLERS | CALLED).items():
            begin = stage.calls if name in CALLERS else stage.is_called
            going[name, transport] = begin(Run(name, transport=transport, seconds=50), verbs)
    bad = Run("", calls=CALLS, rate=10, lost=BAD_LINE, seconds=50)
    going["uac_hang_up", "u1"] = stage.calls(replace(bad, scenario="uac_hang_up"), LONG)
    going["uas_bad_line", "u1"] = stage.is_called(replace(bad, scenario="uas_bad_line"), LONG)
    yield going
    for each in going.values():
        each.stop()


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", sorted(CALLERS | CALLED, key="uac_no_ack".__eq__))
def test_a_dialogue(
    up: Up, going: dict[tuple[str, str], Running], scenario: str, transport: str
) -> None:
    done = going[scenario, transport].wait()
    assert (done.successful, done.failed) == (1, 0), done.output


@pytest.mark.parametrize("scenario", ["uac_hang_up", "uas_bad_line"])
def test_every_message_is_repeated_until_it_gets_through(
    going: dict[tuple[str, str], Running], scenario: str
) -> None:
    done = going[scenario, "u1"].wait()
    assert (done.successful, done.failed) == (CALLS, 0), done.output
    assert done.retransmissions > 0


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_application_of_a_referred_caller_is_told(
    going: dict[tuple[str, str], Running], app: Application, transport: str
) -> None:
    going["uac_is_referred", transport].wait()
    told = app.gets("/referred", times=2).params
    assert told["ReferCallStatus"] == "in-progress"
    assert (told["ReferSipResponseCode"], told["NotifySipResponseCode"]) == ("202", "200")


def test_the_application_is_asked_for_a_caller_whom_the_called_party_hands_on(
    going: dict[tuple[str, str], Running], app: Application
) -> None:
    for transport in TRANSPORTS:
        going["uas_refers", transport].wait()
    assert app.gets("/refer", times=2).params["ReferTransferTarget"] == "sip:carol@desk.test"


def test_no_call_is_left_behind(going: dict[tuple[str, str], Running], app: Application) -> None:
    for each in going.values():
        each.wait()
    app.gets("/status", times=len(TRANSPORTS) * len(CALLERS | CALLED) + 2 * CALLS)
    told = app.asked("/status")
    assert len({each.params["CallSid"] for each in told}) == len(told)
    unanswered = [each.params["To"] for each in told if each.params["CallStatus"] != "completed"]
    assert len(unanswered) == 2 * len(TRANSPORTS)  # without ACK, and answered although cancelled
