"""A tool that declares its properties sends no others, and its users can read which they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import Toolbox
from usage_core import Tracker
from usage_core.commands import document, preview
from usage_core.testing import UsageRecorder, assert_documented
from usage_core.testing.recorder import recording

EVENTS = {"*": {"theme": "the colours"}, "toolkit.run": {"toolkit": "which toolkit"}}


@pytest.fixture
def tracker() -> Tracker:
    return Tracker("toolbox", version="1", transport="posthog", events=EVENTS)


def test_what_is_declared_is_recorded(tracker: Tracker, usage_recorder: UsageRecorder) -> None:
    tracker.track("toolkit.run", properties={"toolkit": "github", "theme": "dark"})

    properties = usage_recorder.only().properties
    assert ("github", "dark") == (properties["toolkit"], properties["theme"])


@pytest.mark.parametrize(("command", "name"), [("toolkit.run", "path"), ("other", "toolkit")])
def test_what_is_not_declared_is_refused_in_tests(
    tracker: Tracker, command: str, name: str
) -> None:
    with (
        pytest.raises(AssertionError, match=f"not declared: {name!r} of {command!r}"),
        recording() as recorder,
    ):
        tracker.track(command, properties={name: "x"})

    assert name not in recorder.only().properties


def test_what_is_not_declared_is_dropped_in_the_field(toolbox: Toolbox) -> None:
    toolbox.settings["events"] = {"one": {"shade": "not what the tool sets"}}
    toolbox.run("ok", "one")
    toolbox.settings["events"] = {"two": {"colour": "what the tool sets"}}
    toolbox.run("ok", "two")
    toolbox.settle()

    assert [None, "green"] == [e["properties"].get("colour") for e in toolbox.captures()]


def test_the_preview_lists_what_is_declared_and_promises_no_more(tracker: Tracker) -> None:
    listed = {
        spec.name: spec for message in preview(tracker).messages for spec in message.properties
    }

    assert ("which toolkit", "with toolkit.run") == (listed["toolkit"].says, listed["toolkit"].when)
    assert ("the colours", "") == (listed["theme"].says, listed["theme"].when)
    assert any("there are no others" in note for note in preview(tracker).notes)


def test_the_document_is_checked_against_the_declaration(tracker: Tracker, tmp_path: Path) -> None:
    path = tmp_path / "USAGE.md"
    with pytest.raises(AssertionError, match=r"USAGE\.md is not what the tracker declares"):
        assert_documented(tracker, path)
    path.write_text(document(tracker))
    assert_documented(tracker, path)

    changed = Tracker("toolbox", version="1", transport="posthog", events={"*": {"x": "new"}})
    with pytest.raises(AssertionError):
        assert_documented(changed, path)
    assert "| `toolkit` | which toolkit (with toolkit.run) |" in path.read_text()
    assert "TOOLBOX_USAGE_TRACKING=0" in path.read_text()


def test_every_property_that_an_event_has_is_in_the_preview(toolbox: Toolbox) -> None:
    toolbox.run("fail", "one", "it broke", check=False, CI="true", CLAUDECODE="1")
    toolbox.run("login", "alice")
    toolbox.settle()
    tracker = Tracker("toolbox", version="1", transport="posthog", events={})
    listed = {spec.name for message in preview(tracker).messages for spec in message.properties}

    sent = {name for event in toolbox.captures() for name in event["properties"]}
    assert set() == {name for name in sent - listed if not name.startswith("$")}
