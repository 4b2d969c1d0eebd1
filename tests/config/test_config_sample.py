"""The sample file says everything, and everything it says is true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from offhook.config import Settings, Trunk, load, sample

NOT_DEFAULTS = {
    "data", "public_ip", "public_url", "account_sid", "auth_token", "metrics_token", "accounts",
    "user_agent", "allow_targets",
    "voice", "language", "numbers", "name", "address", "allow", "username", "password",
    "peer_username", "peer_password", "default", "allowed", "short_codes", "stun", "turn", "secret",
    "sip_tls", "sip_ws", "sip_wss", "sip_certificate", "sip_key", "sip_authorities", "proxy",
    "keep_alive", "sip_proxies", "caller_names",
}  # fmt: skip


def uncommented(text: str) -> str:
    return re.sub(r"^#(?! |$)", "", text, flags=re.MULTILINE)


def leaves(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Name and description of each setting that is not a table."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from leaves(kind)
        elif name == "trunk":
            yield from leaves(Trunk)
        else:
            yield name, field.description or ""


def test_as_it_is_the_sample_sets_nothing(tmp_path: Path) -> None:
    file = tmp_path / "offhook.toml"
    file.write_text(sample())
    assert load(file=file) == Settings()


def test_with_every_comment_sign_taken_away_it_is_valid_and_complete(tmp_path: Path) -> None:
    file = tmp_path / "offhook.toml"
    file.write_text(uncommented(sample()))
    settings = load(file=file)
    assert settings.model_fields_set == set(Settings.model_fields)
    (trunk,) = settings.trunk
    assert trunk.model_fields_set == set(Trunk.model_fields)
    assert trunk.caller_id.model_fields_set == {"default", "allowed", "format", "header"}


def test_what_is_no_example_is_the_default(tmp_path: Path) -> None:
    kept = [
        line
        for line in uncommented(sample()).splitlines()
        if line.partition(" =")[0].rpartition(".")[2] not in NOT_DEFAULTS
    ]
    file = tmp_path / "offhook.toml"
    file.write_text("\n".join(kept).replace("[[trunk]]", '[[trunk]]\nname="n"\naddress="a"'))
    settings = load(file=file)
    assert settings.model_copy(update={"trunk": ()}) == Settings()
    assert settings.trunk == (Trunk(name="n", address="a"),)


def test_every_setting_is_described_in_the_sample() -> None:
    text = " ".join(line.removeprefix("# ") for line in sample().splitlines())
    described = list(leaves(Settings))
    assert len(described) > 30
    for name, description in described:
        assert description, name
        assert " ".join(description.split()) in text, name


def test_its_lines_fit_a_screen() -> None:
    assert max(map(len, sample().splitlines())) <= 100
