"""`offhook run`: programs that know only api.twilio.com, unchanged (M24)."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest
from cryptography import x509
from served import PATIENCE, PROGRAM, Up, environment

from offhook import clock
from offhook.proxy.authority import Authority
from offhook.proxy.relay import Relay
from offhook.proxy.surroundings import variables

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("run") / "data") as program:
        yield program


@pytest.fixture
def run(up: Up, tmp_path: Path) -> Run:
    def run_it(*command: str, **told: str) -> subprocess.CompletedProcess[str]:
        whole = [PROGRAM, "run", "--data", str(up.data), *command]
        return subprocess.run(
            whole, cwd=tmp_path, env=environment(**told), capture_output=True, text=True,
            timeout=4 * PATIENCE,
        )  # fmt: skip

    return run_it


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def test_other_hosts_are_refused_by_name(run: Run) -> None:
    for url in ("https://lookups.example.org/", "https://api.twilio.com.example.org/"):
        done = run("--", "curl", "-s", url)
        assert done.returncode != 0
        host = url.split("/")[2]
        assert f"{host} is not a host of the platform" in done.stderr


def test_other_hosts_are_let_through_when_asked_for(run: Run, up: Up) -> None:
    """Plainly and by CONNECT, neither of them looked into."""
    plain = run("--others", "--", "curl", "-s", f"{up.api}/healthz", "--noproxy", "")
    assert plain.stdout == "ok\n"
    through = run("--others", "--", "curl", "-sp", f"{up.api}/healthz", "--noproxy", "")
    assert through.stdout == "ok\n"


def test_the_program_ends_as_it_would_alone(run: Run) -> None:
    assert run("--", "sh", "-c", "exit 7").returncode == 7
    assert run("--", "sh", "-c", "kill -9 $$").returncode == 137
    missing = run("--", "./nothing")
    assert (missing.returncode, missing.stderr.count("\n")) == (2, 1)
    assert "./nothing cannot be run" in missing.stderr


def test_what_the_user_had_is_kept(run: Run, tmp_path: Path) -> None:
    own = script(tmp_path, "own.pem", "# my own roots\n")
    shown = 'cat "$SSL_CERT_FILE" | head -1; cat "$NODE_EXTRA_CA_CERTS" | head -1; echo $NO_PROXY'
    done = run("--", "sh", "-c", shown, SSL_CERT_FILE=own, NODE_EXTRA_CA_CERTS=own, NO_PROXY="db")
    assert done.stdout.splitlines() == [
        "# my own roots",
        "# my own roots",
        "db,localhost,127.0.0.1,::1",
    ]


# The authority

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_the_key_is_its_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "proxy"
    Authority.of(folder, NOW)
    assert (folder / "authority.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_authority_is_good_for_the_platforms_hosts_only(tmp_path: Path) -> None:
    """RFC 5280 section 4.2.1.10."""
    certificate = Authority.of(tmp_path, NOW).certificate
    limits = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert limits.value.permitted_subtrees == [x509.DNSName("twilio.com")]


def test_the_authority_stays_until_it_is_nearly_too_old(tmp_path: Path) -> None:
    first = Authority.of(tmp_path, NOW).certificate
    assert Authority.of(tmp_path, NOW + timedelta(days=3000)).certificate == first
    assert Authority.of(tmp_path, NOW + timedelta(days=3600)).certificate != first


def test_a_key_that_fits_no_more_is_made_anew(tmp_path: Path) -> None:
    first = Authority.of(tmp_path, NOW).certificate
    (tmp_path / "authority.key").write_text("garbage")
    assert Authority.of(tmp_path, NOW).certificate != first


def test_no_key_of_a_host_is_left_behind(tmp_path: Path) -> None:
    Authority.of(tmp_path, NOW).stands_for("api.twilio.com", NOW)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["authority.key", "authority.pem"]


async def test_who_runs_for_long_meets_certificates_that_are_good(tmp_path: Path) -> None:
    relay = Relay(Authority.of(tmp_path, clock.utc()), ("127.0.0.1", 1))
    async with relay.listening() as port:
        for _ in range(4):
            assert (await shown(port)).not_valid_after_utc > clock.utc()
            await asyncio.sleep(20 * 86_400)


async def shown(port: int) -> x509.Certificate:
    """The certificate behind the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"CONNECT api.twilio.com:443 HTTP/1.1\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    await writer.start_tls(context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(found)


def test_programs_that_are_started_at_once_trust_one_authority(tmp_path: Path) -> None:
    together = Barrier(8)

    def ask(_: int) -> Authority:
        together.wait()
        return Authority.of(tmp_path / "proxy", NOW)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))
    assert len({each.certificate for each in found}) == 1
    assert len({each.key.private_numbers().private_value for each in found}) == 1


def test_a_program_that_runs_reads_whole_files_while_another_is_started(tmp_path: Path) -> None:
    authority = Authority.of(tmp_path, NOW)
    told = variables(authority, 1, {})
    before = Path(told["SSL_CERT_FILE"]).read_text()
    with open(told["SSL_CERT_FILE"]) as reading:
        begun = reading.read(10)
        (tmp_path / "own.pem").write_text("# other roots\n")
        again = variables(authority, 2, {"SSL_CERT_FILE": str(tmp_path / "own.pem")})
        assert begun + reading.read() == before
    assert Path(again["SSL_CERT_FILE"]).read_text().startswith("# other roots")
    assert [path.name for path in tmp_path.glob(".*")] == []
