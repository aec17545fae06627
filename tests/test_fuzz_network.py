"""Whatever a server answers: no crash, no hang, and nothing that is taken for more than it is."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import (
    ANSWERS,
    around,
    awkward,
    many,
    some,
    values,
)
from usage_core import Unavailable
from usage_core._delivery.backoff import pause
from usage_core._identity import credentials
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import Behaviour
from usage_posthog import _client
from usage_posthog.collector import Collector


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@many
@given(data=around(*ANSWERS))
def test_an_answer_of_the_auth_api_names_a_principal_or_nobody(data: bytes) -> None:
    """It is a text or none, or a `ValueError` that the caller notes."""
    try:
        found = credentials._principal(data, ("account_id", "principal_id"))
    except (ValueError, RecursionError):
        return
    assert found is None or isinstance(found, str)


@many
@given(found=values | st.just({"cloud": {"auth": {"access_token": "t\r\nHost: evil"}}}))
def test_no_credentials_make_a_header_of_more_than_a_line(found: object) -> None:
    """A token that a header cannot carry is none."""
    for token, _, _ in credentials._tokens(found):
        assert token.isascii()
        assert token.isprintable()


@many
@given(text=st.text() | awkward.map(str) | st.sampled_from(["-0", "1e400", "Mon, 99 Foo 9"]))
def test_any_retry_after_is_a_wait_of_two_hours_at_most(text: str) -> None:
    """A number, a date, or nonsense: the pause that comes of it is one."""
    asked = _client._seconds(text)
    assert asked is None or asked >= 0
    assert 1 <= pause(1, asked, 0.5) <= 7200


@many
@given(data=around({"status": 1}, {"status": "Ok"}))
def test_only_an_object_with_a_status_is_acceptance(data: bytes) -> None:
    """Whatever else comes with a 200 is somebody else's answer."""
    accepted = _client._is_acceptance(data)
    assert accepted == (isinstance(_or_none(data), dict) and "status" in _or_none(data))


def _or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


raw_replies = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda status, headers, body: b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, headers, body),
        st.integers(0, 999),
        st.sampled_from(
            [
                b"",
                b"Content-Length: -1\r\n",
                b"Content-Length: 99999999999999999999\r\n",
                b"Content-Length: 2\r\nContent-Length: 3\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Content-Encoding: br, zstd, deflate\r\n",
                b"Retry-After: \xff\r\n",
                b"Location: file:///etc/passwd\r\n",
                b"Set-Cookie: a=b\r\nNo colon here\r\n",
                b"X: " + b"y" * 70_000 + b"\r\n",
                b"X: y\r\n" * 200,
            ]
        ),
        around(*ANSWERS),
    ),
)


@pytest.fixture(scope="module")
def two_servers() -> Iterator[tuple[Collector, AuthApi]]:
    with Collector() as collector, AuthApi(keys={"key": "alice"}) as auth:
        yield collector, auth


@some
@given(reply=raw_replies)
def test_any_reply_of_the_collector_is_acceptance_refusal_or_a_wait(
    two_servers: tuple[Collector, AuthApi], reply: bytes
) -> None:
    """Raw bytes over a socket: nothing of the libraries between comes out, and it ends in time."""
    collector, _ = two_servers
    collector.behave(Behaviour("answer", reply=reply))
    began = time.monotonic()
    try:
        _client.post("phc_x", collector.url, [{"event": "x"}], 2.0)
    except (Unavailable, _client.RefusedError):
        pass
    assert time.monotonic() - began < 30  # on however busy a machine


@some
@given(reply=raw_replies)
def test_any_reply_of_the_auth_api_is_a_principal_or_none(
    two_servers: tuple[Collector, AuthApi], folder: Path, reply: bytes
) -> None:
    """Raw bytes over a socket: a text, none, or an `Exception` that is noted; and in time."""
    _, auth = two_servers
    auth.behave(Behaviour("answer", reply=reply))
    path = folder / "credentials.yaml"
    path.write_text("api_key: key")
    resolver = credentials.CredentialsResolver(str(path), auth.url)
    began = time.monotonic()
    try:
        found = resolver.usage_principal("stamp", 2.0)
    except Exception:  # noqa: BLE001  # whatever it is, the caller notes it
        found = None
    assert found is None or isinstance(found, str)
    assert time.monotonic() - began < 30  # on however busy a machine
