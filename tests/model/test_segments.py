"""Encoding and segments.  reference: messaging section 8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.model.segments import segment, smart_encoded, utf16_units


@pytest.mark.parametrize(
    ("body", "encoding", "count"),
    [
        ("a" * 160, "GSM-7", 1), ("a" * 161, "GSM-7", 2), ("a" * 306, "GSM-7", 2),
        ("a" * 307, "GSM-7", 3), ("a" * 158 + "€", "GSM-7", 1), ("a" * 159 + "€", "GSM-7", 2),
        ("a" * 152 + "€" + "a" * 8, "GSM-7", 2), ("a" * 152 + "€" + "a" * 152, "GSM-7", 3),
        ("é" * 70, "GSM-7", 1), ("ç" * 70, "UCS-2", 1), ("ç" * 71, "UCS-2", 2),
        ("ç" * 134, "UCS-2", 2), ("ç" * 135, "UCS-2", 3), ("😀" * 35, "UCS-2", 1),
        ("😀" * 36, "UCS-2", 2), ("ç" * 66 + "😀" + "ç" * 4, "UCS-2", 2),
        ("😀" * 67, "UCS-2", 3), ("", "GSM-7", 1),
    ],
)  # fmt: skip
def test_the_vectors(body: str, encoding: str, count: int):
    segmented = segment(body)
    assert (segmented.encoding, segmented.count) == (encoding, count)


@pytest.mark.parametrize(("body", "units"), [("a€", 3), ("^{}\\[~]|\f", 18), ("ç€", 2), ("😀", 2)])
def test_units_are_septets_or_utf_16(body: str, units: int):
    assert segment(body).units == units


@pytest.mark.parametrize("body", ["`", "ç", "“", "\x1b", "\t", "я"])
def test_what_gsm_does_not_have_needs_ucs_2(body: str):
    assert segment(body).encoding == "UCS-2"


def test_an_escape_pair_moves_to_the_next_part_as_a_whole():
    assert segment("a" * 152 + "€" + "a" * 8).parts == ("a" * 152, "€" + "a" * 8)


@given(st.text(alphabet="a€ç😀\n", max_size=700))
def test_parts_are_the_text_and_each_fits(body: str):
    segmented = segment(body)
    limits = {"GSM-7": (160, 153), "UCS-2": (70, 67)}[segmented.encoding]
    limit = limits[segmented.count > 1]
    assert "".join(segmented.parts) == body
    assert all(segment_units(part, segmented.encoding) <= limit for part in segmented.parts)


def segment_units(part: str, encoding: str) -> int:
    return (
        len(part.encode("utf-16-le")) // 2 if encoding == "UCS-2" else len(part) + part.count("€")
    )


def test_the_limit_of_a_body_counts_utf_16_units():
    assert utf16_units("a€😀") == 4


def test_smart_encoding_replaces_look_alikes():
    body = "“It’s” — well…\u00a0fine\u200b–"
    assert segment(body).encoding == "UCS-2"
    assert smart_encoded(body) == '"It\'s" - well... fine-'
    assert smart_encoded("Grüße ça я 😀 €") == "Grüße ça я 😀 €"
