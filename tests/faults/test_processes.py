"""How commands and workers are started, and what they hold of each other."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli import TOOLBOX, wait_until
from faults.machine import Machine, as_user, limited, needs_root
from faults.table import saw


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
    "processes", "the interpreter is gone (venv rebuilt)", "a venv deleted while its command runs"
)
def test_without_an_interpreter_the_fact_stays(toolbox: Machine, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    venv.create(place, symlinks=True)
    script = tmp_path / "gone.py"
    script.write_text(
        "import os, runpy, shutil, sys\n"
        f"sys.path.append({str(TOOLBOX.parent)!r})\n"
        "import usage_core, usage_core._recorder\n"
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
    check_that_no_worker_was_started(toolbox)
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


def check_that_no_worker_was_started(toolbox: Machine) -> None:
    """A command that started one leaves a lease; a worker that came leaves a lock, or asks."""
    usage = toolbox.state / "usage"
    assert 1 == len(list(usage.glob("journal/*.json")))
    assert {"journal", "transports"} == {path.name for path in usage.iterdir()}
    assert 0 == toolbox.collector.connections


@pytest.mark.fault("processes", "no process may be started", "RLIMIT_NPROC, as a user of its own")
@needs_root
def test_without_room_for_a_process_the_fact_stays(account: Machine) -> None:
    user = 60_000 + os.getpid() % 5000  # whose processes are counted: nobody else's
    os.chown(account.home, user, user)
    account.around = ["prlimit", "--nproc=1", *as_user(user)]
    account.run("ok", "one")
    check_that_no_worker_was_started(account)
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
    toolbox.environ.update({f"LONG_{number}": "x" * 60_000 for number in range(4)})
    toolbox.run("ok", "one")
    check_that_no_worker_was_started(toolbox)
    toolbox.environ.clear()
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
