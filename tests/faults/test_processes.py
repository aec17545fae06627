"""How commands and workers are started, and what they hold of each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli import TOOLBOX, wait_until
from faults.machine import Disks, Machine, as_user, limited, needs_root
from faults.table import saw
from usage_core.testing.behaviour import answer, hang, slow


@pytest.mark.fault(
    "processes", "{number} first runs at once", "as many processes, started together"
)
@pytest.mark.parametrize("number", [2, 8, 32])
def test_first_runs_at_once_are_one_person(toolbox: Machine, tmp_path: Path, number: int) -> None:
    log = toolbox.count_workers(tmp_path)
    commands = [
        subprocess.Popen(
            toolbox.command("ok", f"command-{index}"),
            env=toolbox.full_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(number)
    ]
    for command in commands:
        out, err = command.communicate(timeout=60)
        saw(("ok", "one"), subprocess.CompletedProcess([], command.returncode, out, err))
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)

    assert sorted(f"command-{index}" for index in range(number)) == sorted(toolbox.names())
    assert {toolbox.identity()["anon_id"]} == {e["distinct_id"] for e in toolbox.captures()}
    assert number >= len(log.read_text().splitlines())


@pytest.mark.fault("processes", "100 commands in a row", "one after the other")
def test_many_commands_in_a_row_share_a_few_workers(toolbox: Machine, tmp_path: Path) -> None:
    log = toolbox.count_workers(tmp_path)
    for number in range(100):
        toolbox.run("ok", f"command-{number}")
    toolbox.settle()

    assert [f"command-{number}" for number in range(100)] == toolbox.names()
    assert 10 >= len(log.read_text().splitlines())
    assert 60 >= len(toolbox.collector.batches)


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
    worker = toolbox.worker()
    assert worker, "the shell is back, and the worker at work"
    links = {os.readlink(link) for link in Path(f"/proc/{worker}/fd").iterdir()}
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    assert not [link for link in links if link.startswith("pipe:") and link in _own_pipes()]
    toolbox.wait_for_failure()

    toolbox.collector.behave(answer())
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.counted()


def _own_pipes() -> set[str]:
    found = set[str]()
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(link))
        except OSError:
            pass
    return found


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
    "processes", "the interpreter is gone (venv rebuilt)", "a venv deleted while its command runs"
)
def test_without_an_interpreter_the_fact_stays(toolbox: Machine, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.create(place, symlinks=True)
    script = tmp_path / "gone.py"
    script.write_text(
        "import os, runpy, shutil, sys\n"
        f"sys.path.append({str(TOOLBOX.parent)!r})\n"
        "import usage_core._tracker, usage_core._recording.recorder\n"
        f"shutil.rmtree({str(place)!r})\n"
        "import toolbox\n"
        "toolbox.main('ok', 'one')\n"
    )
    packages = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [str(place / "bin" / "python"), str(script)],
        env=toolbox.full_environment(PYTHONPATH=packages),
        capture_output=True,
        text=True,
        check=False,
    )
    saw(("ok", "one"), done)
    assert 1 == len(toolbox.records())
    assert toolbox.worker() is None
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("processes", "no process may be started", "RLIMIT_NPROC, as a user of its own")
@needs_root
def test_without_room_for_a_process_the_fact_stays(account: Machine) -> None:
    user = 60_000 + os.getpid() % 5000  # whose processes are counted: nobody else's
    os.chown(account.home, user, user)
    account.around = ["prlimit", "--nproc=1", *as_user(user)]
    account.run("ok", "one")
    assert 1 == len(account.records())
    account.around = as_user(user)
    account.run("ok", "two")
    account.settle()
    assert ["one", "two"] == account.names()


@pytest.mark.fault(
    "processes", "the environment is too long for a new process (E2BIG)", "a small stack, 120 KB"
)
def test_without_room_for_the_environment_the_fact_stays(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.inject(
        tmp_path / "site",
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_STACK, (256 * 1024, resource.RLIM_INFINITY))\n",
    )
    long = {f"LONG_{number}": "x" * 60_000 for number in range(4)}
    toolbox.run("ok", "one", **long)
    assert 1 == len(toolbox.records())
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("processes", "two files at a time may be open", "RLIMIT_NOFILE=5")
def test_a_worker_without_descriptors_loses_nothing(toolbox: Machine) -> None:
    toolbox.around = limited("-n 5")
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.worker() is None)
    toolbox.around = ()
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


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


@pytest.mark.fault("processes", "two containers share a home", "two process namespaces, at once")
@needs_root
def test_containers_that_share_a_home_share_an_identity(toolbox: Machine) -> None:
    toolbox.around = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c",
                      '"$@"; code=$?; sleep 3; exit $code', "sh"]  # fmt: skip

    def run(name: str) -> None:
        toolbox.run("ok", name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ["one", "two"]))
    toolbox.around = ()
    toolbox.lease().unlink(missing_ok=True)
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "three", "two"] == sorted(toolbox.counted())
    assert 1 == len({event["distinct_id"] for event in toolbox.captures()})


@pytest.mark.fault("processes", "very little memory", "RLIMIT_AS just above what the command needs")
def test_a_worker_without_memory_costs_the_command_nothing(toolbox: Machine) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    toolbox.kill_worker()
    toolbox.around = limited("-v 40000")
    toolbox.run("ok", "two")
    wait_until(lambda: toolbox.worker() is None)
    toolbox.around = ()
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()
