"""The way to the endpoint: proxy, DNS, connection, TLS, and the clock over there."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

from usage_core._delivery.guard import Guard, HungError
from usage_core.commands._finding import Finding

__all__ = ["look"]

_SECONDS = 5.0
_CLOCK_MAY_DIFFER = 300.0


def look(endpoint: str | None, allowed: bool) -> Iterator[Finding]:
    """Ask *endpoint* whether it is there: one HEAD request, if *allowed*, and nothing of the usage.

    Follows the proxy that the environment names, as the usual clients do.
    """
    if endpoint is None:
        yield Finding("network", "ok", "the transport names no host to look for")
        return
    if not allowed:
        yield Finding("network", "note", f"{endpoint} was not asked: nothing may be sent")
        return
    guard = Guard()
    try:
        yield from _look(urlsplit(endpoint), guard)
    finally:
        guard.close()


def _look(url: SplitResult, guard: Guard) -> Iterator[Finding]:
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    proxy = _proxy(url.scheme, host)
    if proxy is not None:
        where = f"{proxy.hostname}:{proxy.port or 80}"
        advice = f"If {host} can be reached without it, add it to NO_PROXY."
        yield Finding("proxy", "note", f"requests go through {where}", advice)
    to, at = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
    try:
        guard.run(_SECONDS, lambda: socket.getaddrinfo(to, at, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as error:
        yield _unknown(to, error)
        return
    yield Finding("dns", "ok", f"{to} is known")
    began = time.time()
    try:
        reply = guard.run(_SECONDS, lambda: _ask(url, host, port, proxy))
    except (OSError, http.client.HTTPException) as error:
        yield _unreachable(url, error)
        return
    yield from _read(url, reply, (began + time.time()) / 2)


def _ask(
    url: SplitResult, host: str, port: int, proxy: SplitResult | None
) -> http.client.HTTPResponse:
    to, at = (host, port) if proxy is None else (proxy.hostname or "", proxy.port or 80)
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        # The same authorities as the transports use: the environment's, else the system's.
        bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
        context = ssl.create_default_context(cafile=bundle or _certifi())
        connection = http.client.HTTPSConnection(to, at, timeout=_SECONDS, context=context)
        if proxy is not None:
            connection.set_tunnel(host, port)
    else:
        connection = http.client.HTTPConnection(to, at, timeout=_SECONDS)
    through = url.scheme == "http" and proxy is not None
    try:
        connection.request("HEAD", f"http://{host}:{port}/" if through else "/")
        return connection.getresponse()
    finally:
        connection.close()


def _read(url: SplitResult, reply: http.client.HTTPResponse, now: float) -> Iterator[Finding]:
    if reply.status == 407:
        advice = "Put the user and the password into the variable that names the proxy."
        yield Finding("proxy", "problem", "the proxy asks who you are", advice)
        return
    encrypted = "encrypted, " if url.scheme == "https" else "NOT encrypted, "
    yield Finding("network", "ok", f"{url.netloc} answers ({encrypted}HTTP {reply.status})")
    try:
        there = parsedate_to_datetime(reply.headers["Date"]).timestamp()
    except (TypeError, ValueError):
        return
    apart = now - there
    if abs(apart) > _CLOCK_MAY_DIFFER:
        yield Finding(
            "clock",
            "problem",
            f"this machine's clock is {abs(apart) / 60:.0f} minutes"
            f" {'ahead of' if apart > 0 else 'behind'} {url.hostname}'s",
            "Set it right: what is recorded now carries the wrong time.",
        )
    else:
        yield Finding("clock", "ok", "the clock agrees with theirs")


def _unknown(host: str, error: Exception) -> Finding:
    if isinstance(error, HungError):
        return Finding("dns", "problem", f"asking for {host}: {error}", "Check the DNS servers.")
    return Finding(
        "dns",
        "problem",
        f"{host} is not known: {error}",
        "Check that this machine is online. A firewall may block the name on purpose.",
    )


def _unreachable(url: SplitResult, error: Exception) -> Finding:
    if isinstance(error, ssl.SSLCertVerificationError):
        return Finding(
            "tls",
            "problem",
            f"the certificate of {url.hostname} is not trusted: {error.verify_message}",
            "If a proxy opens connections here, let SSL_CERT_FILE name its authority's file.",
        )
    if isinstance(error, ssl.SSLError):
        advice = f"Is {url.netloc} the right address, and does it speak https?"
        return Finding("tls", "problem", f"no secure connection: {error}", advice)
    advice = "Check that this machine is online, and that no firewall or proxy is in the way."
    return Finding("network", "problem", f"{url.netloc} cannot be reached: {error}", advice)


def _proxy(scheme: str, host: str) -> SplitResult | None:
    proxies = getproxies()
    address = proxies.get(scheme) or proxies.get("all")
    if not address or proxy_bypass(host):
        return None
    return urlsplit(address if "://" in address else f"http://{address}")


def _certifi() -> str | None:
    try:
        import certifi
    except ImportError:
        return None
    return certifi.where()
