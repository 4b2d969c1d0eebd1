from __future__ import annotations

from dataclasses import replace

import pytest

from offhook.frozen import changed
from offhook.model.fetch import Callback


def test_a_record_with_changes_is_another_one():
    before = Callback("https://example.com/", "GET", ("answered",))
    after = changed(before, method="POST", events=())
    assert after == replace(before, method="POST", events=())
    assert before == Callback("https://example.com/", "GET", ("answered",))


def test_what_is_no_field_cannot_be_changed():
    with pytest.raises(KeyError, match="colour"):
        changed(Callback(), colour="red")
