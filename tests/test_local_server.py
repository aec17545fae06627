"""A local server does what it is told, keeps what it saw, and always stops."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType

import pytest

from usage_core.testing import AuthApi, LocalServer
from usage_core.testing.behaviour import (
    Behaviour,
    answer,
    drip,
    hang,
    lost_reply,
    lost_request,
    never_accept,
    nonsense,
    redirect,
    refuse,
    reset,
    slow,
    status,
)
from usage_core.testing.exchange import Reply, Request, json_reply

_PATIENCE = 30.0


class Counter(LocalServer):
    """A server whose requests have an effect: `processed` counts them."""

    processed = 0

    def handle(self, request: Request) -> Reply:
        with self.changed:
            self.processed += 1
        return json_reply({"processed": self.processed})


def get(
    server: LocalServer,
    path: str = "/",
    *,
    timeout: float = _PATIENCE,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> tuple[int, dict[str, str], bytes]:
    client = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
    try:
        client.request("GET", path, headers=dict(headers))
        response = client.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        client.close()


def post(server: LocalServer, body: bytes, **headers: str) -> Request:
    request = urllib.request.Request(server.url + "/a?b=c", body, headers)
    with urllib.request.urlopen(request, timeout=_PATIENCE):
        return server.requests[-1]


def test_requests_are_kept_whole_and_in_order() -> None:
    with LocalServer() as server:
        first = post(server, b'{"x": 1}', **{"X-Name": "value"})
        get(server, "/second")

    assert ("POST", "/a", "b=c", {"x": 1}) == (first.method, first.path, first.query, first.json())
    assert first.headers["x-name"] == "value"
    assert [1, 2] == [request.number for request in server.requests]
    assert first.began <= first.received <= server.requests[1].began


def test_gzip_is_read_with_and_without_its_header() -> None:
    with LocalServer() as server:
        packed = gzip.compress(b"plain")
        assert post(server, packed, **{"Content-Encoding": "gzip"}).body == b"plain"
        assert post(server, packed).body == b"plain"
        assert post(server, packed[:-6]).body == packed[:-6]


def test_a_chunked_body_and_one_that_waits_for_leave_are_read() -> None:
    with (
        LocalServer() as server,
        socket.create_connection((server.host, server.port), _PATIENCE) as client,
        client.makefile("rb") as replies,
    ):
        client.sendall(b"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.sendall(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
        server.wait_for(lambda: len(server.requests) == 1)
        client.sendall(b"POST /2 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        while b"100 Continue" not in replies.readline():
            pass
        client.sendall(b"hi")
        server.wait_for(lambda: len(server.requests) == 2)

        assert [b"abcde", b"hi"] == [request.body for request in server.requests]
        assert server.connections == 1


@pytest.mark.parametrize("code", [400, 401, 408, 413, 500, 503])
def test_a_status_is_answered_and_nothing_is_processed(code: int) -> None:
    with Counter() as server:
        server.behave(status(code))
        assert get(server)[0] == code
        assert server.processed == 0

        server.behave(status(code, processed=True))
        assert get(server)[0] == code
        assert server.processed == 1


def test_retry_after_comes_as_seconds_or_as_a_date() -> None:
    when = datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)
    with LocalServer() as server:
        server.behave(status(429, retry_after=60))
        assert get(server)[1]["Retry-After"] == "60"
        server.behave(status(429, retry_after=when))
        assert parsedate_to_datetime(get(server)[1]["Retry-After"]) == when


def test_a_counted_behaviour_ends_by_itself_and_several_queue_up() -> None:
    with LocalServer() as server:
        server.behave(status(500), times=2)
        server.behave(status(503), times=1)
        assert [500, 500, 503, 200] == [get(server)[0] for _ in range(4)]

        server.behave(status(500), times=9)
        server.behave(answer())
        assert get(server)[0] == 200


def test_a_refused_port_is_still_ours_and_comes_back() -> None:
    with LocalServer() as server:
        kept = http.client.HTTPConnection(server.host, server.port, timeout=_PATIENCE)
        kept.request("GET", "/")
        kept.getresponse().read()
        server.behave(refuse())

        with pytest.raises(ConnectionRefusedError):
            get(server)
        assert kept.sock.recv(1) == b""
        kept.close()
        with socket.socket() as thief, pytest.raises(OSError, match="in use"):
            thief.bind((server.host, server.port))

        server.behave(answer())
        assert get(server)[0] == 200


def test_a_server_can_be_refusing_from_its_first_moment() -> None:
    server = LocalServer()
    server.behave(refuse())
    with server, pytest.raises(ConnectionRefusedError):
        get(server)


def test_what_nobody_accepts_waits_until_somebody_does() -> None:
    with LocalServer() as server:
        server.behave(never_accept())
        with pytest.raises(TimeoutError):
            get(server, "/early", timeout=0.1)
        assert (0, ()) == (server.connections, server.requests)

        server.behave(answer())
        server.wait_for(lambda: [r.path for r in server.requests] == ["/early"])


def test_a_door_that_is_shut_cannot_be_counted() -> None:
    with LocalServer() as server:
        for behaviour in (refuse(), never_accept()):
            with pytest.raises(ValueError, match="cannot be counted"):
                server.behave(behaviour, times=1)


def test_a_reset_comes_before_anything_is_read() -> None:
    with LocalServer() as server:
        server.behave(reset(), times=1)
        with pytest.raises(ConnectionResetError):
            get(server)
        assert server.requests == ()
        assert get(server)[0] == 200

        server.behave(reset())
        address = (server.host, server.port)
        with (
            pytest.raises(ConnectionResetError),
            socket.create_connection(address, _PATIENCE) as silent,
        ):
            silent.recv(1)


def test_a_hanging_request_was_read_but_not_processed() -> None:
    with Counter() as server:
        server.behave(hang())
        with pytest.raises(TimeoutError):
            get(server, timeout=0.2)
        assert (1, 0) == (len(server.requests), server.processed)


@pytest.mark.parametrize(("behaviour", "processed"), [(lost_reply(), 1), (lost_request(), 0)])
def test_a_lost_connection_says_nothing_about_what_was_processed(
    behaviour: Behaviour, processed: int
) -> None:
    with Counter() as server:
        server.behave(behaviour)
        with pytest.raises(http.client.RemoteDisconnected):
            get(server)
        server.wait_for(lambda: server.processed == processed)
        assert len(server.requests) == 1


def test_a_drip_is_a_good_answer_that_never_keeps_a_read_waiting() -> None:
    with Counter() as server:
        server.behave(drip(0, size=5000))
        code, headers, body = get(server)
        assert (200, {"processed": 1}) == (code, json.loads(body))
        assert int(headers["Content-Length"]) == len(body) > 5000

        server.behave(drip(0.05))
        with socket.create_connection((server.host, server.port), timeout=_PATIENCE) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            began = time.monotonic()
            pieces = [client.recv(100) for _ in range(10)]
            assert time.monotonic() - began > 9 * 0.05 * 0.9
            assert b"".join(pieces).startswith(b"HTTP/1.1 ")


def test_a_slow_answer_is_a_good_one() -> None:
    with Counter() as server:
        server.behave(slow(0.2))
        began = time.monotonic()
        assert get(server)[0] == 200
        assert time.monotonic() - began >= 0.2


def test_nonsense_is_nonsense() -> None:
    with LocalServer() as server:
        server.behave(nonsense("not_json"))
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(get(server)[2])
        server.behave(nonsense("empty"))
        assert get(server)[2] == b""
        server.behave(nonsense("huge"))
        assert len(get(server)[2]) == 32 << 20
        server.behave(nonsense("not_http"))
        with pytest.raises(http.client.BadStatusLine):
            get(server)
        server.behave(nonsense("torn"))
        with pytest.raises(http.client.IncompleteRead):
            get(server)


def test_a_redirect_leads_to_another_server() -> None:
    with LocalServer() as there, LocalServer() as here:
        here.behave(redirect(there.url + "/new", code=302))
        with urllib.request.urlopen(here.url + "/old", timeout=_PATIENCE) as response:
            assert response.status == 200
        assert [["/old"], ["/new"]] == [[r.path for r in s.requests] for s in (here, there)]


def test_what_is_not_http_gets_a_400_and_is_not_kept() -> None:
    with LocalServer() as server:
        for garbage in (b"hello\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"):
            with socket.create_connection((server.host, server.port), _PATIENCE) as client:
                client.sendall(garbage)
                assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        assert server.requests == ()


def test_waiting_in_vain_says_what_was_seen() -> None:
    with LocalServer() as server:
        get(server, "/seen")
        with pytest.raises(TimeoutError, match="GET /seen"):
            server.wait_for(lambda: len(server.requests) == 2, timeout=0.1)


@pytest.mark.parametrize(
    "behaviour",
    [hang(), drip(30), slow(600), never_accept(), nonsense("huge")],
    ids=lambda b: b.kind,
)
def test_stopping_does_not_wait_for_clients(behaviour: Behaviour) -> None:
    """Clients that wait for an answer, never read it, or never finish their request hold nobody."""
    server = LocalServer().start()
    server.behave(behaviour)
    clients = [socket.create_connection((server.host, server.port)) for _ in range(4)]
    for client in clients[1:]:
        client.sendall(b"GET / HTTP/1.1\r\n" + b"\r\n" * (client is not clients[1]))
    if behaviour.kind != "never_accept":
        server.wait_for(lambda: len(server.requests) == 2)

    began = time.monotonic()
    server.stop()
    server.stop()

    assert time.monotonic() - began < 5
    assert not [thread for thread in threading.enumerate() if "_converse" in thread.name]
    for client in clients:
        client.close()


def test_it_starts_again_on_the_port_that_it_had() -> None:
    server = LocalServer()
    urls = []
    for _ in range(2):
        with server:
            urls.append(server.url)
            assert get(server)[0] == 200
    assert urls[0] == urls[1]


def test_64_clients_at_once_lose_nothing() -> None:
    """Each sends ten requests over a kept connection while the behaviour changes under them."""
    with Counter() as server:

        def talk(client: int) -> list[int]:
            codes = []
            connection = http.client.HTTPConnection(server.host, server.port, timeout=_PATIENCE)
            for n in range(10):
                connection.request("POST", f"/{client}/{n}", body=b"x" * 1000)
                response = connection.getresponse()
                response.read()
                codes.append(response.status)
            connection.close()
            return codes

        with ThreadPoolExecutor(64) as pool:
            answers = pool.map(talk, range(64))
            server.behave(status(503), times=100)
            codes = [code for one in answers for code in one]

        assert len(codes) == len({request.path for request in server.requests}) == 640
        assert [*range(1, 641)] == [request.number for request in server.requests]
        assert codes.count(503) == 640 - server.processed <= 100
        assert server.connections == 64


def test_the_ipv6_loopback_will_do() -> None:
    try:
        server = LocalServer(host="::1").start()
    except OSError:
        pytest.skip("no IPv6 here")
    with urllib.request.urlopen(server.url, timeout=_PATIENCE) as response:
        assert response.status == 200
    server.stop()


def test_the_auth_api_knows_keys_and_tokens() -> None:
    tokens = {"t1": {"account_id": "acc"}, "t2": {"principal_id": "prn"}}
    with AuthApi({"k": "principal"}, tokens) as api:

        def ask(path: str, secret: str | None) -> tuple[int, object]:
            headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
            code, _, body = get(api, f"/api/v1/auth/{path}", headers=headers)
            return code, json.loads(body).get("data") if code < 500 else None

        assert ask("validate", "k") == (200, {"principal_id": "principal"})
        assert ask("whoami", "t1") == (200, {"account_id": "acc"})
        assert ask("whoami", "t2") == (200, {"principal_id": "prn"})
        for path, secret in [("validate", "t1"), ("whoami", "k"), ("validate", None)]:
            assert ask(path, secret) == (401, None)
        assert ask("elsewhere", "k") == (404, None)

        api.keys["k"] = "somebody else"
        assert ask("validate", "k") == (200, {"principal_id": "somebody else"})
        api.behave(status(500))
        assert ask("validate", "k") == (500, None)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_auth_api_runs_as_a_program(number: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "usage_core.testing.auth_api",
        "--key",
        "k=p",
        "--token",
        "t=a",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        url = process.stdout.readline().decode().strip()
        request = urllib.request.Request(f"{url}/api/v1/auth/whoami")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=_PATIENCE)
        request.add_header("Authorization", "Bearer t")
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
            assert json.load(response) == {"data": {"account_id": "a"}}
        assert process.stdout.readline() == b"GET /api/v1/auth/whoami 401\n"

        process.send_signal(number)
        _, errors = process.communicate(timeout=_PATIENCE)
    assert (0, b"") == (process.returncode, errors)
