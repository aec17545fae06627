"""What a person sees of it: nothing, but for a notice said once; and what others may not read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import Machine
from faults.table import saw
from usage_core.testing.behaviour import answer, hang

NOTICE = "Toolbox records which commands are used. Off: TOOLBOX_USAGE_TRACKING=0"


def in_terminal(toolbox: Machine, count: int = 1) -> list[str]:
    """Run `ok` so often at once, each with a terminal for its errors; returns what these show."""
    running: list[tuple[subprocess.Popen[str], int]] = []
    for number in range(count):
        terminal, end = os.openpty()
        command = subprocess.Popen(
            toolbox.command("ok", f"command-{number}"),
            env=toolbox.full_environment(),
            stdout=subprocess.PIPE,
            stderr=end,
            text=True,
        )
        os.close(end)
        running.append((command, terminal))
    shown: list[str] = []
    for command, terminal in running:
        out, _ = command.communicate(timeout=60)
        saw(("ok", "one"), subprocess.CompletedProcess([], command.returncode, out, ""))
        shown.append(_drained(terminal))
    return shown


def _drained(terminal: int) -> str:
    said = b""
    try:
        while piece := os.read(terminal, 4096):
            said += piece
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    return said.decode().replace("\r\n", "\n")


# Whoever is about to write that it was shown waits until all are: none has then seen it written.
TOGETHER = """
import os, sys, time
def together(event, arguments):
    writes = event == "open" and arguments[2] & os.O_APPEND
    if writes and str(arguments[0]).endswith("usage/notice"):
        try:
            os.mkdir({folder!r} + "/" + str(os.getpid()))
        except FileExistsError:
            return
        end = time.monotonic() + 10
        while len(os.listdir({folder!r})) < {count} and time.monotonic() < end:
            time.sleep(0.001)
sys.addaudithook(together)
"""


@pytest.mark.fault("output", "a notice, {count} first runs at once", "terminals; all look together")
@pytest.mark.parametrize("count", [1, 8])
def test_a_notice_is_said_once_on_standard_error(
    toolbox: Machine, tmp_path: Path, count: int
) -> None:
    toolbox.settings["notice"] = NOTICE
    (tmp_path / "met").mkdir()
    source = TOGETHER.format(folder=str(tmp_path / "met"), count=count)
    toolbox.inject(tmp_path / "site", source)
    shown = in_terminal(toolbox, count)
    assert [f"{NOTICE}\n"] == [text for text in shown if text]
    assert count == len(os.listdir(tmp_path / "met"))
    assert not toolbox.collector.requests, "the run that shows the notice sends nothing"
    toolbox.environ.clear()
    assert [""] == in_terminal(toolbox)
    toolbox.settle()
    assert count + 1 == len(toolbox.counted())


@pytest.mark.fault("output", "a notice whose text changed", "a second version of the tool")
def test_a_new_notice_is_said_once(toolbox: Machine) -> None:
    for text in (NOTICE, f"{NOTICE}!"):
        toolbox.settings["notice"] = text
        assert [f"{text}\n"] == in_terminal(toolbox)
        assert [""] == in_terminal(toolbox)
    toolbox.settle()
    assert 4 == len(toolbox.counted())


@pytest.mark.fault("output", "a notice while tracking is off", "`{name}={value}`, a terminal")
@pytest.mark.parametrize(
    ("name", "value"), [("DO_NOT_TRACK", "1"), ("TOOLBOX_USAGE_TRACKING", "0")]
)
def test_no_notice_is_said_when_nothing_is_recorded(
    toolbox: Machine, name: str, value: str
) -> None:
    toolbox.settings["notice"] = NOTICE
    toolbox.environ[name] = value
    assert [""] == in_terminal(toolbox)
    assert [] == toolbox.files()


@pytest.mark.fault("output", "a notice that nobody would see", "standard error is no terminal")
def test_nothing_is_recorded_before_the_notice_was_seen(toolbox: Machine) -> None:
    toolbox.settings["notice"] = NOTICE
    toolbox.run("ok", "one")
    assert not toolbox.records()
    assert [f"{NOTICE}\n"] == in_terminal(toolbox)


@pytest.mark.fault("output", "a notice that cannot be remembered", "its file is a folder")
def test_a_notice_that_would_be_said_for_ever_is_not_said(toolbox: Machine) -> None:
    toolbox.settings["notice"] = NOTICE
    (toolbox.state / "usage" / "notice").mkdir(parents=True)
    assert ["", ""] == in_terminal(toolbox, 2)
    assert not toolbox.records()


@pytest.mark.fault("output", "an event's text, seen by others on the machine", "umask 0; /proc")
def test_what_is_recorded_is_in_private_files_alone(toolbox: Machine) -> None:
    toolbox.collector.behave(hang())
    toolbox.around = ["sh", "-c", 'umask 0; exec "$@"', "sh"]
    toolbox.write_credentials("key-of-alice")
    toolbox.state.chmod(0o700)
    toolbox.run("ok", "the-secret-name")
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    worker = toolbox.worker()
    assert worker is not None
    for part in ("environ", "cmdline"):
        text = Path(f"/proc/{worker}/{part}").read_bytes()
        assert b"the-secret-name" not in text
        assert b"key-of-alice" not in text
    ours = [toolbox.state / "usage.json", *(toolbox.state / "usage").rglob("*")]
    assert {0o600, 0o700} == {path.stat().st_mode & 0o777 for path in ours}
    toolbox.wait_for_failure()
    toolbox.collector.behave(answer())
    toolbox.around = ()
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()


@pytest.mark.fault("output", "a umask of {umask}", "`umask` before the command")
@pytest.mark.parametrize("umask", ["0777", "0077", "0000"])
def test_a_umask_changes_nothing(toolbox: Machine, umask: str) -> None:
    toolbox.around = ["sh", "-c", f'umask {umask}; exec "$@"', "sh"]
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()
    ours = [path for path in toolbox.state.rglob("*") if not path.is_symlink()]
    assert {0o600, 0o700} == {path.stat().st_mode & 0o777 for path in [toolbox.state, *ours]}


@pytest.mark.fault("output", "a command that fails, {trouble}", "`{words}`, the collector hangs")
@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("with an exception", "fail one no-such-toolkit"),
        ("with exit code 3", "exit one 3"),
        ("with exit code 0", "exit one 0"),
        ("by Ctrl-C", "interrupt one"),
        ("with exit code 256", "exit one 256"),
        ("with exit code -1", "exit one -1"),
    ],
)
def test_a_failure_shows_what_it_showed_without(toolbox: Machine, trouble: str, words: str) -> None:
    toolbox.collector.behave(hang())
    toolbox.run(*words.split(), check=False)
    assert toolbox.worker(), "the command is back, and the worker at work"
    toolbox.kill_worker()
    toolbox.recover("two")
    assert ["one", "two"] == toolbox.counted()
