"""A phone in a browser that is not ours: JsSIP in Chromium, on the page of docs/browsers.md."""

from __future__ import annotations

import re
import subprocess
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Page, chromium, shown
from peers import free_port, needs
from served import Application, Up, environment, response, serving
from test_baresip import ANSWER, QUESTION, sound_of

from offhook.cli.ear import ENOUGH, share_heard

pytestmark = pytest.mark.interop

PAGE = Path(__file__).parents[2] / "docs" / "browsers.md"
LIBRARIES = ("jssip@3.13.8", "esbuild@0.28.2")
DOMAIN, PASSWORD = "phones.example.org", "Correct-Horse-1"
AS_IT_IS = "{ echoCancellation: false, noiseSuppression: false, autoGainControl: false }"
ALICE = f"sip:alice@{DOMAIN}"
ANEW = "{ rtcOfferConstraints: { iceRestart: true } }"
PARROT = "+15550100177"
ECHO = {"OFFHOOK_SIMULATED__NUMBERS": f'{{"{PARROT}": "echo"}}'}
OPUS_ALONE = """{
  const add = RTCPeerConnection.prototype.addTrack;
  RTCPeerConnection.prototype.addTrack = function (...given) {
    RTCPeerConnection.prototype.addTrack = add;
    const sender = this.addTrack(...given);
    const { codecs } = RTCRtpReceiver.getCapabilities("audio");
    const kept = codecs.filter(({ mimeType }) => /opus|telephone-event/.test(mimeType));
    this.getTransceivers()[0].setCodecPreferences(kept);
    return sender;
  };
}"""
CODEC = """call.connection.getStats().then((stats) => {
  const [inbound] = [...stats.values()].filter(({ type }) => type === "inbound-rtp");
  return stats.get(inbound.codecId).mimeType;
})"""


@pytest.fixture(scope="module")
def wss_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, wss_port: int) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("web") / "data"
    with Up(data, env=environment(OFFHOOK_SIP_WSS=f"127.0.0.1:{wss_port}", **ECHO)) as program:
        yield program


@pytest.fixture(scope="module")
def app(web: Up) -> Iterator[Application]:
    """It answers the calls of the domain, which is made as the page says."""
    with serving(Application({})) as application:
        needs("curl")
        [script] = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
        given = environment(
            TWILIO_ACCOUNT_SID=web.account_sid, TWILIO_AUTH_TOKEN=web.auth_token,
            PASSWORD=PASSWORD, VOICE_URL=f"{application.url}/voice",
        )  # fmt: skip
        script = script.replace("http://127.0.0.1:8080", web.api)
        command = ["bash", "-euo", "pipefail", "-c", script]
        ran = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        yield application


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page as it is printed, beside the library as it is built there."""
    needs("npm")
    folder = tmp_path_factory.mktemp("site")
    text = PAGE.read_text()
    [page] = re.findall(r"```html\n(.*?)```", text, re.DOTALL)
    [build] = re.findall(r"\$ (npx esbuild .*)", text)
    (folder / "index.html").write_text(page)
    (folder / "package.json").write_text("{}")
    commands = [["npm", "install", "--no-audit", "--no-fund", *LIBRARIES], build.split()]
    for command in commands:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stderr
    with shown(folder) as url:
        yield url


@pytest.fixture(scope="module")
def phone(
    web: Up, site: str, app: Application, wss_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The page, registered; its user says QUESTION all over again."""
    needs("chromium")
    folder = tmp_path_factory.mktemp("chromium")
    with wave.open(str(folder / "microphone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound_of(QUESTION, web) + bytes(8000))
    with chromium(folder / "profile", site, folder / "microphone.wav") as page:
        page.fills(server=f"wss://127.0.0.1:{wss_port}", address=ALICE, password=PASSWORD)
        page.runs(f"microphone.mediaConstraints.audio = {AS_IT_IS}")
        page.clicks("register")
        page.says("Registered")
        yield page


def recorded(web: Up, sid: str) -> bytes:
    """The call's one recording, without its header."""
    [recording] = web.get(f"Calls/{sid}/Recordings.json")["recordings"]
    place = f"{web.api}/2010-04-01/Accounts/{web.account_sid}/Recordings/{recording['sid']}.wav"
    with urllib.request.urlopen(place) as file:
        return bytes(file.read()[44:])


def codec(phone: Page) -> str:
    """What the page hears at present."""
    return str(phone.runs(CODEC))


def test_the_page_calls_in_opus_hears_presses_keys_and_is_hung_up(
    web: Up, app: Application, phone: Page
) -> None:
    phone.runs(OPUS_ALONE)
    app.answers["/voice"] = response(
        "<Pause length='2'/><Gather action='/keys' numDigits='2' timeout='20'>",
        f"<Say>{ANSWER}</Say></Gather>",
    )
    app.answers["/keys"] = response("<Hangup/>")
    phone.clicks("dial")
    phone.says("Talking")
    phone.listens()
    heard = phone.hears(6)
    assert codec(phone) == "audio/opus"
    phone.fills(keys="76")
    phone.clicks("press")
    asked = app.gets("/keys").params
    phone.says("They hung up")
    assert (asked["From"], asked["To"]) == (ALICE, f"sip:hello@{DOMAIN}")
    assert asked["Digits"] == "76"
    assert share_heard(heard, sound_of(ANSWER, web)) > ENOUGH
    assert share_heard(heard, sound_of(QUESTION, web)) < 0.2


def test_the_page_is_called_is_heard_holds_and_hangs_up(
    web: Up, app: Application, phone: Page
) -> None:
    app.answers["/out"] = response(
        "<Record maxLength='5' timeout='0' playBeep='false' action='/then'/>"
    )
    app.answers["/then"] = response(f"<Pause length='2'/><Say>{ANSWER}</Say><Pause length='60'/>")
    made = web.post("Calls.json", To=ALICE, From=web.demo, Url=f"{app.url}/out")
    phone.says(f"{web.demo} is calling")
    phone.clicks("answer")
    phone.says("Talking")
    app.gets("/then", CallSid=made["sid"])
    phone.clicks("hold")
    phone.until("call.isOnHold().local")
    phone.clicks("resume")
    phone.until("!call.isOnHold().local")
    phone.runs(f"new Promise((resolve) => call.renegotiate({ANEW}, resolve))")
    phone.listens()
    heard = phone.hears(6)
    assert codec(phone) == "audio/PCMU"
    phone.clicks("hang-up")
    phone.says("Over")
    assert share_heard(heard, sound_of(ANSWER, web)) > ENOUGH
    assert share_heard(recorded(web, made["sid"]), sound_of(QUESTION, web)) > ENOUGH
    assert web.call(made["sid"])["status"] == "completed"


def test_the_page_is_put_through_and_its_words_come_back(
    web: Up, app: Application, phone: Page
) -> None:
    app.answers["/through"] = response(f"<Dial><Sip>{ALICE}</Sip></Dial>")
    made = web.post("Calls.json", To=PARROT, From=web.demo, Url=f"{app.url}/through")
    phone.until("document.getElementById('state').textContent.endsWith('is calling')")
    phone.clicks("answer")
    phone.says("Talking")
    phone.listens()
    assert share_heard(phone.hears(6), sound_of(QUESTION, web)) > ENOUGH
    web.post(f"Calls/{made['sid']}.json", Status="completed")
    phone.says("They hung up")


def test_a_page_that_was_left_is_not_there_any_more(
    web: Up, app: Application, phone: Page, site: str
) -> None:
    phone.opens(site)
    app.answers["/status"] = ""
    callback = {"StatusCallback": f"{app.url}/status", "StatusCallbackEvent": "completed"}
    made = web.post("Calls.json", To=ALICE, From=web.demo, Url=f"{app.url}/out", **callback)
    told = app.gets("/status", CallSid=made["sid"]).params
    assert (told["CallStatus"], told["SipResponseCode"]) == ("no-answer", "480")
