"""Reference page Say: the table of SSML elements."""

from __future__ import annotations

import pytest

from offhook.errors import SpeechError
from offhook.speech.ssml import Tag, read, text_of


def test_documented_elements_are_kept_with_their_documented_attributes() -> None:
    assert read('a<break time="1s" onclick="x"/>b') == ["a", Tag("break", {"time": "1s"}), "b"]


@pytest.mark.parametrize(
    "stranger", ["<audio src='file:///etc/passwd'>hello</audio>", "<voice name='x'>hello</voice>",
                 "<speak>hello</speak>", "<amazon:effect name='whispered'>hello</amazon:effect>"],
)  # fmt: skip
def test_other_elements_are_stripped_and_their_text_is_kept(stranger: str) -> None:
    assert read(f"well, {stranger} there") == ["well, ", "hello", " there"]


def test_documented_elements_inside_stripped_ones_are_kept() -> None:
    assert read("<x><s>a</s></x>b") == [Tag("s", {}, ["a"]), "b"]


def test_the_words_alone_can_be_had() -> None:
    assert text_of(read("<p>One <emphasis>two</emphasis></p> &amp; three")) == "One two & three"


def test_absurd_depth_is_flattened() -> None:
    assert text_of(read("<s>" * 5000 + "deep" + "</s>" * 5000)) == "deep"


@pytest.mark.parametrize(
    "broken",
    ["<s>a", "a</speak><speak>b", "<!DOCTYPE x>a", "&undefined;", "<s/", "a & b"],
)
def test_what_is_not_well_formed_is_refused(broken: str) -> None:
    with pytest.raises(SpeechError) as refused:
        read(broken)
    assert refused.value.code == 13520
