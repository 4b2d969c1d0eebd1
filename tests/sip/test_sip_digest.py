"""Digest authentication.  RFC 7616, RFC 2617, RFC 8760."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from offhook.sip import digest
from offhook.sip.digest import Client, Credentials, Server, response_of

MUFASA = {
    "realm": "http-auth@example.org",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_rfc_7616(algorithm: str, response: str):
    """Section 3.9.1."""
    fields = {**MUFASA, "algorithm": algorithm}
    credentials = Credentials("Mufasa", "Circle of Life")
    assert response_of(credentials, "GET", "/dir/index.html", b"", fields) == response


def test_the_example_of_rfc_2617():
    """Section 3.5."""
    fields = {
        "realm": "testrealm@host.com",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "qop": "auth",
    }
    credentials = Credentials("Mufasa", "Circle Of Life")
    made = response_of(credentials, "GET", "/dir/index.html", b"", fields)
    assert made == "6629fae49393a05397450978507c4ef1"


def test_without_qop_it_is_that_of_rfc_2069():
    """RFC 2617 section 3.2.2.1, the case for old servers."""
    fields = {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"}
    made = response_of(Credentials("Mufasa", "CircleOfLife"), "GET", "/dir/index.html", b"", fields)
    assert made == "1949323746fe6a43ef61f9606e7febea"


def text() -> str:
    return "0123456789abcdef" * 2


def client(password: str = "secret", rand=text) -> Client:
    return Client(Credentials("ann", password), rand)


def server(secret: bytes = b"shared", rand=text) -> Server:
    return Server("offhook", secret, rand)


KNOWN = {"ann": "secret", "bob": "other"}


def ask(
    by: Server, answer: str | None, at: float = 1000.0, uri: str = "sip:x", method: str = "INVITE"
) -> tuple[str, str]:
    return by.check([answer] if answer else [], method, uri, b"", KNOWN, at)


def test_a_right_answer_is_let_in_under_its_name():
    ours = server()
    answer = client().answer(ours.challenges(1000.0), "INVITE", "sip:x")
    assert ask(ours, answer) == ("right", "ann")


def test_the_strongest_algorithm_is_offered_first_and_the_first_known_is_taken():
    challenges = server().challenges(1000.0)
    assert [digest.parse(one)["algorithm"] for one in challenges] == ["SHA-256", "MD5"]
    answer = client().answer(challenges, "INVITE", "sip:x")
    assert answer
    assert digest.parse(answer)["algorithm"] == "SHA-256"
    weaker = client().answer(challenges[1:], "INVITE", "sip:x")
    assert ask(server(), weaker) == ("right", "ann")


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (None, "absent"),
        ("Basic YTpi", "absent"),
        ("Digest nonsense", "absent"),
        ('Digest realm="elsewhere", username="ann"', "absent"),
        ('Digest realm="offhook"', "wrong"),
        (
            Client(Credentials("ann", "secret"), text).answer(
                [server().challenges(1000.0)[0].replace('"auth"', '"auth-int"')], "INVITE", "sip:x"
            ),
            "wrong",  # not what was asked for
        ),
        (
            'Digest realm="offhook", username="ann", nonce="n", uri="sip:x", response="\udcff"',
            "wrong",
        ),
    ],
)
def test_what_is_no_answer_is_not_let_in(answer: str | None, verdict: str):
    assert ask(server(), answer) == (verdict, "")


@pytest.mark.parametrize(
    ("by", "method", "uri"),
    [
        (client("wrong"), "INVITE", "sip:x"),
        (Client(Credentials("bob", "secret"), text), "INVITE", "sip:x"),
        (Client(Credentials("eve", "secret"), text), "INVITE", "sip:x"),
        (Client(Credentials("eve", ""), text), "INVITE", "sip:x"),
        (Client(Credentials("eve", text()), text), "INVITE", "sip:x"),
        (client(), "BYE", "sip:x"),
        (client(), "INVITE", "sip:y"),
    ],
)
def test_an_answer_to_anything_else_is_wrong(by: Client, method: str, uri: str):
    ours = server()
    assert ask(ours, by.answer(ours.challenges(1000.0), method, uri)) == ("wrong", "")


def test_some_clients_sign_the_host_alone():
    ours = server()
    answer = client().answer(ours.challenges(1000.0), "INVITE", "sip:h:5070")
    assert ask(ours, answer, uri="sip:bob@h:5070") == ("right", "ann")


@pytest.mark.parametrize("said", ["sip:bob@H.example", "sip:h.example:5060;x", "sip:bob@h.example"])
def test_some_clients_sign_the_same_place_in_other_words(said: str):
    """RFC 3261 section 22.4, point 5: what counts is what it names."""
    ours = server()
    answer = client().answer(ours.challenges(1000.0), "INVITE", said)
    assert ask(ours, answer, uri="sip:bob@h.example:5060;transport=tcp") == ("right", "ann")


@pytest.mark.parametrize(
    "said", ["sip:eve@h", "sip:bob@g", "sip:bob@h:5070", "sips:bob@h", "tel:1", "", "h"]
)
def test_an_answer_is_good_for_no_other_place(said: str):
    ours = server()
    answer = client().answer(ours.challenges(1000.0), "INVITE", said)
    assert ask(ours, answer, uri="sip:bob@h") == ("wrong", "")


def test_a_nonce_is_good_for_five_minutes_and_then_stale():
    ours = server()
    challenges = ours.challenges(1000.0)
    assert ask(ours, client().answer(challenges, "INVITE", "sip:x"), 1300.0)[0] == "right"
    late = client().answer(challenges, "INVITE", "sip:x")
    assert ask(server(), late, 1301.0) == ("stale", "")
    assert "stale=true" in ours.challenges(1301.0, stale=True)[0]


def test_an_answer_that_is_played_back_is_stale_and_the_next_count_is_right():
    ours, ann = server(), client()
    challenges = ours.challenges(1000.0)
    first = ann.answer(challenges, "INVITE", "sip:x")
    second = ann.answer(challenges, "INVITE", "sip:x")
    assert digest.parse(second or "")["nc"] == "00000002"
    assert ask(ours, second)[0] == "right"
    assert ask(ours, second)[0] == "stale"
    assert ask(ours, first)[0] == "stale"


def test_an_answer_by_a_clock_that_is_ahead_cannot_be_played_back_either():
    ours = server()
    answer = client().answer(ours.challenges(1060.0), "INVITE", "sip:x")
    assert ask(ours, answer, 1000.0)[0] == "right"
    other = client().answer(server(rand=lambda: "f" * 32).challenges(1350.0), "INVITE", "sip:x")
    assert ask(ours, other, 1350.0)[0] == "right"
    assert ask(ours, answer, 1350.0)[0] == "stale"


def logins(ours: Server, count: int, apart: float) -> set[str]:
    """The verdicts of so many, each by a nonce of its own, some seconds apart."""
    times = [1000.0 + number * apart for number in range(count)]
    answers = ((client().answer(ours.challenges(at), "INVITE", "sip:x"), at) for at in times)
    return {ask(ours, answer, at)[0] for answer, at in answers}


def numbered() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"{next(numbers):012x}" + "0" * 20


def test_a_hundred_may_log_in_each_second_for_minutes():
    assert logins(server(rand=numbered()), 12_000, 0.01) == {"right"}


def test_nonces_are_remembered_as_long_as_they_are_good_and_so_many_at_most(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(digest, "MOST_NONCES", 50)
    assert logins(server(rand=numbered()), 500, 10) == {"right"}
    assert logins(server(rand=numbered()), 51, 0) == {"right", "stale"}


def test_any_node_with_the_secret_knows_the_nonce_and_no_other_does():
    answer = client().answer(server().challenges(1000.0), "INVITE", "sip:x")
    assert ask(server(), answer)[0] == "right"
    assert ask(server(b"another"), answer)[0] == "stale"


def test_a_nonce_that_was_tampered_with_is_stale():
    challenge = server().challenges(1000.0)[0]
    nonce = digest.parse(challenge)["nonce"]
    stamp, _, rest = nonce.partition(".")
    later = challenge.replace(nonce, f"{int(stamp, 16) + 9:x}.{rest}")
    assert ask(server(), client().answer([later], "INVITE", "sip:x"), 1009.0)[0] == "stale"


def test_an_old_client_without_qop_may_use_a_nonce_once():
    ours = server()
    challenge = ours.challenges(1000.0)[1].replace(', qop="auth"', "")
    answer = client().answer([challenge], "INVITE", "sip:x")
    assert "qop" not in digest.parse(answer or "")
    assert ask(ours, answer) == ("right", "ann")
    assert ask(ours, answer) == ("stale", "")


class TestClient:
    def test_each_use_of_a_nonce_is_counted(self):
        ann, challenge = client(), 'Digest realm="r", nonce="n", qop="auth-int, auth"'
        answers = [digest.parse(ann.answer([challenge], "BYE", "sip:x") or "") for _ in range(2)]
        assert [answer["nc"] for answer in answers] == ["00000001", "00000002"]
        assert answers[0]["qop"] == "auth"

    def test_opaque_and_quotations_come_back_as_they_were(self):
        challenge = 'Digest nonce="a\\"b", realm="r,\\\\s", opaque="o"'
        answer = digest.parse(client().answer([challenge], "BYE", "sip:x") or "")
        assert (answer["nonce"], answer["realm"], answer["opaque"]) == ('a"b', "r,\\s", "o")

    @pytest.mark.parametrize("qop", ["", ', qop="auth"'])
    def test_sess_mixes_the_nonces_into_the_key(self, qop: str):
        challenge = f'Digest realm="r", nonce="n", algorithm=MD5-sess{qop}'
        answer = digest.parse(client().answer([challenge], "BYE", "sip:x") or "")
        assert answer["cnonce"] == text()[:16]
        credentials = Credentials("ann", "secret")
        assert answer["response"] == response_of(credentials, "BYE", "sip:x", b"", answer)
        plain = {**answer, "algorithm": "MD5"}
        assert answer["response"] != response_of(credentials, "BYE", "sip:x", b"", plain)

    @pytest.mark.parametrize(
        "challenge",
        [
            'Digest realm="r", nonce="n", algorithm=SHA-512-256',
            'Digest realm="r", nonce="n", qop="auth-new"',
            'Digest realm="r"',
            'Basic realm="r"',
            'Digest realm="r", nonce="n',
            "",
        ],
    )
    def test_a_challenge_that_cannot_be_met_is_not_answered(self, challenge: str):
        assert client().answer([challenge], "BYE", "sip:x") is None

    def test_the_body_is_signed_where_that_is_asked(self):
        challenge = 'Digest realm="r", nonce="n", qop="auth-int"'
        answer = digest.parse(client().answer([challenge], "BYE", "sip:x", b"body") or "")
        signed = [
            response_of(Credentials("ann", "secret"), "BYE", "sip:x", body, answer)
            for body in (b"body", b"other")
        ]
        assert answer["qop"] == "auth-int"
        assert answer["response"] == signed[0] != signed[1]

    def test_the_next_challenge_is_tried(self):
        numbers = itertools.count()
        ann = client(rand=lambda: f"{next(numbers):032x}")
        challenges = ['Digest realm="a", nonce="n", algorithm=NEW', 'Digest realm="b", nonce="n"']
        assert digest.parse(ann.answer(challenges, "BYE", "sip:x") or "")["realm"] == "b"
