"""Why nothing arrives: what is made to go wrong here, the doctor finds, and says what to do."""

from __future__ import annotations

import fcntl
import json
import os
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any

import pytest
import trustme

from cli import wait_until
from usage_core.testing import AuthApi, LocalServer
from usage_core.testing.behaviour import hang, refuse, status
from usage_core.testing.exchange import Reply, Request
from usage_machine import Machine
from usage_posthog.collector import Collector


@pytest.fixture
def machine(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home", collector, auth)
    yield machine
    machine.kill_worker()


def found(machine: Machine, about: str, level: str, **environ: str) -> dict[str, Any]:
    """The one finding of that level about that; the exit code is that of a doctor who found it."""
    done = machine.run("usage", "doctor", "--json", check=False, **environ)
    assert not done.stderr
    diagnosis = json.loads(done.stdout)
    problems = [one for one in diagnosis["findings"] if one["level"] == "problem"]
    assert (done.returncode == 0) == diagnosis["healthy"] == (not problems)
    those = [one for one in diagnosis["findings"] if (one["about"], one["level"]) == (about, level)]
    assert 1 == len(those), diagnosis["findings"]
    assert those[0]["advice"] or level in ("ok", "note")
    finding: dict[str, Any] = those[0]
    return finding


def test_where_all_is_well_every_finding_is(machine: Machine) -> None:
    machine.write_credentials("key-of-alice")
    machine.do("one")
    machine.settle()
    wait_until(lambda: machine.health().get("last_success"))
    wait_until(lambda: machine.worker() is None)

    findings = machine.look("doctor")["findings"]

    assert {"ok"} == {one["level"] for one in findings}
    seen = {one["about"] for one in findings}
    assert {"consent", "folder", "lock", "interpreter", "transport", "plug-ins"} <= seen
    assert {"credentials", "dns", "network", "delivery"} <= seen
    assert "a worker starts" in machine.usage("doctor")


def test_off_is_the_reason_and_nobody_is_asked(machine: Machine) -> None:
    reason = found(machine, "consent", "off", DO_NOT_TRACK="1")

    assert "DO_NOT_TRACK" in reason["text"] + reason["advice"]
    assert 0 == machine.collector.connections
    assert [] == machine.files()


def test_the_own_no_is_told_apart(machine: Machine) -> None:
    machine.usage("disable")

    assert "enable" in found(machine, "consent", "off")["advice"]


def test_a_choice_that_cannot_be_understood(machine: Machine) -> None:
    machine.usage("enable")
    machine.consent.write_text("perhaps")

    assert str(machine.consent) in found(machine, "consent", "problem")["text"]


def test_a_notice_that_was_not_shown(machine: Machine) -> None:
    machine.settings["notice"] = "we look at you"

    assert "not shown" in found(machine, "notice", "off")["text"]


def test_a_folder_that_others_can_read(machine: Machine) -> None:
    machine.usage("enable")
    (machine.state / "usage").chmod(0o755)

    assert "chmod 700" in found(machine, "folder", "note")["advice"]


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root gives files away")
def test_a_folder_that_sudo_left_to_root(machine: Machine) -> None:
    machine.usage("enable")
    os.chown(machine.state / "usage", 12345, -1)

    assert "chown" in found(machine, "folder", "problem")["advice"]


def test_a_folder_that_cannot_be_made(machine: Machine) -> None:
    machine.state.write_text("a file")

    found(machine, "folder", "problem")


def test_a_lock_that_somebody_holds(machine: Machine) -> None:
    machine.usage("enable")
    with (machine.state / "usage" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        assert "another process" in found(machine, "lock", "note")["text"]


@pytest.mark.parametrize("executable", ["", "/nowhere/python"])
def test_an_interpreter_that_cannot_start_a_worker(machine: Machine, executable: str) -> None:
    machine.without()
    site = machine.home / "site" / "sitecustomize.py"
    site.write_text(f"import sys\nsys.executable = {executable!r}\n")

    assert "no worker can start" in found(machine, "interpreter", "problem")["text"]


def test_a_worker_that_lacks_a_library(machine: Machine) -> None:
    machine.without()
    site = machine.home / "site" / "sitecustomize.py"
    site.write_text("import sys\nif '-c' in sys.orig_argv: sys.modules['pluggy'] = None\n")

    assert "pluggy" in found(machine, "interpreter", "problem")["text"]


def test_a_transport_that_is_not_installed(machine: Machine) -> None:
    finding = found(machine, "transport", "problem", TOOLBOX_USAGE_TRANSPORT="pigeon")

    assert "pip install usage-pigeon" in finding["text"]


def test_a_transport_that_two_packages_claim(machine: Machine) -> None:
    for name in ("one", "other"):
        folder = machine.home / "site" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[usage.transports]\ntwice = json\n")
    machine.without()

    finding = found(machine, "transport", "problem", TOOLBOX_USAGE_TRANSPORT="twice")

    assert "one, other" in finding["text"]


def test_a_transport_whose_options_are_wrong(machine: Machine) -> None:
    machine.settings["options"] = {"host": machine.collector.url}

    assert "api_key" in found(machine, "transport", "problem")["text"]


def test_a_transport_that_sends_nothing(machine: Machine) -> None:
    found(machine, "transport", "off", TOOLBOX_USAGE_TRANSPORT="null")


def test_a_plug_in_that_cannot_be_loaded(machine: Machine) -> None:
    machine.settings["plugins"] = ["no_such_plug_in"]

    assert "no_such_plug_in" in found(machine, "plug-ins", "problem")["text"]


def test_a_library_that_is_missing_to_ask_who_it_is(machine: Machine) -> None:
    machine.without("httpx", "yaml")

    finding = found(machine, "credentials", "problem")

    assert "httpx and yaml" in finding["text"]
    assert "usage-core[whoami]" in finding["advice"]


def test_a_host_that_nobody_knows(machine: Machine) -> None:
    machine.settings["options"] = {"api_key": "phc_x", "host": "https://nowhere.invalid"}

    assert "nowhere.invalid" in found(machine, "dns", "problem")["text"]


def test_a_host_that_refuses(machine: Machine) -> None:
    machine.collector.behave(refuse())

    found(machine, "network", "problem")


def test_a_host_that_never_answers(machine: Machine) -> None:
    machine.collector.behave(hang())

    found(machine, "network", "problem")


class NoTls(StreamRequestHandler):
    def handle(self) -> None:
        self.request.recv(65536)
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.rfile.read()  # until the other end has seen enough


def test_a_host_that_speaks_no_tls(machine: Machine) -> None:
    with TCPServer(("127.0.0.1", 0), NoTls) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"https://127.0.0.1:{server.server_address[1]}"
        machine.settings["options"] = {"api_key": "phc_x", "host": host}

        assert "https" in found(machine, "tls", "problem")["advice"]

        server.shutdown()


def test_a_certificate_that_is_not_trusted(machine: Machine) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(machine.home / "authority.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), Silent)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"https://localhost:{server.server_port}"
    machine.settings["options"] = {"api_key": "phc_x", "host": host}

    assert "SSL_CERT_FILE" in found(machine, "tls", "problem")["advice"]
    trusted = found(machine, "network", "ok", SSL_CERT_FILE=str(machine.home / "authority.pem"))
    assert "(encrypted" in trusted["text"]

    server.shutdown()
    server.server_close()


class Silent(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


def test_a_proxy_is_named_and_followed(machine: Machine) -> None:
    with LocalServer() as proxy:
        machine.settings["options"] = {"api_key": "phc_x", "host": "http://nowhere.invalid"}

        finding = found(machine, "proxy", "note", http_proxy=f"http://user:secret@{proxy.url[7:]}")

        assert proxy.url[7:] in finding["text"]
        assert "secret" not in finding["text"]
        assert "nowhere.invalid:80" == proxy.requests[0].headers["host"]


def test_a_proxy_that_asks_who_one_is(machine: Machine) -> None:
    with LocalServer() as proxy:
        proxy.behave(status(407))
        machine.settings["options"] = {"api_key": "phc_x", "host": "http://nowhere.invalid"}

        found(machine, "proxy", "problem", http_proxy=proxy.url)


class OtherClock(LocalServer):
    """A server whose clock differs from ours."""

    ahead = timedelta(hours=2)

    def handle(self, request: Request) -> Reply:
        date = format_datetime(datetime.now(UTC) + self.ahead, usegmt=True)
        return Reply(200, headers={"Date": date})


def test_a_clock_that_is_wrong(machine: Machine) -> None:
    with OtherClock() as server:
        machine.settings["options"] = {"api_key": "phc_x", "host": server.url}

        assert "120 minutes behind" in found(machine, "clock", "problem")["text"]


def test_something_recorded_in_the_future(machine: Machine) -> None:
    machine.start_no_worker()
    machine.do("one")
    (record,) = machine.records()
    record.rename(record.with_name(f"{time.time_ns() + 8000 * 10**9:020d}-1-0.json"))

    assert "set back" in found(machine, "clock", "problem")["advice"]


def test_what_the_collector_said_last(machine: Machine) -> None:
    machine.collector.behave(status(503))
    machine.do("one")
    wait_until(lambda: machine.health().get("failures"))

    assert "503" in found(machine, "delivery", "problem")["text"]


def test_records_that_were_set_aside(machine: Machine) -> None:
    machine.start_no_worker()
    machine.do("one")
    (record,) = machine.records()
    record.write_text("not JSON")
    machine.usage("flush", code=1)

    assert "1 could not be used" in found(machine, "records", "note")["text"]


def test_what_waits_for_another_transport(machine: Machine) -> None:
    machine.collector.behave(refuse())
    machine.do("one")
    wait_until(lambda: machine.health().get("failures"))

    finding = found(machine, "queue", "note", TOOLBOX_USAGE_TRANSPORT="stdout")

    assert "posthog" in finding["text"]


def test_a_file_where_a_folder_should_be(machine: Machine) -> None:
    machine.usage("enable")
    (machine.state / "usage" / "journal").write_text("a file")

    assert "journal is not a folder" in found(machine, "folder", "problem")["text"]
    assert 0 == machine.look("status")["unfolded"]
    assert [] == machine.look("show")["entries"]


def test_a_look_that_fails_keeps_the_doctor_from_nothing_else(machine: Machine) -> None:
    machine.settings["options"] = {"api_key": "phc_x", "host": "http://localhost:port"}

    findings = machine.look("doctor", code=1)["findings"]

    (failed,) = [one for one in findings if one["level"] == "problem"]
    assert ("network", True) == (failed["about"], "port" in failed["text"])
    assert "delivery" == findings[-1]["about"]
