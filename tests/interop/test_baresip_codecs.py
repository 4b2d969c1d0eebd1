"""A softphone that speaks no G.711, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
from baresip import Baresip, modules_folder
from peers import needs, needs_file
from served import Application, Up, response, serving
from test_baresip import ANSWER, sound_of

from offhook.cli.ear import share_heard

pytestmark = pytest.mark.interop

CODECS = [("G722/16000/1", "g722.so", "+15550100303"), ("opus/48000/2", "opus.so", "+15550100304")]


@pytest.mark.parametrize(("codec", "module", "number"), CODECS)
def test_it_calls_in_and_hears_the_application(
    codec: str, module: str, number: str, up: Up, tmp_path: Path
) -> None:
    needs("baresip")
    needs_file(modules_folder() / module)
    app = Application(
        {
            "/voice": response(
                f"<Say>{ANSWER}</Say><Gather action='/key' numDigits='2' timeout='20'/>"
            ),
            "/key": response("<Hangup/>"),
        }
    )
    with serving(app):
        up.number(number, VoiceUrl=f"{app.url}/voice")
        with Baresip(tmp_path, f"audio_codecs={codec}", (module,)) as phone:
            phone.dial(f"sip:{number}@{up.sip}")
            phone.until("CALL_ESTABLISHED")
            phone.listens(6)
            phone.press("76")
            phone.until("CALL_CLOSED")
            heard = phone.heard()
    assert app.gets("/key").params["Digits"] == "76"
    assert len(heard) > 0
    assert share_heard(heard, sound_of(ANSWER, up)) > 0.8
