"""The test kit: a test sees what its tool would send, and can prove that it sends nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from usage_core import Tracker
from usage_core.testing import UsageRecorder, assert_silent


@pytest.fixture
def tracker() -> Tracker:
    return Tracker("toolbox", version="1.2.3", transport="posthog", options={"api_key": "phc_x"})


def test_what_a_tool_would_send_is_there_to_be_asserted(
    tracker: Tracker, usage_recorder: UsageRecorder
) -> None:
    with tracker.command("toolkit.run") as command:
        command.set(toolkit="github")

    event = usage_recorder.only()
    assert "CLI execution succeeded" == event.event
    assert ("toolkit.run", "github") == (
        event.properties["command_name"],
        event.properties["toolkit"],
    )
    assert event.is_anon


def test_a_story_of_several_commands_is_told_in_its_order(
    tracker: Tracker, usage_recorder: UsageRecorder
) -> None:
    tracker.track("one", ok=False, error="no such thing")
    tracker.login("alice")
    tracker.logout()
    tracker.track("two")

    assert ["one", "login", "logout", "two"] == usage_recorder.commands
    assert ["alice"] == [link.distinct_id for link in usage_recorder.links]
    assert [True, False, False, True] == [event.is_anon for event in usage_recorder.events]
    with pytest.raises(AssertionError, match="not one event but 4"):
        usage_recorder.only()


def test_a_login_or_logout_that_failed_changes_nobody(
    tracker: Tracker, usage_recorder: UsageRecorder
) -> None:
    tracker.login("alice", ok=False)
    tracker.login("alice", error=RuntimeError("refused"), exit_code=3)
    assert [] == usage_recorder.links

    tracker.login("alice")
    tracker.logout(ok=False)
    tracker.track("after")

    assert [True, True, False, False, False] == [event.is_anon for event in usage_recorder.events]
    assert ["login", "login", "login", "logout", "after"] == usage_recorder.commands


def test_what_a_tool_has_set_in_its_environment_since_it_began_counts(
    tracker: Tracker, usage_recorder: UsageRecorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    tracker.track("one")
    monkeypatch.delenv("GITHUB_ACTIONS")
    monkeypatch.setenv("CI", "0")
    tracker.track("two")

    one, two = usage_recorder.events
    assert (True, "github_actions") == (one.properties["is_ci"], one.properties["ci_name"])
    assert two.properties["is_ci"] is False


def test_recording_writes_starts_and_sends_nothing(
    tracker: Tracker, usage_recorder: UsageRecorder
) -> None:
    tracker.track("the first one imports")
    with assert_silent():
        tracker.track("one")

    assert 2 == len(usage_recorder.events)


def test_without_the_fixture_a_test_records_nothing(tracker: Tracker) -> None:
    with assert_silent():
        tracker.track("one")
        tracker.login("alice")

    assert [] == list(Path(os.environ["HOME"]).iterdir())


@pytest.mark.parametrize(
    "deed",
    [
        lambda folder: (folder / "file").write_text("x"),
        lambda folder: os.open(folder / "file", os.O_CREAT | os.O_WRONLY),
        lambda folder: (folder / "sub").mkdir(),
        lambda _: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda _: socket.socket().close(),
    ],
    ids=["write", "open", "mkdir", "process", "socket"],
)
def test_whoever_is_not_silent_is_named(deed, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not silent: "), assert_silent():
        deed(tmp_path)


def test_tracking_that_works_is_not_silent(tracker: Tracker, tmp_path: Path) -> None:
    at_work = Tracker(
        "toolbox",
        version="1",
        transport="posthog",
        options={"api_key": "phc_x", "host": "http://127.0.0.1:9"},
        state_dir=tmp_path / "state",
    )
    environ = dict(os.environ)
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
        os.environ.pop(name, None)
    try:
        with pytest.raises(AssertionError, match=r"not silent.*posix_spawn"), assert_silent():
            at_work.track("one")
    finally:
        os.environ.update(environ)


def test_reading_is_silent(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with assert_silent():
        file.read_text()
