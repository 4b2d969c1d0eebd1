"""The catalogue of codes: reference tables of errors and warnings."""

from __future__ import annotations

import pytest

from offhook.model import catalogue
from offhook.model.catalogue import messages, phones, rest, verbs, webhooks
from offhook.twiml import vocabulary

PARTS = (webhooks.CODES, verbs.CODES, rest.CODES, messages.CODES, phones.CODES)


def test_every_code_stands_in_one_part_only():
    assert sum(len(part) for part in PARTS) == len(catalogue.CODES)


def test_every_code_says_something():
    assert [code for code in catalogue.CODES if not catalogue.message(code)] == []


@pytest.mark.parametrize(
    ("code", "level"),
    [
        (11200, "error"), (12100, "error"), (12200, "warning"), (13201, "error"),
        (13223, "warning"), (13224, "error"), (13520, "warning"), (13750, "error"),
        (14106, "warning"), (14107, "error"), (15003, "warning"), (16113, "warning"),
        (20001, "warning"), (21610, "error"), (30003, "error"), (32015, "warning"),
    ],
)  # fmt: skip
def test_the_level_is_the_tables(code, level):
    assert catalogue.level(code) == level


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (20003, 401), (20004, 405), (20008, 403), (20009, 409), (20404, 404), (20429, 429),
        (20500, 500), (20503, 503), (21201, 400), (21211, 400), (21610, 400), (20413, 413),
    ],
)  # fmt: skip
def test_the_http_status_is_the_tables(code, status):
    assert catalogue.http_status(code) == status


def test_a_code_nobody_knows_is_an_error_of_the_client():
    assert (catalogue.level(99999), catalogue.http_status(99999)) == ("error", 400)
    assert catalogue.message(99999)


def test_every_code_that_an_attribute_names_is_in_the_catalogue():
    used, waiting = set(), [vocabulary.response("voice"), vocabulary.response("messaging")]
    while waiting:
        element = waiting.pop()
        used |= {attribute.code for attribute in element.attributes.values()}
        used |= {element.child_code, *(element.child_codes or {}).values()}
        waiting += element.children.values()
    assert len(used) > 60
    assert used - catalogue.CODES.keys() == set()
