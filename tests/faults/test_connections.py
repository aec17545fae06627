"""What lies between a machine and a collector: DNS, TLS, proxies, IPv6, and no network at all."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
import trustme

from cli import wait_until
from faults.front import front, name_server
from faults.machine import Machine, apart, needs_root
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import answer, refuse, status
from usage_posthog.collector import Collector

ELSEWHERE = "http://collector.test"


def send_to(toolbox: Machine, host: str) -> None:
    toolbox.settings["options"] = {"api_key": "phc_test", "host": host}


def delivered(toolbox: Machine, *names: str) -> None:
    """Run one more command, now that all is well, and see that it and *names* arrive once."""
    toolbox.end_pause()
    toolbox.run("ok", "last")
    toolbox.settle()
    assert [*names, "last"] == toolbox.names()


@pytest.mark.fault("network", "no network at all", "a network namespace with nothing in it")
@needs_root
def test_without_a_network_everything_waits(toolbox: Machine) -> None:
    toolbox.around = apart("", "net")
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.around = ()
    delivered(toolbox, "one")


@pytest.mark.fault(
    "network", "packets to the collector vanish", "a network namespace with a route into nowhere"
)
@needs_root
def test_a_black_holed_collector_holds_the_worker_alone_and_not_for_long(toolbox: Machine) -> None:
    send_to(toolbox, "http://192.0.2.2:8080")
    toolbox.around = apart(
        "ip link add out type veth peer name nowhere; ip address add 192.0.2.1/24 dev out\n"
        "ip link set out up; ip link set nowhere up\n"
        "ip neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev out",
        "net",
    )
    toolbox.run("ok", "one")
    assert toolbox.worker(), "the command is back, and the worker tries"
    toolbox.wait_for_failure()
    assert "imed out" in str(toolbox.health()) or "no answer" in str(toolbox.health())

    toolbox.around = ()
    del toolbox.settings["options"]
    delivered(toolbox, "one")


@pytest.mark.fault("network", "the collector's backlog is full", "a listening socket, never read")
def test_a_full_backlog_holds_the_worker_alone(toolbox: Machine) -> None:
    door = socket.create_server(("127.0.0.1", 0), backlog=0)
    with door, socket.create_connection(door.getsockname()):
        send_to(toolbox, f"http://127.0.0.1:{door.getsockname()[1]}")
        toolbox.run("ok", "one")
        assert toolbox.worker()
        toolbox.wait_for_failure()
    del toolbox.settings["options"]
    delivered(toolbox, "one")


@pytest.fixture
def resolver(toolbox: Machine, tmp_path: Path) -> str:
    """Have commands ask a name server of ours, at the address that is returned."""
    (tmp_path / "resolv.conf").write_text(address := f"nameserver 127.53.{os.getpid() % 250}.1\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    binds = [
        f"mount --bind {tmp_path}/{name} /etc/{name}" for name in ("resolv.conf", "nsswitch.conf")
    ]
    toolbox.around = apart("\n".join(binds), "mount")
    send_to(toolbox, f"{ELSEWHERE}:{toolbox.collector.port}")
    return address.split()[1]


@pytest.mark.fault("network", "DNS hangs", "resolv.conf names a server that never answers")
@needs_root
def test_dns_that_hangs_holds_the_worker_alone_and_not_for_long(
    toolbox: Machine, resolver: str
) -> None:
    with name_server(resolver, {}) as asked:
        toolbox.run("ok", "one")
        assert toolbox.worker(), "the command is back, and the worker asks"
        toolbox.wait_for_failure()
        assert asked
    with name_server(resolver, {"collector.test": "127.0.0.1"}):
        delivered(toolbox, "one")


@pytest.mark.fault("network", "DNS refuses", "resolv.conf names a port that nobody listens at")
@needs_root
def test_without_dns_everything_waits(toolbox: Machine, resolver: str) -> None:
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    with name_server(resolver, {"collector.test": "127.0.0.1"}):
        delivered(toolbox, "one")


@attrs.frozen
class Authority:
    """A certificate authority of the test's own, and where its certificate lies."""

    path: str
    server: ssl.SSLContext


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    made.cert_pem.write_to_path(str(path))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    issued = made.issue_cert("127.0.0.1", "collector.test")
    issued.configure_cert(server)  # pyright: ignore[reportUnknownMemberType]  # takes OpenSSL's too
    return Authority(str(path), server)


@pytest.fixture
def secure(toolbox: Machine, authority: Authority) -> Iterator[str]:
    with front(toolbox.collector.port, authority.server) as port:
        send_to(toolbox, f"https://127.0.0.1:{port}")
        yield authority.path


@pytest.mark.fault("network", "the collector's CA is the company's own", "TLS, with SSL_CERT_FILE")
def test_a_custom_ca_is_honoured(toolbox: Machine, secure: str) -> None:
    toolbox.environ["SSL_CERT_FILE"] = secure
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault("network", "the collector's certificate is by nobody known", "TLS, unknown CA")
def test_nothing_goes_to_a_collector_that_cannot_prove_itself(
    toolbox: Machine, secure: str
) -> None:
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    assert not toolbox.collector.requests
    assert "certificate" in str(toolbox.health()).lower()

    toolbox.environ["SSL_CERT_FILE"] = secure
    delivered(toolbox, "one")


@pytest.mark.fault("network", "SSL_CERT_FILE names no file", "TLS, a variable left over")
def test_a_ca_file_that_is_missing_loses_nothing(toolbox: Machine, secure: str) -> None:
    toolbox.environ["SSL_CERT_FILE"] = f"{secure}.gone"
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.environ["SSL_CERT_FILE"] = secure
    delivered(toolbox, "one")


@pytest.mark.fault("network", "the auth API's CA is the company's own", "TLS, with SSL_CERT_FILE")
def test_a_custom_ca_is_honoured_for_the_auth_api(toolbox: Machine, authority: Authority) -> None:
    with front(toolbox.auth.port, authority.server) as port:
        toolbox.settings["whoami"] = f"https://127.0.0.1:{port}"
        toolbox.environ["SSL_CERT_FILE"] = authority.path
        toolbox.write_credentials("key-of-alice")
        toolbox.run("ok", "one")
        toolbox.settle()

    assert ["alice"] == [event["distinct_id"] for event in toolbox.captures()]


@pytest.mark.fault(
    "network", "a TLS handshake that never ends", "https to a server that only reads"
)
def test_a_handshake_that_hangs_holds_the_worker_alone(toolbox: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        send_to(toolbox, f"https://127.0.0.1:{door.getsockname()[1]}")
        toolbox.run("ok", "one")
        assert toolbox.worker()
        toolbox.wait_for_failure()
    del toolbox.settings["options"]
    delivered(toolbox, "one")


@pytest.mark.fault("network", "only a proxy leads out", "http_proxy; a name only the proxy knows")
def test_a_proxy_is_honoured(toolbox: Machine) -> None:
    send_to(toolbox, ELSEWHERE)
    toolbox.environ["http_proxy"] = toolbox.collector.url
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault("network", "only a proxy leads out, with TLS inside", "https_proxy; CONNECT")
def test_a_proxy_that_tunnels_is_honoured(toolbox: Machine, authority: Authority) -> None:
    with front(toolbox.collector.port, authority.server, connect=True) as port:
        send_to(toolbox, "https://collector.test")
        toolbox.environ["https_proxy"] = f"http://127.0.0.1:{port}"
        toolbox.environ["SSL_CERT_FILE"] = authority.path
        toolbox.run("ok", "one")
        toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault(
    "network", "a proxy that must not be used", "http_proxy to a dead port, no_proxy"
)
def test_no_proxy_is_honoured(toolbox: Machine) -> None:
    toolbox.environ.update(http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault("network", "a proxy that {trouble}", "http_proxy to a server on loopback")
@pytest.mark.parametrize(
    "trouble", [refuse(), status(407), status(502)], ids=["dead", "407", "502"]
)
def test_a_proxy_in_trouble_loses_nothing(toolbox: Machine, trouble: object) -> None:
    with Collector() as proxy:
        proxy.behave(trouble)  # type: ignore[arg-type]  # a Behaviour
        toolbox.environ["http_proxy"] = proxy.url
        toolbox.run("ok", "one")
        toolbox.wait_for_failure()
        proxy.behave(answer())
    toolbox.environ.clear()
    delivered(toolbox, "one")


@pytest.mark.fault("network", "a proxy variable that is no address", "http_proxy=`{value}`")
@pytest.mark.parametrize("value", ["nonsense://x", "http://[::", ":0"])
def test_a_proxy_that_cannot_be_one_loses_nothing(toolbox: Machine, value: str) -> None:
    toolbox.environ["http_proxy"] = value
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.environ.clear()
    delivered(toolbox, "one")


@pytest.mark.fault("network", "the collector has IPv6 only", "a server on ::1")
def test_ipv6_is_as_good(toolbox: Machine) -> None:
    with Collector(host="::1") as collector:
        toolbox.collector = collector
        toolbox.run("ok", "one")
        toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault("network", "the auth API has IPv6 only", "a server on ::1, an API key")
def test_ipv6_is_as_good_for_the_auth_api(toolbox: Machine) -> None:
    with AuthApi(keys={"key-of-alice": "alice"}, host="::1") as auth:
        toolbox.auth = auth
        toolbox.write_credentials("key-of-alice")
        toolbox.run("ok", "one")
        toolbox.settle()
    wait_until(lambda: toolbox.identity()["linked_principal_id"] == "alice")

    assert ["alice"] == [event["distinct_id"] for event in toolbox.captures()]
