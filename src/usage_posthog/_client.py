"""One request through PostHog's official client, and what its answer means."""

from __future__ import annotations

import inspect
import json
import os
import time
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from posthog import request
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from usage_core import Unavailable

__all__ = ["RefusedError", "post"]

_MOST = 64 * 1024

client: Any = request  # its types are in part unknown, and differ between versions


class RefusedError(Exception):
    """Raised when PostHog will never take this request; *whole* if not because of one event."""

    def __init__(self, reason: str, *, whole: bool) -> None:
        super().__init__(reason)
        self.whole = whole


def post(api_key: str, host: str, events: list[dict[str, object]], timeout: float) -> None:
    """Deliver *events* in one request; returns when PostHog has accepted them all.

    Raises `RefusedError`, or `Unavailable` for whatever may pass: the client's errors end here.
    """
    if timeout <= 0:
        raise Unavailable("no time is left")
    try:
        with _session() as session:
            _batch_post(session, api_key, host, events, timeout)
    except (requests.RequestException, HTTPError) as error:
        raise Unavailable(f"{type(error).__name__}: {error}"[:300]) from error
    except client.APIError as error:
        raise Unavailable(str(error)[:300]) from error


def _batch_post(
    session: requests.Session,
    api_key: str,
    host: str,
    events: list[dict[str, object]],
    timeout: float,
) -> None:
    details: dict[str, Any] = {"gzip": True, "timeout": timeout, "batch": events}
    if "session" in inspect.signature(client.post).parameters:
        client.batch_post(api_key, host, session=session, **details)
        return
    # Before 7.8 the client has one session for everybody, and no argument for another.
    shared = client._session  # noqa: SLF001  # there is no other way in
    client._session = session  # noqa: SLF001  # as above
    try:
        client.batch_post(api_key, host, **details)
    finally:
        client._session = shared  # noqa: SLF001  # as above


def _session() -> requests.Session:
    """Return a session without what the client's own adds: retries, redirects, endless answers."""
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=0))
    session.max_redirects = 0
    session.stream = True
    session.auth = _as_it_is  # or requests adds the password that .netrc has for the host
    session.headers["Accept-Encoding"] = "identity"  # what is packed small can be large
    session.verify = os.environ.get("SSL_CERT_FILE") or True
    session.hooks["response"].append(_judge)
    return session


def _as_it_is(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
    return prepared


def _judge(response: requests.Response, **_: object) -> None:
    """Raise what *response* means unless it says that everything was accepted."""
    status, body = response.status_code, _beginning(response)
    said = f"HTTP {status} {body[:200].decode('utf-8', 'replace')}".strip()
    if status == 200 and _is_acceptance(body):
        return
    if status == 200:
        raise Unavailable(f"not PostHog's answer: {said}")
    if status in (400, 413):
        raise RefusedError(said, whole=False)
    if status == 401:
        raise RefusedError(f"the api_key was refused: {said}", whole=True)
    raise Unavailable(said, _seconds(response.headers.get("Retry-After")))


def _beginning(response: requests.Response) -> bytes:
    body = b""
    for piece in response.raw.stream(4096, decode_content=False):
        body += piece
        if len(body) > _MOST:
            break
    return body[:_MOST]


def _is_acceptance(body: bytes) -> bool:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):  # a captive portal's page, say
        return False
    return isinstance(found, dict) and "status" in found


def _seconds(retry_after: str | None) -> float | None:
    """Return what a Retry-After header asks for, a number of seconds or a date (RFC 9110)."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))  # in this order, what is no number counts as 0
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except (OverflowError, ValueError):
        return None
