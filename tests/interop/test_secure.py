"""A softphone that is not ours, over TLS and SRTP, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from baresip import Baresip, modules_folder
from peers import free_port, needs, needs_file
from served import Application, Up, environment, response, serving
from test_baresip import ANSWER, sound_of

from offhook.carriers.sip_certificate import development_certificate
from offhook.cli.ear import share_heard

pytestmark = pytest.mark.interop

SEALED = "audio_codecs=PCMU;mediaenc=srtp-mand"


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory, tls_port: int) -> Iterator[Up]:
    """With a TLS port, and its development certificate."""
    settings = {"OFFHOOK_SIP_TLS": f"127.0.0.1:{tls_port}", "OFFHOOK_SIP_VERIFY": "false"}
    data = tmp_path_factory.mktemp("secure") / "data"
    with Up(data, env=environment(**settings)) as program:
        yield program


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Baresip]:
    needs("baresip")
    needs_file(modules_folder() / "srtp.so")
    certificate, key = development_certificate(tmp_path, ("127.0.0.1",), datetime.now(UTC))
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    with Baresip(tmp_path, SEALED, ("srtp.so",), both) as softphone:
        yield softphone


def test_it_calls_in_and_hears_what_nobody_else_can(
    secure: Up, tls_port: int, phone: Baresip
) -> None:
    app = Application({"/voice": response(f"<Say>{ANSWER}</Say><Hangup/>")})
    with serving(app):
        secure.number("+15550100302", VoiceUrl=f"{app.url}/voice")
        phone.dial(f"sip:+15550100302@127.0.0.1:{tls_port};transport=tls")
        phone.until("CALL_ESTABLISHED")
        phone.until("CALL_CLOSED")
        heard = phone.heard()
    assert share_heard(heard, sound_of(ANSWER, secure)) > 0.9


def test_it_is_called_with_secure_true(secure: Up, phone: Baresip) -> None:
    app = Application({"/voice": response(f"<Say>{ANSWER}</Say><Hangup/>")})
    with serving(app):
        made = secure.post(
            "Calls.json", To=f"{phone.uri};secure=true", From=secure.demo, Url=f"{app.url}/voice"
        )
        phone.until("CALL_ESTABLISHED")
        phone.until("CALL_CLOSED")
        heard = phone.heard()
    assert share_heard(heard, sound_of(ANSWER, secure)) > 0.9
    assert secure.call(made["sid"])["status"] == "completed"
