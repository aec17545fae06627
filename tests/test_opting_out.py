"""Who says no is left alone: no file, no process, no request."""

from __future__ import annotations

import pytest

from cli import Toolbox

OFF = ["0", "false", "FALSE", "no", "off", " 0", "n", "f", "never", "disabled", "none", "00", "0.0"]
ON = ["1", "true", "yes", "on", "", "  ", "TRUE"]


@pytest.mark.fault("output", "switched off as `{spelling}`", "TOOLBOX_USAGE_TRACKING")
@pytest.mark.parametrize("spelling", OFF)
def test_every_spelling_of_off_is_off(toolbox: Toolbox, spelling: str) -> None:
    done = toolbox.run("ok", "one", TOOLBOX_USAGE_TRACKING=spelling)

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert [] == toolbox.files()
    assert not toolbox.collector.connections


@pytest.mark.fault("output", "switched off for every tool", "`{variable}={value}`")
@pytest.mark.parametrize(
    ("variable", "value"),
    [("DO_NOT_TRACK", "1"), ("DO_NOT_TRACK", "yes"), ("DO_NOT_TRACK", "anything"),
     ("USAGE_DISABLED", "1"), ("PYTEST_CURRENT_TEST", "test (call)")],
)  # fmt: skip
def test_a_no_for_everybody_is_a_no(toolbox: Toolbox, variable: str, value: str) -> None:
    toolbox.environ[variable] = value
    toolbox.run("login", "alice", TOOLBOX_USAGE_TRACKING="1")

    assert [] == toolbox.files()
    assert not toolbox.collector.connections


@pytest.mark.parametrize("spelling", ON)
def test_a_clear_yes_and_silence_leave_it_on(toolbox: Toolbox, spelling: str) -> None:
    toolbox.run("ok", "one", TOOLBOX_USAGE_TRACKING=spelling, DO_NOT_TRACK="0")
    toolbox.settle()

    assert ["one"] == toolbox.names()
