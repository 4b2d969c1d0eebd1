"""Kamailio in front of the platform: dialogs, registrations and calls out go by it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from baresip import Baresip
from kamailio import Kamailio, Ports, modules_folder
from peers import free_port, needs
from served import Application, Up, response, serving
from sipp import Run
from test_baresip import ANSWER, sound_of

from offhook.cli.ear import share_heard

pytestmark = pytest.mark.interop

FORKED, BEHIND = "+15550100399", "+15550100398"
SETTINGS = """
sip_proxies = ["127.0.0.1"]

[[trunk]]
name = "in-front"
address = "127.0.0.1:{ports.own}"
prefixes = ["{forked}"]

[[trunk]]
name = "behind"
address = "127.0.0.1:{ports.two}"
proxy = "127.0.0.1:{ports.own}"
prefixes = ["{behind}"]
watch = 0
"""
DOMAIN = "front.sip.twilio.com"


@pytest.fixture(scope="module")
def ports() -> Ports:
    return Ports(free_port(), free_port(), free_port(), free_port())


@pytest.fixture(scope="module")
def proxy(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    needs("kamailio")
    with Kamailio(tmp_path_factory.mktemp("kamailio"), ports) as program:
        yield program


@pytest.fixture(scope="module")
def node(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("behind")
    settings = folder / "offhook.toml"
    settings.write_text(SETTINGS.format(ports=ports, forked=FORKED, behind=BEHIND))
    listens = ("--http", "127.0.0.1:0", "--sip", f"127.0.0.1:{ports.node}")
    with Up(folder / "data", "--config", str(settings), ports=listens) as program:
        yield program


def test_a_call_in_is_heard_and_ended_through_it(
    node: Up, proxy: Kamailio, ports: Ports, tmp_path: Path
) -> None:
    """The node that it prefers is dead: the dispatcher goes on to the next."""
    needs("baresip")
    app = Application({"/voice": response(f"<Say>{ANSWER}</Say><Hangup/>")})
    with serving(app), Baresip(tmp_path) as phone:
        node.number("+15550100380", VoiceUrl=f"{app.url}/voice")
        phone.dial(f"sip:+15550100380@127.0.0.1:{ports.own}")
        phone.until("CALL_ESTABLISHED")
        phone.until("CALL_CLOSED")
        heard = phone.heard()
        asked = app.gets("/voice").params
    assert (asked["From"], asked["To"]) == (phone.uri, "+15550100380")
    assert share_heard(heard, sound_of(ANSWER, node)) > 0.9
    assert ports.node in proxy.passed("BYE")


@pytest.mark.parametrize(
    ("scenario", "transport"),
    [
        ("uac_prack_update_hold", "u1"),
        ("uac_prack_update_hold", "t1"),
        ("uac_session_timer", "u1"),
        ("uac_refer_declined", "u1"),
    ],
)
def test_what_happens_in_a_dialog_goes_through_it(
    node: Up, proxy: Kamailio, ports: Ports, scenario: str, transport: str
) -> None:
    """PRACK, UPDATE, hold, resume, refreshes of ours, transfers, BYE; over TCP on one side only."""
    needs("sipp")
    number = f"+155501003{50 + len(scenario) + (transport == 't1')}"
    verbs = "<Pause length='1'/><Play digits='ww1wwwwwwwwwwwwwwwwwwww1'/>"
    app = Application({"/voice": response(verbs)})
    with serving(app):
        node.number(number, VoiceUrl=f"{app.url}/voice", StatusCallback=f"{app.url}/status")
        run = Run(scenario, transport=transport, seconds=20)
        done = run.call("127.0.0.1", ports.own, number)
        assert (done.successful, done.failed) == (1, 0), (done.output, proxy.err.text)
        app.gets("/status", CallStatus="completed")


def test_whom_it_passes_on_is_whom_a_call_is_from(node: Up, proxy: Kamailio, ports: Ports) -> None:
    needs("sipp")
    app = Application({"/voice": response("<Play digits='1'/>")})
    with serving(app):
        node.number("+15550100383", VoiceUrl=f"{app.url}/voice")
        run = Run("uac_short_call", local_ip="127.0.0.2", seconds=20)
        done = run.call("127.0.0.1", ports.own, "+15550100383")
        assert (done.successful, done.failed) == (1, 0), (done.output, proxy.err.text)
        assert app.gets("/voice").params["SipSourceIp"] == "127.0.0.2"


def test_the_configuration_that_the_documentation_shows_is_understood(tmp_path: Path) -> None:
    needs("kamailio")
    page = (Path(__file__).parents[2] / "docs" / "trunks.md").read_text("utf-8")
    [shown] = re.findall(r"```\n(#!KAMAILIO.*?)```", page, re.DOTALL)
    file = tmp_path / "kamailio.cfg"
    file.write_text(shown.replace("loadmodule", f'mpath="{modules_folder()}"\nloadmodule', 1))
    command = ["kamailio", "-c", "-f", str(file), "-Y", str(tmp_path)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert checked.returncode == 0, checked.stderr


def test_a_call_out_forks_and_the_one_who_answers_has_it(
    node: Up, proxy: Kamailio, ports: Ports
) -> None:
    needs("sipp")
    rings = Run("uas_no_answer", local_port=ports.one, seconds=20).listen()
    answers = Run("uas_answer", local_port=ports.two, seconds=20).listen()
    app = Application({"/voice": response("<Pause length='1'/>")})
    before = len(proxy.passed("BYE"))
    with serving(app):
        made = node.post(
            "Calls.json", To=FORKED, From=node.demo, Url=f"{app.url}/voice",
            StatusCallback=f"{app.url}/status",
        )  # fmt: skip
        answered, rang = answers.wait(), rings.wait()
        app.gets("/status", CallStatus="completed")
    assert (answered.successful, answered.failed) == (1, 0), answered.output
    assert (rang.successful, rang.failed) == (1, 0), rang.output
    assert node.call(made["sid"])["status"] == "completed"
    assert proxy.passed("BYE")[before:] == [ports.node]


def test_a_trunk_behind_it_is_reached_by_it(node: Up, proxy: Kamailio, ports: Ports) -> None:
    """An outbound proxy: the first hop is its, the Request-URI the trunk's."""
    needs("sipp")
    there = Run("uas_answer", local_port=ports.two, seconds=20).listen()
    app = Application({"/voice": response("<Pause length='1'/>")})
    before = len(proxy.passed("BYE"))
    with serving(app):
        made = node.post("Calls.json", To=BEHIND, From=node.demo, Url=f"{app.url}/voice")
        done = there.wait()
    assert (done.successful, done.failed) == (1, 0), (done.output, proxy.err.text)
    assert node.call(made["sid"])["status"] == "completed"
    assert proxy.passed("BYE")[before:] == [ports.node]


def test_a_phone_that_registers_through_it_is_called_through_it(
    node: Up, proxy: Kamailio, ports: Ports, tmp_path: Path
) -> None:
    """RFC 3327: the Path that it added is the Route of our INVITE."""
    needs("baresip")
    app = Application({"/voice": response(f"<Say>{ANSWER}</Say><Redirect>/said</Redirect>"),
                       "/said": response("<Pause length='60'/>")})  # fmt: skip
    domain = node.post("SIP/Domains.json", DomainName=DOMAIN, SipRegistration="true")
    users = node.post("SIP/CredentialLists.json", FriendlyName="users")["sid"]
    path = f"SIP/CredentialLists/{users}/Credentials.json"
    node.post(path, Username="alice", Password="Correct-Horse-1")
    path = f"SIP/Domains/{domain['sid']}/Auth/Registrations/CredentialListMappings.json"
    node.post(path, CredentialListSid=users)
    account = (
        f'auth_pass=Correct-Horse-1;outbound="sip:127.0.0.1:{ports.own}";regint=600;'
        "answermode=auto;audio_codecs=PCMU"
    )
    before = len(proxy.passed("BYE"))
    with serving(app), Baresip(tmp_path, account, aor=f"alice@{DOMAIN}") as phone:
        phone.until("REGISTER_OK")
        made = node.post(
            "Calls.json", To=f"sip:alice@{DOMAIN}", From=node.demo, Url=f"{app.url}/voice",
            StatusCallback=f"{app.url}/status",
        )  # fmt: skip
        phone.until("CALL_ESTABLISHED")
        app.gets("/said")
        phone.hang_up()
        phone.until("CALL_CLOSED")
        app.gets("/status", CallStatus="completed")
        heard = phone.heard()
    assert node.call(made["sid"])["status"] == "completed"
    assert share_heard(heard, sound_of(ANSWER, node)) > 0.9
    assert len(proxy.passed("BYE")) > before
