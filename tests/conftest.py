"""Fixtures for all tests: a clean environment, local servers, a tool on somebody's machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import Toolbox
from usage_core.testing import AuthApi
from usage_posthog.collector import Collector

pytest_plugins = ["faults.table"]


def pytest_configure() -> None:
    """Let signals have their default actions: children ignore what `nohup` lets us ignore."""
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            is_interrupt = number == signal.SIGINT
            signal.signal(number, signal.default_int_handler if is_interrupt else signal.SIG_DFL)


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees what the machine that runs it is set to, nor its home."""
    for name in list(os.environ):
        if (
            name in ("DO_NOT_TRACK", "USAGE_DISABLED")
            or "_USAGE_" in name
            or "PROXY" in name.upper()
        ):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def auth() -> Iterator[AuthApi]:
    with AuthApi(keys={"key-of-alice": "alice", "key-of-bob": "bob"}) as auth:
        yield auth


@pytest.fixture
def toolbox(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Toolbox]:
    """A tool that nobody has used yet; its worker does not outlive the test."""
    toolbox = Toolbox(tmp_path / "home", collector, auth)
    yield toolbox
    toolbox.kill_worker()
