"""linphone and baresip as docs/sip-phones.md sets them up: TLS and SRTP, registered, both ways.

What they hear, and what is recorded of what they say, is compared with what was said.
"""

from __future__ import annotations

import io
import re
import subprocess
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from baresip import Baresip, modules_folder
from linphone import Linphone
from peers import free_port, needs, needs_file
from served import Answer, Application, Asked, Up, environment, response, serving
from test_baresip import sound_of

from offhook.cli.ear import share_heard

pytestmark = pytest.mark.interop

Phone = Linphone | Baresip
HEARD = 0.5  # of the pieces: a busy machine drops some, and what was never said has none
AT_ALL = 0.1  # of them, where a busy phone's clock jumps by 10 ms within most
PAGE, DOMAIN = Path(__file__).parents[2] / "docs" / "sip-phones.md", "phones.example.org"
FIRST = "Good morning, this is the first thing that you hear."
SECOND = "The line was silent for you while this was said to nobody."
THIRD = "Welcome back, and thank you for your patience."


class Desk:
    """A platform with a domain: alice has linphone, bob has baresip."""

    def __init__(self, up: Up, port: int, folder: Path) -> None:
        self.up, self._port, self._folder = up, port, folder
        needs("curl")
        given = environment(
            TWILIO_ACCOUNT_SID=up.account_sid, TWILIO_AUTH_TOKEN=up.auth_token,
            VOICE_URL="http://127.0.0.1:9/voice",
        )  # fmt: skip
        command = ["bash", "-euo", "pipefail", "-c", self.printed("sh")]
        ran = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        [domain] = up.get("SIP/Domains.json")["domains"]
        self._domain = f"SIP/Domains/{domain['sid']}"

    def printed(self, kind: str) -> str:
        """A block of the page, with the places where this platform is."""
        [block] = re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)
        there = block.replace("http://127.0.0.1:8080", self.up.api)
        return there.replace("127.0.0.1:5061", f"127.0.0.1:{self._port}")

    def answers(self, app: Application) -> None:
        """The application of calls to the domain."""
        self.up.post(f"{self._domain}.json", VoiceUrl=f"{app.url}/voice")

    def said(self, text: str) -> bytes:
        return sound_of(text, self.up)

    def file(self, text: str) -> Path:
        path = self._folder / "says.wav"
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 8000, 0, "NONE", ""))
            file.writeframes(self.said(text))
        return path


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    port, folder = free_port(), tmp_path_factory.mktemp("desk")
    settings = {"OFFHOOK_SIP_TLS": f"127.0.0.1:{port}", "OFFHOOK_SIP_VERIFY": "false"}
    with Up(folder / "data", env=environment(**settings)) as up:
        yield Desk(up, port, folder)


@pytest.fixture
def alice(desk: Desk, tmp_path: Path) -> Iterator[Linphone]:
    needs("linphonec")
    says, uri = desk.file(THIRD), f"sip:alice@{DOMAIN}"
    with Linphone(tmp_path / "alice", desk.printed("ini"), uri, says) as phone:
        yield phone


@pytest.fixture
def bob(desk: Desk, tmp_path: Path) -> Iterator[Baresip]:
    needs("baresip")
    needs_file(modules_folder() / "srtp.so")
    (tmp_path / "bob").mkdir()
    aor, _, account = desk.printed("text").strip().removeprefix("<sip:").partition(">;")
    account += ";answermode=auto;audio_codecs=PCMU"
    says = 20 * desk.said(THIRD)
    with Baresip(tmp_path / "bob", account, ("srtp.so",), aor=aor, says=says) as phone:
        phone.until("REGISTER_OK")
        yield phone


@pytest.fixture(params=["alice", "bob"])
def phone(request: pytest.FixtureRequest) -> Phone:
    found: Phone = request.getfixturevalue(request.param)
    return found


def recorded(app: Application, path: str) -> bytes:
    """The sound of the recording that an action was told of."""
    with urllib.request.urlopen(f"{app.gets(path).params['RecordingUrl']}.wav") as answer:
        body = answer.read()
    with wave.open(io.BytesIO(body)) as file:
        return file.readframes(file.getnframes())


LISTEN = "<Record action='/done' maxLength='6' playBeep='false'/>"
TALK = f"<Say>{FIRST}</Say>{LISTEN}"


def test_it_calls_hears_and_is_heard(desk: Desk, phone: Phone) -> None:
    app = Application({"/voice": response(TALK)})
    with serving(app):
        desk.answers(app)
        phone.dial(f"sip:100@{DOMAIN}")
        phone.talks()
        said = recorded(app, "/done")
        phone.parts()
    asked = app.gets("/voice").params
    assert (asked["From"], asked["To"]) == (phone.uri, f"sip:100@{DOMAIN}")
    assert share_heard(phone.heard(), desk.said(FIRST)) > HEARD
    assert share_heard(said, desk.said(THIRD)) > HEARD


def test_it_is_called_hears_and_is_heard(desk: Desk, phone: Phone) -> None:
    app = Application({"/voice": response(TALK)})
    with serving(app):
        made = desk.up.post("Calls.json", To=phone.uri, From=desk.up.demo, Url=f"{app.url}/voice")
        phone.talks()
        said = recorded(app, "/done")
        phone.parts()
    assert share_heard(phone.heard(), desk.said(FIRST)) > HEARD
    assert share_heard(said, desk.said(THIRD)) > HEARD
    assert desk.up.call(made["sid"])["status"] == "completed"


def calls_and_holds(desk: Desk, phone: Phone, *verbs: str) -> None:
    """It calls, hears the first of the verbs, is on hold for the second, back for the third, and
    is heard again after that."""
    first, second, third = verbs
    app = Application(
        {
            "/voice": response(f"{first}<Redirect>/second</Redirect>"),
            "/second": response(f"{second}<Redirect>/third</Redirect>"),
            "/third": response(f"<Play digits='w'/>{third}{LISTEN}"),
        }
    )
    app.hold("/second")
    app.hold("/third")
    with serving(app):
        desk.answers(app)
        phone.dial(f"sip:100@{DOMAIN}")
        app.gets("/second")
        phone.hold()
        app.release("/second")
        app.gets("/third")
        phone.resume()
        app.release("/third")
        said = recorded(app, "/done")
        phone.parts()
    assert share_heard(said, desk.said(THIRD)) > AT_ALL


def test_linphone_on_hold_hears_nothing_until_it_resumes(desk: Desk, alice: Linphone) -> None:
    said = [f"<Say>{text}</Say>" for text in (FIRST, SECOND, THIRD)]
    calls_and_holds(desk, alice, *said)
    heard = alice.heard()
    assert share_heard(heard, desk.said(FIRST)) > HEARD
    assert share_heard(heard, desk.said(SECOND)) < 0.3
    assert share_heard(heard, desk.said(THIRD)) > HEARD


def test_baresip_on_hold_hears_nothing_until_it_resumes(desk: Desk, bob: Baresip) -> None:
    """By keys: baresip records no further than to its first hold."""
    calls_and_holds(desk, bob, *[f"<Play digits='{key}'/>" for key in "123"])
    heard = [key for key in "123" if f"received event: '{key}'" in bob.out.text]
    assert heard == ["1", "3"]


@pytest.mark.parametrize("which", ["called", "calling"])
def test_one_transfers_the_other(desk: Desk, alice: Linphone, bob: Baresip, which: str) -> None:
    """bob calls alice; whoever is asked about, in the end, is the one who stays."""
    told = "statusCallback='/up' statusCallbackEvent='answered'"
    dial = f"<Dial referUrl='/refer'><Sip {told}>{alice.uri}</Sip></Dial>"
    moved = response(f"<Play digits='w'/><Say>{FIRST}</Say><Hangup/>")
    app = Application({"/voice": response(dial), "/refer": moved})
    goes, stays = (alice, bob) if which == "called" else (bob, alice)
    with serving(app):
        desk.answers(app)
        bob.dial(f"sip:200@{DOMAIN}")
        bob.talks()
        alice.talks()
        app.gets("/up")
        goes.transfer(f"sip:300@{DOMAIN}")
        goes.parts()
        stays.parts()
    asked = app.gets("/refer").params
    assert asked["ReferTransferTarget"].startswith(f"sip:300@{DOMAIN}")
    assert asked["From" if which == "called" else "To"].startswith(stays.uri)
    assert share_heard(stays.heard(), desk.said(FIRST)) > HEARD


def test_linphone_connects_its_two_calls(desk: Desk, alice: Linphone, bob: Baresip) -> None:
    """bob called her, and she called 300 meanwhile (RFC 3891): in the end bob talks to 300."""
    dial = response(f"<Dial referUrl='/refer'><Sip>{alice.uri}</Sip></Dial>")
    there = response("<Play digits='w'/><Redirect>/there</Redirect>")
    spoken = response(f"<Say>{FIRST}</Say><Hangup/>")
    to = f"sip:300@{DOMAIN}"

    def voice(asked: Asked) -> str:
        return there if asked.params["To"] == to else dial

    def refer(asked: Asked) -> str:
        target = asked.params["ReferTransferTarget"]
        return response(f"<Dial><Sip>{escape(target)}</Sip></Dial>")

    app = Application({"/voice": voice, "/refer": refer, "/there": spoken})
    app.hold("/there")
    with serving(app):
        desk.answers(app)
        bob.dial(f"sip:200@{DOMAIN}")
        bob.talks()
        alice.talks()
        alice.hold()
        alice.dial(to)
        app.gets("/there")
        alice.talks()
        alice.connects(1, 2)
        asked = app.gets("/refer").params
        alice.parts()
        alice.parts()
        app.release("/there")
        bob.parts()
    assert asked["ReferTransferTarget"].startswith(f"{to}?Replaces=")
    assert share_heard(bob.heard(), desk.said(FIRST)) > HEARD


def test_it_goes_where_refer_sends_it(desk: Desk, alice: Linphone) -> None:
    first = response(f"<Refer action='/referred'><Sip>sip:300@{DOMAIN}</Sip></Refer>")
    there = response(f"<Play digits='w'/><Say>{FIRST}</Say><Hangup/>")
    to = f"sip:300@{DOMAIN}"
    voice: Answer = lambda asked: there if asked.params["To"] == to else first  # noqa: E731
    app = Application({"/voice": voice, "/referred": response()})
    with serving(app):
        desk.answers(app)
        alice.dial(f"sip:100@{DOMAIN}")
        told = app.gets("/referred").params
        alice.parts()
        app.gets("/voice", To=to)
        alice.parts()
    assert (told["ReferSipResponseCode"], told["NotifySipResponseCode"]) == ("202", "200")
    assert told["ReferCallStatus"] == "in-progress"
    assert share_heard(alice.heard(), desk.said(FIRST)) > 0.3  # both its calls write one file
