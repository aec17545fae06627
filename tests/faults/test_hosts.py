"""Programs that live on, fork, thread or are large, and use the tracker all the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import Machine, needs_root
from faults.programs import host, ran
from faults.table import saw
from usage_core.testing.behaviour import hang


@pytest.mark.fault("processes", "a host that lives on", "a server that records, and reaps nobody")
def test_a_host_that_lives_on_has_one_worker_at_a_time(toolbox: Machine, tmp_path: Path) -> None:
    source = """
    tracker.track("one")
    assert len(workers()) == 1
    wait_for_ends()
    tracker.track("two")
    assert len(workers()) == 1, "the first was reaped"
    """
    host(toolbox, tmp_path, source, events=2)
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("processes", "a host that records while a worker leaves", "slow to end")
def test_a_worker_that_was_leaving_is_reaped_later(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.inject(
        tmp_path / "site",
        "import os, sys, time\n"
        "end = os._exit\n"
        "if 'usage-worker' in sys.orig_argv:\n"
        "    os._exit = lambda code: (time.sleep(2), end(code))\n",
    )
    source = """
    tracker.track("one")
    while os.path.exists(os.path.expanduser("~/.toolbox/usage/lease")):
        time.sleep(0.01)
    tracker.track("two")
    wait_for_ends()
    tracker.track("three")
    assert len(workers()) == 1
    """
    host(toolbox, tmp_path, source, events=3)
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.names()


@pytest.mark.fault("processes", "the host is process 1 of a container", "a process namespace")
@needs_root
def test_a_host_that_is_process_1_keeps_one_zombie_at_most(
    toolbox: Machine, tmp_path: Path
) -> None:
    source = """
    assert os.getpid() == 1
    for name in ("one", "two", "three"):
        tracker.track(name)
        assert len(workers()) == 1
        wait_for_ends()
    """
    before = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    host(toolbox, tmp_path, source, *before, events=3)
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.names()


@pytest.mark.fault("processes", "fork after the tracker was made", "os.fork in the host")
def test_a_forked_host_records_each_event_once(toolbox: Machine, tmp_path: Path) -> None:
    source = """
    tracker.track("before")
    child = os.fork()
    if child == 0:
        tracker.track("child")
        os._exit(0)
    tracker.track("parent")
    os.waitpid(child, 0)
    """
    host(toolbox, tmp_path, source, events=3)
    toolbox.settle()
    assert ["before", "child", "parent"] == sorted(toolbox.names())
    assert 1 == len({event["distinct_id"] for event in toolbox.captures()})


@pytest.mark.fault("processes", "sixteen threads record at once", "threading in the host")
def test_threads_record_each_event_once(toolbox: Machine, tmp_path: Path) -> None:
    source = """
    import threading
    record = tracker.track
    threads = [
        threading.Thread(target=lambda n=n: [record(f"{n}.{i}") for i in range(10)])
        for n in range(16)
    ]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    """
    host(toolbox, tmp_path, source, events=160)
    toolbox.settle()
    assert sorted(f"{n}.{i}" for n in range(16) for i in range(10)) == sorted(toolbox.names())


@pytest.mark.fault("processes", "multiprocessing by {method}", "a pool of two, four events")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_pool_records_each_event_once(toolbox: Machine, tmp_path: Path, method: str) -> None:
    (tmp_path / "work.py").write_text(
        "import ast, os\nfrom usage_core import Tracker\n"
        "tracker = Tracker('toolbox', **{'version': '1', 'transport': 'posthog',"
        " **ast.literal_eval(os.environ['TOOLBOX'])})\n"
        "def work(n):\n    tracker.track(f'task.{n}')\n"
    )
    toolbox.environ["PYTHONPATH"] = str(tmp_path)
    script = tmp_path / "pool.py"
    script.write_text(
        "import multiprocessing, work\n"
        "if __name__ == '__main__':\n"
        "    print('before', flush=True)\n"
        f"    with multiprocessing.get_context({method!r}).Pool(2) as pool:\n"
        "        pool.map(work.work, range(4))\n"
        "    print('after')\n"
    )
    saw(("burst", "4"), ran(toolbox, sys.executable, str(script)))
    toolbox.settle()
    assert [f"task.{n}" for n in range(4)] == sorted(toolbox.names())
    assert 1 == len({event["distinct_id"] for event in toolbox.captures()})


@pytest.mark.fault("processes", "a host of 500 MiB", "a filled bytearray; every fork is refused")
def test_a_large_host_is_not_forked(toolbox: Machine, tmp_path: Path) -> None:
    source = """
    large = bytearray(500 << 20)
    large[::4096] = b"x" * len(large[::4096])
    def watch(event, _):
        assert event not in ("os.fork", "os.forkpty", "subprocess.Popen"), event
    sys.addaudithook(watch)
    tracker.track("one")
    assert len(workers()) == 1
    """
    host(toolbox, tmp_path, source, events=1)
    toolbox.settle()
    assert ["one"] == toolbox.names()


@pytest.mark.fault(
    "processes", "logout while an earlier command is in flight", "the auth API hangs"
)
def test_a_logout_is_final_whatever_was_in_flight(toolbox: Machine) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    toolbox.settle()
    toolbox.kill_worker()
    toolbox.collector.behave(hang())
    for words in (("ok", "in flight"), ("logout",), ("ok", "after")):
        if words == ("ok", "after"):
            toolbox.credentials.unlink()
        toolbox.run(*words)
    toolbox.wait_for_failure()
    toolbox.recover("last")
    wait_until(lambda: toolbox.worker() is None)

    who = {e["properties"]["command_name"]: e["distinct_id"] for e in toolbox.captures()}
    assert {"alice"} == {who[name] for name in ("login", "in flight", "logout")}
    assert toolbox.identity()["anon_id"] == who["after"] == who["last"]
    assert toolbox.identity()["linked_principal_id"] is None


@pytest.mark.fault(
    "processes", "a second login without a logout", "other credentials, then `login`"
)
def test_a_second_login_is_somebody_else(toolbox: Machine) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    first = toolbox.identity()["anon_id"]
    toolbox.write_credentials("key-of-bob")
    toolbox.run("login")
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    assert ["alice", "bob", "bob"] == [event["distinct_id"] for event in toolbox.captures()]
    assert first != toolbox.identity()["anon_id"]
