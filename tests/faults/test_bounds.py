"""What grows is bounded: records, spools, the ledger, age, time, processes, requests."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import Machine
from faults.programs import host
from usage_core.testing.behaviour import Behaviour, answer, drip, hang, refuse, status

DAY = 24 * 3600


def let_pass(toolbox: Machine, seconds: float) -> None:
    """Move everything that tells the time so far into the past."""
    wait_until(lambda: toolbox.worker() is None)
    for path in toolbox.records():
        moment, rest = path.name.split("-", 1)
        path.rename(path.with_name(f"{int(moment) - int(seconds * 10**9):020d}-{rest}"))
    if toolbox.lease().exists():
        end = toolbox.lease().stat().st_mtime - seconds
        os.utime(toolbox.lease(), (end, end))


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.fault(
    "bounds", "the collector is away for a month of daily use", "503; 40 commands a day for 32 days"
)
def test_a_month_without_a_collector_costs_little_and_is_delivered_once(toolbox: Machine) -> None:
    toolbox.collector.behave(status(503))
    for day in range(32):
        if day == 3:
            toolbox.write_credentials("key-of-alice")
            toolbox.run("login")
            let_pass(toolbox, 3600)
        toolbox.run("burst", "40")
        toolbox.wait_for_failure()
        let_pass(toolbox, DAY)
        assert 6 << 20 > size(toolbox.home)
    assert 1002 >= len(toolbox.records()), "1,000 captures and the link"
    assert 40 >= len(toolbox.collector.requests), "an attempt a day"

    toolbox.collector.behave(answer())
    toolbox.run("ok", "last")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    events = {event["uuid"]: event for event in toolbox.captures()}
    assert len(events) == len(toolbox.captures())
    assert 880 <= len(events) <= 961, "the first two days are too old, the last ones had no room"
    links = [event for event in toolbox.collector.events if event["event"] == "$identify"]
    assert 1 == len(links)
    assert 20 + 40 >= len(toolbox.collector.requests)
    assert {"alice"} == {event["distinct_id"] for event in list(events.values())[40:]}


@pytest.mark.fault(
    "bounds", "the collector is away for ten hours of steady use", "503; a command every 10 minutes"
)
def test_attempts_become_rare(toolbox: Machine) -> None:
    toolbox.collector.behave(status(503))
    for number in range(60):
        toolbox.run("ok", f"command-{number}")
        let_pass(toolbox, 600)
    assert 5 <= len(toolbox.collector.requests) <= 30

    toolbox.collector.behave(answer())
    let_pass(toolbox, 3600)
    toolbox.run("ok", "last")
    toolbox.settle()
    assert [*(f"command-{number}" for number in range(60)), "last"] == toolbox.names()


@pytest.mark.fault("bounds", "1,100 facts before any worker", "a pause that stands")
def test_a_journal_takes_a_thousand_facts_and_every_login(toolbox: Machine) -> None:
    toolbox.pause()
    toolbox.run("burst", "1100")
    assert 1000 == len(toolbox.records())
    toolbox.run("login", "alice")
    toolbox.settle()
    links = [event["distinct_id"] for event in toolbox.collector.events]
    assert ["alice", "alice"] == links[1000:1002], "after all that came before it"
    assert [f"burst.{number}" for number in range(1000)] == toolbox.names()[:1000]


@pytest.mark.fault("bounds", "1,500 facts while a worker lives", "three times 500 in a row")
def test_what_was_delivered_leaves_room_at_once(toolbox: Machine, tmp_path: Path) -> None:
    log = toolbox.count_workers(tmp_path)
    for number in range(1, 4):
        toolbox.run("burst", "500")
        toolbox.collector.wait_for_events(number * 500, timeout=30)
    toolbox.settle()
    assert 2 >= len(log.read_text().splitlines())


@pytest.mark.fault("bounds", "200 facts of 32 KiB before any worker", "properties of 131,000 bytes")
def test_a_journal_takes_four_mebibytes(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.pause()
    source = """
    long = {f"p{n}": "x" * 990 for n in range(200)}
    for n in range(200):
        tracker.track(f"long.{n}", properties=long)
    """
    host(toolbox, tmp_path, source, events=200)
    records = toolbox.records()
    assert 1 << 20 < sum(path.stat().st_size for path in records) <= 4 << 20
    assert 32 * 1024 >= max(path.stat().st_size for path in records)
    toolbox.end_pause()
    toolbox.run("ok", "last")
    wait_until(lambda: not toolbox.records(), timeout=40)
    assert [*(f"long.{n}" for n in range(len(records))), "last"][:-1] == toolbox.names()[:-1]


@pytest.mark.fault("bounds", "a property of 131,000 bytes", "`track` with one, and 1,000 others")
def test_a_record_is_cut_but_not_its_identity(toolbox: Machine, tmp_path: Path) -> None:
    source = """
    many = {f"p{n}": n for n in range(1000)}
    tracker.track("long", properties={"long": "x" * 131_000, **many, "late": "y" * 40_000})
    """
    host(toolbox, tmp_path, source, events=1)
    toolbox.settle()
    (event,) = toolbox.captures()
    assert ("long", "1", 0) == tuple(
        event["properties"][name] for name in ("command_name", "cli_version", "p0")
    )
    assert 1000 == len(event["properties"]["long"])


@pytest.mark.fault(
    "bounds", "a name of 100,000 characters", "`ok` with it, then a principal with it"
)
def test_a_name_that_is_no_name_costs_nothing(toolbox: Machine) -> None:
    toolbox.run("ok", "x" * 100_000)
    toolbox.settle()
    assert ["x" * 200] == toolbox.names()
    toolbox.run("login", "x" * 100_000)
    toolbox.settle()
    assert all(event["properties"]["is_anon"] for event in toolbox.captures())


@pytest.mark.fault("bounds", "an event that waits for 31 days", "its record's name, 31 days older")
def test_an_old_event_is_dropped_and_a_link_is_not(toolbox: Machine) -> None:
    toolbox.collector.behave(refuse())
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "old")
    toolbox.wait_for_failure()
    let_pass(toolbox, 31 * DAY)
    toolbox.collector.behave(answer())
    toolbox.run("ok", "new")
    toolbox.settle()
    assert ["new"] == toolbox.names()
    assert ["$set", "$identify"] == [event["event"] for event in toolbox.collector.events][:2]
    wait_until(lambda: "dropped after 30 days" in str(toolbox.health()))


@pytest.mark.fault("bounds", "a ledger of more than 256 KiB", "1,000 events delivered, twice")
def test_the_ledger_keeps_the_newest(toolbox: Machine) -> None:
    for _ in range(2):
        toolbox.run("burst", "1000")
        wait_until(lambda: not toolbox.records(), timeout=60)
    toolbox.run("ok", "last")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    ledger = (toolbox.state / "usage" / "sent.jsonl").read_text()
    assert 100_000 < len(ledger) <= 256 * 1024
    assert '"command_name": "last"' in ledger.splitlines()[-1]


@pytest.mark.fault(
    "bounds", "sixty records that cannot be read", "written into the journal by hand"
)
def test_what_was_set_aside_is_bounded(toolbox: Machine) -> None:
    journal = toolbox.state / "usage" / "journal"
    journal.mkdir(parents=True)
    for number in range(60):
        (journal / f"{number:020d}-1-0.json").write_text("{")
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()
    assert 50 == len(list((toolbox.state / "usage" / "aside").iterdir()))


@pytest.mark.fault("bounds", "everything hangs: the auth API {trouble}, a plug-in, the collector",
                   "two servers and a hook")  # fmt: skip
@pytest.mark.parametrize("trouble", [hang(), drip(0.2)], ids=["hang", "drip"])
def test_a_worker_lives_for_ten_seconds_whatever_hangs(
    toolbox: Machine, tmp_path: Path, trouble: Behaviour
) -> None:
    (tmp_path / "hung.py").write_text(
        "import time\n"
        "from usage_core import hookimpl\n"
        "@hookimpl\n"
        "def usage_principal(credential, timeout):\n    time.sleep(600)\n"
    )
    toolbox.settings["plugins"] = ["hung"]
    toolbox.environ["PYTHONPATH"] = str(tmp_path)
    for server in (toolbox.auth, toolbox.collector):
        server.behave(trouble)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    worker = toolbox.worker()
    assert worker, "the command is back, and the worker at work"
    began = time.monotonic()
    wait_until(lambda: not Path(f"/proc/{worker}/cmdline").exists())
    assert 15 > time.monotonic() - began
    assert 1 >= len(toolbox.auth.requests)

    toolbox.environ.clear()
    del toolbox.settings["plugins"]
    for server in (toolbox.auth, toolbox.collector):
        server.behave(answer())
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.counted()
