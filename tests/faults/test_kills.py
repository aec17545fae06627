"""Commands and workers that are killed, at each of their steps."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import Machine
from faults.table import killed
from usage_core.testing.behaviour import hang

KILLER = """
import os, sys
where = "usage-worker" in sys.orig_argv
if where == {in_worker} and os.path.exists({fuse!r}):
    seen = 0
    def watch(event, arguments):
        global seen
        if event in {events!r} and {home!r} in str(arguments):
            seen += 1
            if seen == {step}:
                os.unlink({fuse!r})
                os.kill(os.getpid(), 9)
    sys.addaudithook(watch)
"""
FILES = ("open", "os.rename", "os.remove", "os.mkdir", "os.utime", "os.truncate")


def kill_at(
    toolbox: Machine, folder: Path, step: int, *events: str, in_worker: bool = True
) -> Path:
    """Have one process killed before its *step*-th of these events; returns what is gone then."""
    fuse = folder / "fuse"
    fuse.touch()
    state = str(toolbox.state)
    source = KILLER.format(
        in_worker=in_worker, fuse=str(fuse), events=events, home=state, step=step
    )
    toolbox.inject(folder / "site", source)
    return fuse


@pytest.mark.fault(
    "processes", "a worker killed before its file operation {step}", "SIGKILL at an audit event"
)
@pytest.mark.parametrize("step", [*range(2, 30, 3), *range(30, 50, 6)])
def test_a_worker_killed_at_a_step_loses_nothing(
    toolbox: Machine, tmp_path: Path, step: int
) -> None:
    toolbox.write_credentials("key-of-alice")
    fuse = kill_at(toolbox, tmp_path, step, *FILES)
    toolbox.run("ok", "one")
    wait_until(lambda: not fuse.exists() or (not toolbox.worker() and not toolbox.records()))
    wait_until(lambda: toolbox.worker() is None)
    fuse.unlink(missing_ok=True)
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()

    assert ["one", "two"] == toolbox.counted()
    links = {(e["uuid"], e["properties"]["$anon_distinct_id"])
             for e in toolbox.collector.events if e["event"] == "$identify"}  # fmt: skip
    assert 1 == len(links)
    assert {"alice"} == {event["distinct_id"] for event in toolbox.captures()}


def be_killed(toolbox: Machine, *words: str) -> None:
    environ = toolbox.full_environment()
    done = subprocess.run(toolbox.command(*words), env=environ, capture_output=True, check=False)
    assert -signal.SIGKILL == done.returncode
    killed()


@pytest.mark.fault(
    "processes", "a command killed inside a write", "SIGKILL between the file and its name"
)
def test_what_a_killed_command_left_behind_is_cleaned_up(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    kill_at(toolbox, tmp_path, 1, "os.rename", in_worker=False)
    be_killed(toolbox, "ok", "killed")
    (left,) = (toolbox.state / "usage" / "journal").glob(".*.tmp")
    two_minutes_ago = left.stat().st_mtime - 120
    os.utime(left, (two_minutes_ago, two_minutes_ago))
    toolbox.run("ok", "two")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    assert not left.exists()
    assert ["one", "two"] == toolbox.counted()


@pytest.mark.fault(
    "processes", "a command killed before it starts the worker", "SIGKILL before posix_spawn"
)
def test_what_a_killed_command_recorded_is_delivered_by_the_next(
    toolbox: Machine, tmp_path: Path
) -> None:
    kill_at(toolbox, tmp_path, 1, "os.posix_spawn", in_worker=False)
    toolbox.environ["KILLED_BY"] = str(toolbox.state)  # what the event tells: the environment
    be_killed(toolbox, "ok", "killed")
    assert 1 == len(toolbox.records())
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["killed", "one"] == toolbox.names()


@pytest.mark.fault(
    "processes", "a login killed while it waits for the link", "SIGKILL, the collector hangs"
)
def test_a_killed_login_is_linked_all_the_same(toolbox: Machine) -> None:
    toolbox.collector.behave(hang())
    toolbox.write_credentials("key-of-alice")
    login = subprocess.Popen(
        toolbox.command("login"), env=toolbox.full_environment(), stdout=subprocess.DEVNULL
    )
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    login.kill()
    login.wait()
    killed()
    toolbox.wait_for_failure()
    toolbox.recover("one")
    order = [event["event"] for event in toolbox.collector.events]
    assert ["$set", "$identify"] == order[:2]
    assert ["login", "one"] == toolbox.counted()


@pytest.mark.fault("processes", "a worker is stopped, then goes on", "SIGSTOP for a while, SIGCONT")
def test_a_worker_that_was_stopped_delivers_nothing_twice(toolbox: Machine) -> None:
    toolbox.collector.behave(hang(processed=True), times=1)
    toolbox.run("ok", "one")
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    worker = toolbox.worker()
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    toolbox.lease().unlink()  # its time is over, and it holds the lock
    toolbox.run("ok", "two")
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: not Path(f"/proc/{worker}").exists())
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()
