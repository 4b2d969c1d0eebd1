"""Settings come from four places, and whatever cannot work is one clear line."""

from __future__ import annotations

import os
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from offhook.config import Address, CallerId, Settings, load, usable_folder
from offhook.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OFFHOOK_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "offhook.toml"


TRUNK = """
[[trunk]]
name = "berlin"
address = "sip.example.com"
"""


def refusal(file: Path, text: str, **flags: Any) -> str:
    """The line about a file with that text."""
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        load(flags, file)
    line = str(refused.value)
    assert "\n" not in line
    return line.replace(str(file), "offhook.toml")


def test_nothing_given_is_the_defaults() -> None:
    settings = load()
    assert settings == Settings()
    assert str(settings.http) == "127.0.0.1:8080"
    assert str(settings.sip) == "127.0.0.1:5060"
    assert settings.drain == 5


def test_the_command_line_wins_over_variables_and_they_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('drain = 1\nworkers = 2\ndefault_region = "de"\n')
    monkeypatch.setenv("OFFHOOK_DRAIN", "3")
    monkeypatch.setenv("OFFHOOK_WORKERS", "4")
    settings = load({"drain": 6, "http": None}, file)
    assert (settings.drain, settings.workers, settings.default_region) == (6, 4, "DE")


def test_tables_are_put_together_key_by_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text('[webhooks]\ntimeout = 3\nuser_agent = "mine"\n')
    monkeypatch.setenv("OFFHOOK_WEBHOOKS__TIMEOUT", "4")
    monkeypatch.setenv("OFFHOOK_WEBHOOKS__ALLOW_TARGETS", "10.1.0.0/16, 192.0.2.7")
    webhooks = load(file=file).webhooks
    assert (webhooks.timeout, webhooks.user_agent) == (4, "mine")
    assert webhooks.allow_targets == ("10.1.0.0/16", "192.0.2.7/32")


def test_a_variable_names_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("drain = 7\n")
    monkeypatch.setenv("OFFHOOK_CONFIG", str(file))
    assert load().drain == 7


def test_variables_are_not_read_by_settings_made_in_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OFFHOOK_DRAIN", "3")
    assert Settings().drain == 5
    assert load().drain == 3


def test_every_key_can_be_written_in_the_file(file: Path) -> None:
    file.write_text(
        """
data = "~/somewhere"
http = "[::1]:0"
sip = "0.0.0.0:5070"
rtp = "20000-20010"
public_ip = "203.0.113.7"
public_url = "https://phone.example.com/"
account_sid = "AC0123456789abcdef0123456789abcdef"
auth_token = "hush"
log_level = "DEBUG"
log_format = "json"
[retention]
traces_days = 0.5
recordings_days = 1
max_events = 50
[webhooks]
verify_tls = false
allow_private = true
[speech]
voice = "woman"
language = "en-GB"
[simulated]
enabled = false
numbers = { "+15550001111" = "busy" }
[[trunk]]
name = "berlin"
address = "192.0.2.1:5080"
transport = "TCP"
prefixes = ["+49", "+43"]
allow = ["192.0.2.0/28"]
username = "u"
password = "p"
peer_username = "pu"
peer_password = "pp"
emergency = true
caller_id.default = "+4930123456"
caller_id.allowed = ["+4930123456"]
caller_id.format = "national"
caller_id.header = "Remote-Party-ID"
[[trunk]]
name = "paris"
address = "sip.example.com"
prefixes = []
"""
    )
    settings = load(file=file)
    assert settings.data == Path.home() / "somewhere"
    assert settings.http == Address("::1", 0)
    assert str(settings.http) == "[::1]:0"
    assert settings.rtp == range(20000, 20011)
    assert settings.public_ip == IPv4Address("203.0.113.7")
    assert settings.api_url == "https://phone.example.com"
    assert settings.auth_token is not None
    assert settings.auth_token.get_secret_value() == "hush"
    assert settings.log_level == "debug"
    assert settings.simulated.numbers == {"+15550001111": "busy"}
    berlin, paris = settings.trunk
    assert (berlin.transport, berlin.prefixes, berlin.emergency) == ("tcp", ("+49", "+43"), True)
    assert berlin.caller_id.allowed == ("+4930123456",)
    assert berlin.peer_password is not None
    assert berlin.peer_password.get_secret_value() == "pp"
    assert (paris.prefixes, paris.transport, paris.password) == ((), "udp", None)


def test_what_was_asked_for_by_hand_is_told_from_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('sip = "127.0.0.1:5060"\n')
    monkeypatch.setenv("OFFHOOK_RTP", "10000-19999")
    settings = load({"http": None}, file)
    asked = {key: settings.asked(key) for key in ("http", "sip", "rtp")}
    assert asked == {"http": False, "sip": True, "rtp": True}
    assert settings.sip.given
    assert not settings.http.given
    assert load({"http": "127.0.0.1:8080"}).http.given


def test_secrets_are_not_shown(file: Path) -> None:
    file.write_text(
        'auth_token = "hush1"\n' + TRUNK + 'username = "u"\npassword = "hush2"\n'
        'peer_username = "pu"\npeer_password = "hush3"\n'
    )
    settings = load(file=file)
    assert "hush" not in repr(settings) + str(settings)


@pytest.mark.parametrize("table", ["", "[ice]\nsecret", TRUNK + "password"])
def test_a_secret_that_cannot_be_is_not_repeated(file: Path, table: str) -> None:
    file.write_text(f"{table or 'auth_token'} = 4711\n")
    with pytest.raises(ConfigError) as refused:
        load(file=file)
    assert "4711" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("htpp = 1", "offhook.toml: htpp: no such setting; did you mean http?"),
        ("zebra = 1", "offhook.toml: zebra: no such setting"),
        (
            "[webhooks]\nverfy_tls = true",
            "offhook.toml: webhooks.verfy_tls: no such setting; did you mean verify_tls?",
        ),
        (
            TRUNK + 'pasword = "hush"',
            'offhook.toml: [[trunk]] "berlin" pasword: no such setting; did you mean password?',
        ),
        (
            TRUNK + 'caller_id.defualt = "+1"',
            'offhook.toml: [[trunk]] "berlin" caller_id.defualt: no such setting; '
            "did you mean default?",
        ),
        ('[[trunk]]\nadress = "a"', "[[trunk]] number 1 adress: no such setting; did you mean"),
        ("[trunks]\n", "offhook.toml: trunks: no such setting; did you mean trunk?"),
        (
            f"[limits.accounts.AC{'1' * 32}]\ncals = 1",
            f"limits.accounts.AC{'1' * 32}.cals: no such setting; did you mean calls?",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_a_suggestion(file: Path, text: str, says: str) -> None:
    assert says in refusal(file, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('http = "8080"', "http: '8080' does not work: write HOST:PORT, such as"),
        ('http = "a:99999"', "http: 'a:99999' does not work: write HOST:PORT"),
        ('sip = "::1:5060"', "sip: '::1:5060' does not work: write HOST:PORT"),
        ('rtp = "2-1"', "rtp: '2-1' does not work: write LOW-HIGH, such as 10000-19999"),
        ('public_ip = "home"', "public_ip: 'home' does not work: write an IP address"),
        ('public_url = "phone"', "public_url: 'phone' does not work: write a URL"),
        ('public_url = "https://"', "public_url: 'https://' does not work: write a URL"),
        ("drain = -1", "drain: -1 does not work: it must be 0 or more"),
        ('drain = "soon"', "drain: 'soon' does not work: write a number"),
        ("workers = 1.5", "workers: 1.5 does not work: write a whole number"),
        ('account_sid = "AC1"', "account_sid: 'AC1' does not work: write AC and 32 hex"),
        ('auth_token = ""', "auth_token: it must not be empty"),
        ('default_region = "XX"', "default_region: 'XX' does not work: write the two letters"),
        ('log_level = "loud"', "log_level: 'loud' does not work: write 'debug', 'info'"),
        ("data = 1", "data: 1 does not work: write a path, in quotes"),
        ("webhooks = 1", "webhooks: 1 does not work: write a table"),
        ('[webhooks]\nverify_tls = "perhaps"', "webhooks.verify_tls: 'perhaps' does not work"),
        ("[webhooks]\ntimeout = 60", "webhooks.timeout: 60 does not work: it must be 15 or less"),
        ('[webhooks]\nallow_private = "no"', "'no' does not work: write true, false or auto"),
        ('[webhooks]\nallow_targets = ["x"]', "webhooks.allow_targets.0: 'x' does not work"),
        (
            '[simulated.numbers]\n"+15550001111" = "sings"',
            "simulated.numbers.+15550001111: 'sings' does not work: write 'answers', 'busy'",
        ),
        (
            '[simulated.numbers]\n"5550001" = "busy"',
            "simulated.numbers.5550001: '5550001' does not work: write the number in full",
        ),
        ('[[trunk]]\naddress = "a"', "[[trunk]] number 1 name: this is required"),
        ('[[trunk]]\nname = "a"', '[[trunk]] "a": it needs an "address", or "allow" or'),
        (
            TRUNK + 'transport = "sctp"',
            "transport: 'sctp' does not work: write 'udp', 'tcp' or",
        ),
        (
            TRUNK + 'prefixes = ["49"]',
            "prefixes.0: '49' does not work: write how the",
        ),
        (TRUNK + 'username = "u"', '"berlin": "username" and "password" go together'),
        (
            TRUNK + 'peer_password = "hush"',
            '"berlin": "peer_username" and "peer_password" go together',
        ),
        (
            TRUNK + 'caller_id.allowed = ["+4930123456"]',
            '"berlin" caller_id: "allowed" needs a "default"',
        ),
        (TRUNK.replace("sip.ex", "sip:ex"), "address: 'sip:example.com' does not work: write a"),
        ('sip_key = "k.pem"', '"sip_key" needs the "sip_certificate" that it belongs to'),
        (TRUNK * 2, "two trunks are called 'berlin'"),
    ],
)
def test_a_value_that_cannot_work_is_named_with_what_would(
    file: Path, text: str, says: str
) -> None:
    line = refusal(file, text)
    assert line.startswith("offhook.toml: ")
    assert says in line


@pytest.mark.parametrize(
    "text",
    [
        TRUNK + 'username = "u"\npassword = ["hush"]',
        TRUNK + 'password = "hush"',
        'auth_token = ["hush"]',
        '[[trunk]]\npassword = "hush"',
    ],
)
def test_a_refusal_repeats_no_secret(file: Path, text: str) -> None:
    assert "hush" not in refusal(file, text)


def test_a_refusal_names_the_flag_or_the_variable(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refusal(file, "", public_ip="x").startswith("--public-ip: 'x' does not work")
    monkeypatch.setenv("OFFHOOK_WEBHOOKS__TIMEOUT", "99")
    assert refusal(file, "[webhooks]\ntimeout = 5").startswith("OFFHOOK_WEBHOOKS__TIMEOUT: '99'")
    monkeypatch.setenv("OFFHOOK_TRUNK", "berlin")
    assert refusal(file, "") == "OFFHOOK_TRUNK: this is not JSON"


def test_a_variable_that_looks_misspelt_is_refused_and_others_are_let_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OFFHOOK_PORT_5060_TCP", "tcp://10.0.0.1:5060")
    monkeypatch.setenv("OFFHOOK_SERVICE_HOST", "10.0.0.1")
    assert load() == Settings()
    monkeypatch.setenv("OFFHOOK_ACOUNT_SID", "AC1")
    with pytest.raises(ConfigError, match="did you mean OFFHOOK_ACCOUNT_SID"):
        load()


def test_a_file_that_cannot_be_read_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"offhook\.toml cannot be read: no such file"):
        load(file=file)
    assert "this is not TOML: " in refusal(file, "drain = \n")
    assert "line 1" in refusal(file, "drain = \n")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="this is not TOML"):
        load(file=file)


@pytest.mark.parametrize(
    ("http", "sip", "public"),
    [
        ("127.0.0.1:1", "127.0.0.1:2", False),
        ("localhost:1", "[::1]:2", False),
        ("0.0.0.0:1", "127.0.0.1:2", True),
        ("127.0.0.1:1", "192.168.1.5:2", True),
        ("127.0.0.1:1", "[::]:2", True),
        ("phone.example.com:1", "127.0.0.1:2", True),
    ],
)
def test_listening_beyond_loopback_is_public_and_careful(http: str, sip: str, public: bool) -> None:
    """Choices of ours: no simulated success in production, no private targets."""
    settings = load({"http": http, "sip": sip})
    assert settings.public is public
    assert settings.private_targets_allowed is not public
    assert settings.simulates_everything is not public


def test_private_targets_can_be_decided(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    public = {"http": "0.0.0.0:1"}
    monkeypatch.setenv("OFFHOOK_WEBHOOKS__ALLOW_PRIVATE", "true")
    assert load(public).private_targets_allowed
    monkeypatch.setenv("OFFHOOK_WEBHOOKS__ALLOW_PRIVATE", "False")
    assert not load().private_targets_allowed


def test_a_trunk_or_a_word_ends_the_simulation_of_every_number(file: Path) -> None:
    file.write_text(TRUNK)
    assert not load(file=file).simulates_everything
    file.write_text("[simulated]\nenabled = false\n")
    assert not load(file=file).simulates_everything


@pytest.mark.parametrize(
    ("flags", "url"),
    [
        ({"http": "127.0.0.1:8081"}, "http://127.0.0.1:8081"),
        ({"http": "[::1]:8081"}, "http://[::1]:8081"),
        ({"http": "0.0.0.0:8081"}, "http://127.0.0.1:8081"),
        ({"http": "0.0.0.0:8081", "public_ip": "203.0.113.7"}, "http://203.0.113.7:8081"),
        ({"public_url": "https://a.example/x/"}, "https://a.example/x"),
    ],
)
def test_the_api_has_a_url_that_can_be_reached(flags: dict[str, str], url: str) -> None:
    assert load(flags).api_url == url


def test_the_url_that_was_found_is_taken_unless_one_was_chosen() -> None:
    assert load().reached_at("http://127.0.0.1:8085").api_url == "http://127.0.0.1:8085"
    chosen = load({"public_url": "https://a.example"})
    assert chosen.reached_at("http://127.0.0.1:8085").api_url == "https://a.example"


@pytest.mark.parametrize(
    ("rules", "own", "shown"),
    [
        ({}, "+4930123456", "+4930123456"),
        ({}, "client:ann", "client:ann"),
        ({"default": "+4930999"}, "+4930123456", "+4930123456"),
        ({"default": "+4930999"}, "client:ann", "+4930999"),
        ({"default": "+4930999", "allowed": ("+4930111",)}, "+4930111", "+4930111"),
        ({"default": "+4930999", "allowed": ("+4930111",)}, "+4930123456", "+4930999"),
        ({"format": "plus-less"}, "+4930123456", "4930123456"),
        ({"format": "national"}, "+4930123456", "030123456"),
        ({"format": "national"}, "+15105647903", "5105647903"),
        ({"format": "national"}, "anonymous", "anonymous"),
    ],
)
def test_caller_ids_are_shown_by_a_trunks_rules(
    rules: dict[str, Any], own: str, shown: str
) -> None:
    assert CallerId(**rules).shown(own) == shown


def test_a_folder_is_made_and_an_unusable_one_refused(tmp_path: Path) -> None:
    made = tmp_path / "a" / "b"
    assert usable_folder(made) == made
    assert list(made.iterdir()) == []
    taken = tmp_path / "file"
    taken.touch()
    with pytest.raises(ConfigError, match=r"data folder .*file cannot be written to .*--data"):
        usable_folder(taken)
