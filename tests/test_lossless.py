"""Nothing that was recorded is lost or counted twice, whatever happens to the worker or the net."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from cli import Toolbox, wait_until
from usage_core._delivery.folder import Folder
from usage_core._delivery.plugins import remember
from usage_core._recorder import Recorder, take_lease
from usage_core.testing.behaviour import (
    Behaviour,
    answer,
    drip,
    hang,
    lost_reply,
    lost_request,
    nonsense,
    redirect,
    refuse,
    reset,
    status,
)


def test_two_trackers_of_a_process_never_give_two_records_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(str(tmp_path))
    remember(folder, "posthog", "detached")
    take_lease(folder.lease, time.time() + 600)
    config: dict[str, object] = {"app": "toolbox", "transport": "posthog"}
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    for _ in range(2):
        Recorder(config, folder, None, set()).record("command", "one", {}, credential=None)

    assert 2 == len(folder.facts.names())


def test_a_record_that_a_listing_overlooks_is_not_overtaken_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Folder(str(tmp_path)).facts
    facts.put("1", "{}")
    list_folder = os.listdir

    def list_while_records_come(folder: str) -> list[str]:
        shown = list_folder(folder)
        monkeypatch.setattr(os, "listdir", list_folder)
        facts.put("2", "{}")
        facts.put("3", "{}")
        return [*shown, "3.json"]

    monkeypatch.setattr(os, "listdir", list_while_records_come)

    assert ["1", "2", "3"] == facts.names()


def test_a_record_that_comes_while_the_folder_is_listed_waits_for_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = Folder(str(tmp_path)).facts
    facts.put("1", "{}")
    list_folder = os.listdir
    coming = iter("2345")

    def list_and_let_one_come(folder: str) -> list[str]:
        shown = list_folder(folder)
        facts.put(next(coming), "{}")
        return shown

    monkeypatch.setattr(os, "listdir", list_and_let_one_come)

    assert ["1"] == facts.names()
    assert ["1", "2", "3"] == facts.names()


def counted(toolbox: Toolbox) -> Counter[str]:
    """How often each command counts, for a back end that drops what it has seen."""
    seen = {
        (e["uuid"], e["timestamp"]): e["properties"]["command_name"] for e in toolbox.captures()
    }
    return Counter(seen.values())


@pytest.mark.fault("network", "the collector {trouble}", "a server on loopback")
@pytest.mark.parametrize(
    "trouble",
    [
        refuse(),
        reset(),
        lost_request(),
        lost_reply(),
        status(500),
        status(503),
        status(408),
        status(403),
        redirect("http://127.0.0.1:9/"),
        nonsense("not_http"),
        nonsense("not_json"),
        nonsense("empty"),
        nonsense("huge"),
        nonsense("torn"),
    ],
    ids=lambda trouble: f"{trouble.kind}-{getattr(trouble.reply, 'status', '')}",
)
def test_events_outlive_a_collector_in_trouble(toolbox: Toolbox, trouble: Behaviour) -> None:
    toolbox.collector.behave(trouble)
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))
    assert 1 == len(toolbox.records())

    toolbox.recover("two")

    assert {"one": 1, "two": 1} == counted(toolbox)
    wait_until(lambda: toolbox.health()["failures"] == 0)


@pytest.mark.fault("network", "the collector {trouble}", "a server on loopback")
@pytest.mark.parametrize("trouble", [hang(), drip(0.2)], ids=["hang", "drip"])
def test_a_worker_leaves_a_collector_that_never_answers(
    toolbox: Toolbox, trouble: Behaviour
) -> None:
    toolbox.collector.behave(trouble)
    began = time.monotonic()
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    assert 12 > time.monotonic() - began
    assert 1 == len(toolbox.records())

    toolbox.recover("two")
    assert {"one": 1, "two": 1} == counted(toolbox)


@pytest.mark.fault("network", "the collector asks for a pause of 60 s", "429 with Retry-After")
def test_no_worker_is_started_before_the_time_that_a_collector_asked_for(toolbox: Toolbox) -> None:
    toolbox.collector.behave(status(429, retry_after=60))
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    end = (toolbox.state / "usage" / "lease").stat().st_mtime
    asked = len(toolbox.collector.requests)
    for _ in range(5):
        toolbox.run("ok", "more")

    assert 55 < end - time.time() < 125
    assert toolbox.worker() is None
    assert asked == len(toolbox.collector.requests)
    assert 6 == len(toolbox.records())


@pytest.mark.fault("processes", "the clock is set back a year", "a lease that ends in a year")
def test_a_lease_from_a_clock_that_was_set_back_counts_as_none(toolbox: Toolbox) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    toolbox.kill_worker()
    lease = toolbox.state / "usage" / "lease"
    lease.write_text("")
    next_year = time.time() + 365 * 24 * 3600
    os.utime(lease, (next_year, next_year))
    toolbox.run("ok", "two")
    toolbox.settle()

    assert {"one": 1, "two": 1} == counted(toolbox)


@pytest.mark.fault(
    "processes", "a worker killed while it waits for the reply", "SIGKILL, the collector hangs"
)
def test_a_worker_killed_while_it_waits_for_the_reply_loses_nothing(toolbox: Toolbox) -> None:
    toolbox.collector.behave(hang(), times=1)
    toolbox.run("ok", "one")
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    worker = toolbox.worker()
    assert worker is not None
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: toolbox.worker() is None)
    toolbox.run("ok", "two")
    toolbox.settle()

    assert {"one": 1, "two": 1} == counted(toolbox)


@pytest.mark.fault("processes", "a worker killed after {after} ms", "SIGKILL")
@pytest.mark.parametrize("after", range(0, 200, 40))
def test_a_worker_killed_at_any_moment_loses_nothing(toolbox: Toolbox, after: int) -> None:
    toolbox.run("ok", "one")
    worker = toolbox.worker()
    assert worker is not None
    time.sleep(after / 1000)  # the moment is the case; what holds, holds for all of them
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        pass
    wait_until(lambda: toolbox.worker() is None)
    toolbox.run("ok", "two")
    toolbox.settle()

    assert {"one": 1, "two": 1} == counted(toolbox)


@pytest.mark.fault("network", "an event that the collector will never take", "400 for one of eight")
def test_a_bad_event_costs_no_other_its_delivery(toolbox: Toolbox) -> None:
    toolbox.collector.behave(refuse())
    toolbox.run("burst", "7")
    wait_until(lambda: toolbox.health().get("failures"))
    toolbox.end_pause()
    toolbox.collector.reject(lambda e: e["properties"].get("command_name") == "burst.3", status=400)
    toolbox.collector.behave(answer())
    toolbox.run("ok", "last")
    toolbox.settle()

    assert [f"burst.{n}" for n in (0, 1, 2, 4, 5, 6)] + ["last"] == toolbox.names()
    wait_until(lambda: "rejected 1" in str(toolbox.health()))


@pytest.mark.fault("network", "the project key is refused", "401")
def test_a_refused_project_key_is_told_where_a_person_looks(toolbox: Toolbox) -> None:
    toolbox.settings["options"] = {"api_key": "phx_personal", "host": toolbox.collector.url}
    toolbox.run("ok", "one")
    toolbox.settle()

    assert not toolbox.captures()
    wait_until(lambda: "api_key was refused" in str(toolbox.health()))


@pytest.mark.fault("network", "at login, the collector refuses connections", "a server on loopback")
def test_a_login_while_the_collector_is_away_is_linked_ahead_of_everything(
    toolbox: Toolbox,
) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    toolbox.kill_worker()
    toolbox.collector.behave(refuse())
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    assert "alice" == toolbox.identity()["linked_principal_id"]

    toolbox.run("ok", "two")
    toolbox.recover("three")
    events = [e["event"] for e in toolbox.collector.events]
    assert ["$set", "$identify"] == events[1:3]
    assert {"one": 1, "login": 1, "two": 1, "three": 1} == counted(toolbox)


def test_what_is_behind_a_link_leaves_once_the_link_has_arrived(toolbox: Toolbox) -> None:
    """The events of one request may be taken in any order."""
    toolbox.collector.behave(refuse())
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    toolbox.recover("one")
    requests = [[e["event"] for e in batch.events] for batch in toolbox.collector.batches]
    assert [["$set", "$identify"], ["CLI execution succeeded"] * 2] == requests


@pytest.mark.fault(
    "network", "a login with its principal while the collector hangs", "a server on loopback"
)
def test_a_login_waits_two_seconds_at_most_for_a_collector_that_hangs(toolbox: Toolbox) -> None:
    toolbox.collector.behave(hang())
    began = time.monotonic()
    toolbox.run("login", "alice")

    assert 5 > time.monotonic() - began
    assert "alice" == toolbox.identity()["linked_principal_id"]


@pytest.mark.fault("network", "the auth API {trouble}", "a server on loopback, an API key")
@pytest.mark.parametrize(
    "trouble",
    [refuse(), hang(), drip(0.05), status(500), status(401), nonsense("not_json"), reset()],
    ids=lambda trouble: f"{trouble.kind}-{getattr(trouble.reply, 'status', '')}",
)
def test_an_auth_api_in_trouble_leaves_the_event_anonymous(
    toolbox: Toolbox, trouble: Behaviour
) -> None:
    toolbox.auth.behave(trouble)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    toolbox.settle()

    (event,) = toolbox.captures()
    assert event["properties"]["is_anon"] is True
    assert 1 >= len(toolbox.auth.requests)


@pytest.mark.fault(
    "files",
    "records that are torn, of another version, a folder, a FIFO",
    "written into the journal by hand",
)
def test_a_record_that_cannot_be_read_blocks_nothing_behind_it(toolbox: Toolbox) -> None:
    journal = toolbox.state / "usage" / "journal"
    journal.mkdir(parents=True)
    (journal / "00000000000000000001-1-0.json").write_text('{"v": 1, "id": ')
    (journal / "00000000000000000002-1-0.json").write_text('{"v": 2}')
    (journal / "00000000000000000003-1-0.json").mkdir()
    os.mkfifo(journal / "00000000000000000004-1-0.json")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()
    assert 4 == len(list((toolbox.state / "usage" / "aside").iterdir()))


def test_an_unusable_identity_is_set_aside_and_a_new_one_begun(toolbox: Toolbox) -> None:
    toolbox.state.mkdir()
    (toolbox.state / "usage.json").write_text('{"anon_id": 5, "linked_principal_id": null}')
    toolbox.run("ok", "one")
    toolbox.settle()

    assert str(toolbox.identity()["anon_id"]) == toolbox.captures()[0]["distinct_id"]
    wait_until(lambda: "anon_id is not a UUID" in str(toolbox.health()))
    assert 1 == len(list((toolbox.state / "usage" / "aside").iterdir()))
