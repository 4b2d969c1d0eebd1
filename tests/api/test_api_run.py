"""`offhook run`: programs that know only api.twilio.com, unchanged (M24)."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from served import PATIENCE, PROGRAM, Up, environment

from offhook.proxy.authority import Authority

NODE_LIBRARY = "twilio@5"
PYTHON = """
from twilio.rest import Client
client = Client()
print(client.api.v2010.accounts(client.username).fetch().friendly_name)
print(client.messages.create(to="+14155550199", from_="+15550100100", body="Hi").status)
"""
RUBY = """
require 'net/http'
sid, token = ENV['TWILIO_ACCOUNT_SID'], ENV['TWILIO_AUTH_TOKEN']
uri = URI("https://api.ashburn.us1.twilio.com/2010-04-01/Accounts/#{sid}.json")
http = Net::HTTP.new(uri.host, uri.port)
http.use_ssl = true
request = Net::HTTP::Get.new(uri)
request.basic_auth sid, token
puts http.request(request).body
"""
PHP = """<?php
$login = getenv('TWILIO_ACCOUNT_SID') . ':' . getenv('TWILIO_AUTH_TOKEN');
$url = 'https://api.twilio.com/2010-04-01/Accounts/' . getenv('TWILIO_ACCOUNT_SID') . '.json';
$curl = curl_init($url);
curl_setopt_array($curl, [CURLOPT_RETURNTRANSFER => true, CURLOPT_HEADER => true,
                          CURLOPT_USERPWD => $login]);
[$proxy, $head, $body] = explode("\\r\\n\\r\\n", curl_exec($curl), 3);
if ($proxy !== 'HTTP/1.1 200 Connection established') exit(1);
echo $body;
"""
JAVA = """
import java.net.*;
import java.util.*;
public class Account {
  public static void main(String[] arguments) throws Exception {
    var sid = System.getenv("TWILIO_ACCOUNT_SID");
    var login = (sid + ":" + System.getenv("TWILIO_AUTH_TOKEN")).getBytes();
    var url = new URL("https://api.twilio.com/2010-04-01/Accounts/" + sid + ".json");
    var connection = (HttpURLConnection) url.openConnection();
    connection.setRequestProperty(
        "Authorization", "Basic " + Base64.getEncoder().encodeToString(login));
    System.out.println(new String(connection.getInputStream().readAllBytes()));
  }
}
"""
CURL = (
    'curl -s -u "$TWILIO_ACCOUNT_SID:$TWILIO_AUTH_TOKEN" '
    "https://api.twilio.com/2010-04-01/Accounts/$TWILIO_ACCOUNT_SID.json"
)

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


def test_a_python_program_with_the_official_library(run: Run, tmp_path: Path) -> None:
    done = run("--", sys.executable, script(tmp_path, "program.py", PYTHON))
    assert done.stdout.split() == ["Offhook", "queued"], done.stderr


@pytest.mark.interop
def test_a_node_program_with_the_official_library(run: Run, tmp_path: Path) -> None:
    """The quickstart's."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no Node here")
    (tmp_path / "package.json").write_text("{}")
    got = subprocess.run([npm, "install", NODE_LIBRARY], cwd=tmp_path, capture_output=True)
    if got.returncode:
        pytest.skip("there is no registry here")
    done = run("--", "node", script(tmp_path, "app.js", printed("js")))
    assert re.fullmatch(r"CA[0-9a-f]{32} queued\n", done.stdout), done.stderr


@pytest.mark.interop
@pytest.mark.parametrize(
    ("program", "name", "text"),
    [("ruby", "account.rb", RUBY), ("php", "account.php", PHP), ("java", "Account.java", JAVA)],
)
def test_what_the_libraries_of_other_languages_stand_on(
    run: Run, up: Up, tmp_path: Path, program: str, name: str, text: str
) -> None:
    """The way of their HTTP clients: proxy, trust, and a CONNECT answer without headers."""
    if not shutil.which(program):
        pytest.skip(f"there is no {program} here")
    done = run("--", program, script(tmp_path, name, text))
    assert f'"sid": "{up.account_sid}"' in done.stdout, done.stderr


def test_curl_in_a_shell(run: Run, up: Up) -> None:
    done = run("--", "sh", "-c", CURL)
    assert f'"sid": "{up.account_sid}"' in done.stdout, done.stderr


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


# What docs/quickstart.md shows


def printed(language: str) -> str:
    """The first program of that language on the page."""
    page = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)[0]


def test_the_python_and_the_curl_of_the_quickstart(run: Run, up: Up, tmp_path: Path) -> None:
    """M27"""
    for command in (
        [sys.executable, script(tmp_path, "app.py", printed("py"))],
        ["sh", script(tmp_path, "app.sh", printed("sh"))],
    ):
        done = run("--", *command)
        [sid] = re.findall("CA[0-9a-f]{32}", done.stdout)[:1]
        assert up.call(sid)["to"] == "+14155550123"


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
