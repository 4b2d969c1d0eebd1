"""`offhook lint`: a document's problems by file, line and column."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import Offhook
from served import Application, response, serving

GOOD = '<Response>\n  <Say voice="alice">Hello</Say>\n</Response>\n'
BAD = """<Response>
  <Say>Hello</Say>
  <Gathr numDigits="1"/>
  <Say langage="en">Bye</Say>
</Response>
"""
BROKEN = "<Response>\n  <Say>Hello\n</Response>\n"


def test_a_good_document_has_no_problems(offhook: Offhook, tmp_path: Path) -> None:
    file = tmp_path / "good.xml"
    file.write_text(GOOD)
    ran = offhook("lint", str(file))
    assert (ran.code, ran.out, ran.err) == (0, "", f"{file}: no problems\n")


def test_problems_are_named_by_place_with_a_suggestion(offhook: Offhook, tmp_path: Path) -> None:
    file = tmp_path / "bad.xml"
    file.write_text(BAD)
    ran = offhook("lint", str(file))
    verb, attribute = ran.out.splitlines()
    assert verb.startswith(f"{file}:3:3 12200 ")
    assert "Gather" in verb
    assert attribute.startswith(f"{file}:4:3 12200 ")
    assert "language" in attribute


def test_what_cannot_be_read_is_an_error(offhook: Offhook) -> None:
    ran = offhook("lint", "-", typed=BROKEN)
    assert ran.code == 1
    assert ran.out.startswith("<stdin>:3:")
    assert " 12100 " in ran.out


def test_the_channel_is_told_from_the_content_or_by_the_operator(offhook: Offhook) -> None:
    text = "<Response><Message>Hello</Message><Say>Hello</Say></Response>"
    assert offhook("lint", "-", typed=text).out == ""
    told = offhook("lint", "-", "--channel", "messaging", typed=text).out
    assert told == "<stdin>:1:35 14110 <Say> may not stand in <Response>\n"


def test_a_document_may_be_at_a_url(offhook: Offhook) -> None:
    with serving(Application({"/voice": response("<Sya>Hello</Sya>")})) as app:
        ran = offhook("lint", f"{app.url}/voice")
        assert ran.out.startswith(f"{app.url}/voice:1:11 12200 ")
    gone = offhook("lint", f"{app.url}/voice")
    assert gone.code == 2
    assert gone.err.startswith(f"offhook: {app.url}/voice cannot be read: ")
    assert gone.err.count("\n") == 1


@pytest.mark.parametrize("source", ["missing.xml", "/"])
def test_a_file_that_cannot_be_read(offhook: Offhook, source: str) -> None:
    ran = offhook("lint", source)
    assert ran.code == 2
    assert ran.err.startswith(f"offhook: {source} cannot be read: ")
    assert ran.err.count("\n") == 1
