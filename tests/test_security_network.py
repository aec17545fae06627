"""What a hostile server or proxy could try, and where secrets are not: each attack, for real."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from cli import TOOLBOX, Toolbox, clean_environment, wait_until
from faults.front import front
from usage_core.testing import LocalServer
from usage_core.testing.behaviour import Behaviour, hang, nonsense, redirect, status
from usage_core.testing.exchange import Reply

TOKEN = "sk-live-0123456789abcdef"
STRANGER = 12345

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


@pytest.fixture
def other() -> Iterator[LocalServer]:
    """A server that nobody was told to talk to."""
    with LocalServer() as other:
        yield other


def finish(toolbox: Toolbox) -> None:
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")


# Where secrets are, and where they are not.


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def discreet(toolbox: Toolbox, tmp_path: Path) -> Path:
    """The tool with its settings in its source, as a real one: they are in no variable."""
    settings = {
        "options": {"api_key": "phc_not_for_everybody", "host": toolbox.collector.url},
        "credentials": str(toolbox.credentials),
        "whoami": toolbox.auth.url,
    }
    source = TOOLBOX.read_text().replace('ast.literal_eval(os.environ["TOOLBOX"])', repr(settings))
    path = tmp_path / "discreet.py"
    path.write_text(source)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("busy", ["auth", "collector"])
def test_no_secret_is_in_a_file_an_argument_or_the_environment(
    toolbox: Toolbox, discreet: Path, busy: str
) -> None:
    toolbox.write_credentials(TOKEN)
    toolbox.auth.keys[TOKEN] = "alice"
    server = toolbox.auth if busy == "auth" else toolbox.collector
    server.behave(hang())
    environ = clean_environment(toolbox.home)
    subprocess.run([sys.executable, str(discreet), "ok", "one"], env=environ, check=True)
    server.wait_for(lambda: len(server.requests) > 0)

    process = Path("/proc", str(toolbox.worker()))
    seen = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    toolbox.credentials.rename(toolbox.home / "elsewhere")
    seen += everything(toolbox.state)
    assert b"usage-worker" in seen
    assert TOKEN.encode() not in seen
    assert b"phc_not_for_everybody" not in seen


TROUBLES = {
    "malformed": f"cloud:\n  api:\n    key: {TOKEN}\n  : [\n",
    "tagged": f"!{TOKEN} x",
    "unprintable": f"api_key: {TOKEN}\x07",
    "deep": "[" * 5000 + TOKEN,
    "refused": f"api_key: {TOKEN}",
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_secret_is_in_a_note_about_what_went_wrong(toolbox: Toolbox, trouble: str) -> None:
    toolbox.write_credentials("")
    toolbox.credentials.write_text(TROUBLES[trouble])
    toolbox.settings["options"] = {"api_key": "phc_x", "host": "http://bob:hunter2@127.0.0.1:9"}
    toolbox.auth.behave(status(500))
    toolbox.environ["http_proxy"] = "http://bob:hunter2@127.0.0.1:9"
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))
    finish(toolbox)
    toolbox.credentials.unlink()

    seen = everything(toolbox.state)
    assert TOKEN.encode() not in seen
    assert b"hunter2" not in seen


# A hostile auth API, collector or proxy.


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_go_to_the_host_that_was_configured_and_to_no_other(
    toolbox: Toolbox, other: LocalServer, code: int
) -> None:
    toolbox.write_credentials(TOKEN)
    toolbox.auth.behave(redirect(f"{other.url}/api/v1/auth/validate", code=code))
    toolbox.run("ok", "one")
    toolbox.settle()

    assert f"Bearer {TOKEN}" == toolbox.auth.requests[0].headers["authorization"]
    assert () == other.requests
    assert toolbox.captures()[0]["properties"]["is_anon"] is True


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_events_go_to_the_host_that_was_configured_and_to_no_other(
    toolbox: Toolbox, other: LocalServer, code: int
) -> None:
    toolbox.collector.behave(redirect(f"{other.url}/batch/", code=code))
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))
    finish(toolbox)

    assert () == other.requests
    assert 1 == len(toolbox.records())


def test_no_password_of_netrc_goes_to_anybody(toolbox: Toolbox) -> None:
    netrc = toolbox.home / ".netrc"
    netrc.write_text("default login alice password hunter2\n")
    netrc.chmod(0o600)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert all("authorization" not in r.headers for r in toolbox.collector.requests)
    asked = [request.headers["authorization"] for request in toolbox.auth.requests]
    assert ["Bearer key-of-alice"] == asked


def test_nobody_sees_cookies(toolbox: Toolbox) -> None:
    reply = Reply(500, b"", {"Set-Cookie": "track=me; Path=/"})
    toolbox.collector.behave(Behaviour("answer", reply=reply), times=1)
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()

    assert all("cookie" not in request.headers for request in toolbox.collector.requests)


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


def context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(made)
    return made


def certificates(ca: trustme.CA) -> dict[str, trustme.LeafCert]:
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    return {
        "unknown": trustme.CA().issue_cert("127.0.0.1"),
        "another's": ca.issue_cert("example.org"),
        "expired": ca.issue_cert("127.0.0.1", not_before=past, not_after=past.replace(month=2)),
    }


@pytest.mark.parametrize("wrong", ["unknown", "another's", "expired"])
def test_nothing_is_said_to_a_server_that_cannot_prove_who_it_is(
    toolbox: Toolbox, tmp_path: Path, ca: trustme.CA, wrong: str
) -> None:
    """Neither the event to the collector nor the token to the auth API."""
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    toolbox.environ["SSL_CERT_FILE"] = str(path)
    toolbox.write_credentials(TOKEN)
    tls = context(certificates(ca)[wrong])
    with front(toolbox.collector.port, tls) as one, front(toolbox.auth.port, tls) as two:
        toolbox.settings["options"] = {"api_key": "phc_x", "host": f"https://127.0.0.1:{one}"}
        toolbox.settings["whoami"] = f"https://127.0.0.1:{two}"
        toolbox.run("ok", "one")
        wait_until(lambda: toolbox.health().get("failures"))
        finish(toolbox)

    assert not toolbox.collector.requests
    assert not toolbox.auth.requests
    assert "CERTIFICATE_VERIFY_FAILED" in str(toolbox.health()["last_error"])
    assert "CERTIFICATE_VERIFY_FAILED" in str(toolbox.health()["notes"])


@contextmanager
def eavesdropper(port: int) -> Iterator[list[bytes]]:
    """Relay to *port* and keep what passes; the first item is the port to come in at."""
    heard: list[bytes] = []
    door = socket.create_server(("127.0.0.1", 0))
    heard.append(str(door.getsockname()[1]).encode())

    def pour(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                heard.append(piece)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = door.accept()
                far = socket.create_connection(("127.0.0.1", port))
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pour, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield heard
    finally:
        door.close()


def test_a_proxy_between_sees_no_secret_and_no_event(
    toolbox: Toolbox, tmp_path: Path, ca: trustme.CA
) -> None:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    tls = context(ca.issue_cert("auth.test"))
    toolbox.write_credentials("key-of-alice")
    toolbox.settings["whoami"] = "https://auth.test"
    toolbox.environ |= {"SSL_CERT_FILE": str(path), "no_proxy": "127.0.0.1"}
    with (
        front(toolbox.auth.port, tls) as secure,
        eavesdropper(secure) as heard,
        front(int(heard[0]), connect=True) as proxy,
    ):
        toolbox.environ["https_proxy"] = f"http://127.0.0.1:{proxy}"
        toolbox.run("ok", "one")
        toolbox.settle()

    assert ["alice"] == [event["distinct_id"] for event in toolbox.captures()]
    said = b"".join(heard)
    assert len(said) > 1000
    assert b"key-of-alice" not in said
    assert b"Bearer" not in said


BOMB = gzip.compress(bytes(200 << 20))
packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
LARGE = (
    nonsense("huge"),
    Behaviour("answer", reply=Reply(200, BOMB, packed)),
    Behaviour("answer", reply=Reply(500, BOMB, packed)),
)


def peak(toolbox: Toolbox) -> int:
    """Run a command and return how much memory its worker had at most, in MiB."""
    peaks = [0]

    def is_over() -> bool:
        process = toolbox.worker()
        with contextlib.suppress(OSError, ValueError):
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
            peaks.extend(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
        return process is None

    toolbox.run("ok", "one")
    wait_until(is_over)
    return max(peaks) // 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("server", ["auth", "collector"])
def test_no_answer_fills_the_memory(toolbox: Toolbox, server: str) -> None:
    toolbox.write_credentials("key-of-alice")
    usual = peak(toolbox)
    assert usual > 10
    hostile = toolbox.auth if server == "auth" else toolbox.collector
    for behaviour in LARGE:
        toolbox.write_credentials("key-of-alice")  # another stamp, so somebody is asked again
        hostile.behave(behaviour)
        seen = len(hostile.requests)
        assert peak(toolbox) < usual + 12
        assert len(hostile.requests) > seen
        (toolbox.state / "usage" / "lease").unlink(missing_ok=True)

    arrived = [event["properties"]["is_anon"] for event in toolbox.captures()]
    assert arrived == ([False, True, True, True] if server == "auth" else [False])


def test_no_answer_reaches_a_terminal_as_more_than_letters(toolbox: Toolbox) -> None:
    reply = Reply(500, b"\x1b]0;pwned\x07\x1b[2J\r\n\x9b31m")
    toolbox.collector.behave(Behaviour("answer", reply=reply))
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))

    said = str(toolbox.health()["last_error"])
    assert "pwned" in said
    assert said.isprintable()
