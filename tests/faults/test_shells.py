"""What a shell, a terminal and a current folder have to do with a worker: nothing."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from faults.machine import Disks, Machine, needs_root
from faults.table import saw
from usage_core.testing.behaviour import answer, hang, slow


@pytest.mark.fault(
    "processes", "the shell waits for a pipe's end: `x=$(command)`", "a shell, the collector hangs"
)
def test_a_pipe_closes_with_the_command(toolbox: Machine) -> None:
    toolbox.collector.behave(hang())
    script = 'x=$("$@" 2>&1); code=$?; printf "%s\\n" "$x"; exit $code'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *toolbox.command("ok", "one")],
        env=toolbox.full_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    saw(("ok", "one"), done)
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    assert toolbox.worker(), "the shell is back, and the worker at work"
    toolbox.wait_for_failure()

    toolbox.recover("two")
    assert ["one", "two"] == toolbox.counted()


@pytest.mark.fault("processes", "an open descriptor that the shell left", "a pipe's end, inherited")
def test_no_descriptor_of_the_shell_is_held(toolbox: Machine) -> None:
    toolbox.collector.behave(hang())
    reader, writer = os.pipe()
    done = subprocess.run(
        toolbox.command("ok", "one"),
        env=toolbox.full_environment(),
        capture_output=True,
        text=True,
        pass_fds=[writer],
        check=False,
    )
    saw(("ok", "one"), done)
    os.close(writer)
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    assert b"" == os.read(reader, 1), "the pipe ended while the worker lives"
    assert toolbox.worker()
    os.close(reader)
    toolbox.collector.behave(answer())
    toolbox.wait_for_failure()
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()


@pytest.mark.fault(
    "processes", "the terminal is closed the moment the command ends", "a pty, its master closed"
)
def test_a_closed_terminal_ends_no_worker(toolbox: Machine) -> None:
    in_terminal(toolbox, "ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()


def in_terminal(toolbox: Machine, *words: str) -> str:
    """Run a command as a terminal's only one, and close the terminal when it has ended."""
    environ = toolbox.full_environment()
    pid, terminal = os.forkpty()
    if pid == 0:
        command = toolbox.command(*words)
        os.execvpe(command[0], command, environ)
    said = b""
    try:
        while piece := os.read(terminal, 4096):
            said += piece
            if b"after" in said:
                break
    except OSError:  # nobody has the terminal open any more
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    text = said.decode().replace("\r\n", "\n")
    saw(words, subprocess.CompletedProcess([], os.waitstatus_to_exitcode(status), text, ""))
    return text


@pytest.mark.fault("processes", "{name} to the whole group as the command ends", "killpg")
@pytest.mark.parametrize("name", ["SIGHUP", "SIGINT", "SIGTERM", "SIGKILL"])
def test_a_signal_to_the_group_ends_no_worker(toolbox: Machine, name: str) -> None:
    toolbox.collector.behave(slow(0.5))
    command = subprocess.Popen(
        toolbox.command("ok", "one"),
        env=toolbox.full_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)  # ended, and its group still there
    os.killpg(command.pid, getattr(signal, name))
    out, err = command.communicate()
    saw(("ok", "one"), subprocess.CompletedProcess([], command.returncode, out, err))
    toolbox.settle()
    assert ["one"] == toolbox.names()


@pytest.mark.fault(
    "processes", "the current folder is on a disk to be unmounted", "a tmpfs, the collector hangs"
)
@needs_root
def test_the_current_folder_is_free_when_the_command_is_back(
    toolbox: Machine, disks: Disks
) -> None:
    disk = disks.mount()
    toolbox.collector.behave(hang())
    toolbox.around = ["env", "-C", str(disk)]
    toolbox.run("ok", "one")
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    assert toolbox.worker()
    subprocess.run(["umount", str(disk)], check=True)  # not lazily: fails while it is in use
    toolbox.wait_for_failure()
    toolbox.collector.behave(answer())
    toolbox.around = ()
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.counted()


@pytest.mark.fault("processes", "the current folder was removed", "`rmdir` before the command")
def test_a_current_folder_that_is_gone_costs_nothing(toolbox: Machine, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    toolbox.around = ["sh", "-c", f'cd {tmp_path}/gone && rmdir ../gone && exec "$@"', "sh"]
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()


@pytest.mark.fault("processes", "standard {name} is closed", "`{closing}` in the shell")
@pytest.mark.parametrize(
    ("name", "closing"), [("input", "<&-"), ("error", "2>&-"), ("input and error", "<&- 2>&-")]
)
def test_closed_standard_streams_cost_nothing(toolbox: Machine, name: str, closing: str) -> None:
    toolbox.around = ["sh", "-c", f'exec "$@" {closing}', "sh"]
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()
