"""What the person at the keyboard can see, stop and erase, on a real tool with real files."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli import wait_until
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import answer, refuse, status
from usage_core.testing.exchange import Reply, Request
from usage_machine import Machine
from usage_posthog.collector import Collector


@pytest.fixture
def machine(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home", collector, auth)
    yield machine
    machine.kill_worker()


def test_to_look_at_an_unused_tool_leaves_no_trace(machine: Machine) -> None:
    assert machine.look("status")["allowed"]
    assert [] == machine.look("show")["entries"]
    assert machine.look("preview")["messages"]
    assert "nothing to erase" in machine.usage("forget")
    assert "no anonymous id" in machine.usage("reset")
    assert "Sent: 0 messages. Still waiting: 0." in machine.usage("flush")
    assert [] == machine.files()


@pytest.mark.parametrize("variable", ["DO_NOT_TRACK", "USAGE_DISABLED", "TOOLBOX_USAGE_TRACKING"])
def test_status_names_what_switched_it_off(machine: Machine, variable: str) -> None:
    value: dict[str, Any] = {variable: "off" if variable.startswith("TOOLBOX") else "1"}

    now = machine.look("status", **value)

    assert (False, variable) == (now["allowed"], now["source"])
    assert f"not recorded: {variable}" in machine.usage("status", **value)


def test_status_tells_ids_queues_endpoint_and_the_last_success(machine: Machine) -> None:
    machine.do("one", "login")
    machine.settle()
    wait_until(lambda: machine.health().get("last_success"))

    now = machine.look("status")

    identity = machine.identity()
    assert (identity["anon_id"], "alice") == (now["anon_id"], now["principal_id"])
    assert ("posthog", "toolbox", "detached") == (
        now["transport"],
        now["transport_source"],
        now["runs"],
    )
    assert machine.collector.url == now["endpoint"]
    assert (0, {}, 0, None) == (
        now["unfolded"],
        now["waiting"],
        now["failures"],
        now["last_error"],
    )
    assert now["last_success"] == machine.health()["last_success"]
    ids = {file["path"] for file in now["files"] if file["exists"]}
    assert {str(machine.state / "usage.json"), str(machine.state / "usage/sent.jsonl")} <= ids
    text = machine.usage("status")
    for told in (identity["anon_id"], "alice", machine.collector.url, now["last_success"]):
        assert str(told) in text


def test_status_tells_the_last_error_and_when_it_is_tried_again(machine: Machine) -> None:
    machine.collector.behave(status(503, retry_after=120))
    machine.do("one")
    machine.wait_for_failure()

    now = machine.look("status")

    assert (1, {"posthog": 1}) == (now["failures"], now["waiting"])
    assert "503" in now["last_error"]
    assert now["paused_until"] > now["last_error_at"]
    assert "503" in machine.usage("status")


def test_status_tells_who_chose_the_transport(machine: Machine) -> None:
    now = machine.look("status", TOOLBOX_USAGE_TRANSPORT="null")

    assert ("null", "TOOLBOX_USAGE_TRANSPORT", None) == (
        now["transport"],
        now["transport_source"],
        now["endpoint"],
    )


def test_after_disable_nothing_is_left_or_sent_or_told(machine: Machine) -> None:
    machine.collector.behave(refuse())
    machine.do("one", "login")
    machine.wait_for_failure()
    machine.start_no_worker()
    machine.do("two")
    waiting = len(machine.records())
    assert waiting > 2

    assert f"{waiting} records" in machine.usage("disable")

    assert [] == machine.records()
    machine.collector.behave(answer())
    machine.do("three", "login", "logout")
    assert "Nothing is sent" in machine.usage("flush")
    assert [] == machine.records()
    assert () == machine.collector.requests


class Gate(Collector):
    """A collector that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def handle(self, request: Request) -> Reply:
        self.opened.wait(20)
        return super().handle(request)


def test_disable_waits_for_a_request_under_way_which_is_the_last(
    tmp_path: Path, auth: AuthApi
) -> None:
    with Gate() as gate:
        machine = Machine(tmp_path / "home", gate, auth)
        machine.do("one")
        gate.wait_for(lambda: len(gate.requests) == 1)
        machine.do("two")
        disabling = subprocess.Popen(
            machine.command("usage", "disable"),
            env=machine.full_environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(machine.consent.exists)
        gate.opened.set()
        said, _ = disabling.communicate(timeout=30)

        assert "Nothing is recorded" in said
        assert "in hand" not in said

        assert [] == machine.records()
        wait_until(lambda: machine.worker() is None)
        assert (1, ["one"]) == (len(gate.requests), machine.names())


def test_disable_and_enable_may_be_said_twice(machine: Machine) -> None:
    for _ in range(2):
        machine.usage("disable")
        assert (False, "off") == (
            machine.look("status")["allowed"],
            machine.look("status")["choice"],
        )
    for _ in range(2):
        assert "recorded from now on" in machine.usage("enable")
        assert (True, "on") == (machine.look("status")["allowed"], machine.look("status")["choice"])

    machine.do("one")
    machine.settle()
    assert ["one"] == machine.names()


def test_what_a_race_left_behind_while_it_was_off_is_never_sent(machine: Machine) -> None:
    machine.start_no_worker()
    machine.do("one")
    (late,) = machine.records()
    fact = late.read_bytes()
    machine.usage("disable")
    late.parent.mkdir(parents=True)
    late.write_bytes(fact)
    machine.end_pause()

    machine.usage("enable")
    machine.do("two")
    machine.settle()

    assert ["two"] == machine.names()


def test_enable_says_what_overrides_it(machine: Machine) -> None:
    said = machine.usage("enable", DO_NOT_TRACK="1")

    assert "DO_NOT_TRACK still forbids it" in said
    assert "on" == machine.look("status")["choice"]


def test_a_choice_that_cannot_be_stored_is_said_to_be_so(machine: Machine) -> None:
    machine.state.mkdir()
    (machine.state / "usage").write_text("a file, where the folder would be")

    for verb in ("enable", "disable"):
        done = machine.run("usage", verb, check=False)
        assert 1 == done.returncode
        assert "usage" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_home_everything_still_answers(machine: Machine) -> None:
    nowhere: dict[str, Any] = {"HOME": str(machine.home / "missing")}

    assert "no home folder" == machine.look("status", **nowhere)["source"]
    assert [] == machine.look("show", **nowhere)["entries"]
    assert "no home folder" in machine.usage("flush", **nowhere)
    machine.look("doctor", code=1, **nowhere)
    for verb in ("enable", "disable", "reset", "forget"):
        done = machine.run("usage", verb, check=False, **nowhere)
        assert (1, True) == (done.returncode, "TOOLBOX_WORK_DIR" in done.stderr)


def test_show_has_exactly_what_the_collector_got(machine: Machine) -> None:
    machine.do("one", "login", "bad", "logout", "two")
    machine.settle()

    entries = machine.look("show")["entries"]

    assert {"sent"} == {entry["state"] for entry in entries}
    shown = {e["uuid"]: e for e in entries if e["kind"] == "capture"}
    got = {event["uuid"]: event for event in machine.captures()}
    assert set(got) == set(shown)
    for uuid, event in got.items():
        own = {k: v for k, v in event["properties"].items() if k[0] != "$" and k != "is_anon"}
        assert own == shown[uuid]["properties"]
        assert event["distinct_id"] == shown[uuid]["distinct_id"]
    (link,) = [entry for entry in entries if entry["kind"] == "alias"]
    assert "alice" == link["distinct_id"]
    text = machine.usage("show")
    for uuid in shown:
        assert json.dumps(shown[uuid]["properties"]) in text


def test_show_has_what_would_be_sent(machine: Machine) -> None:
    machine.collector.behave(refuse())
    machine.do("one")
    wait_until(lambda: machine.health().get("failures"))
    machine.start_no_worker()
    machine.do("two")

    one, two = machine.look("show", DO_NOT_TRACK="1")["entries"]

    assert ("queued", "one") == (one["state"], one["properties"]["command_name"])
    assert ("recorded", "two", None) == (
        two["state"],
        two["properties"]["command_name"],
        two["distinct_id"],
    )


def test_show_has_a_message_that_was_sent_twice_once(machine: Machine) -> None:
    machine.do("one")
    machine.settle()
    ledger = machine.state / "usage" / "sent.jsonl"
    ledger.write_text(ledger.read_text() * 2 + "no message\n{}\n")

    shown = machine.look("show")

    assert (1, 1) == (len(shown["entries"]), shown["unreadable"])


def test_nothing_that_is_shown_can_steer_the_terminal(machine: Machine) -> None:
    machine.do("\x1b]0;owned\x07 \x9b31m \u202e")
    machine.settle()

    assert not set("\x1b\x07\x9b\u202e") & set(machine.usage("show"))


def test_preview_names_every_property_that_is_ever_sent(machine: Machine) -> None:
    machine.do("one", "login", "bad", "logout", GITHUB_ACTIONS="true", AI_AGENT="1")
    machine.run("do", "two")
    machine.settle()
    specs = {spec["name"]: spec["properties"] for spec in machine.look("preview")["messages"]}
    seen: dict[str, set[str]] = {name: set() for name in specs}
    envelope = {"uuid", "timestamp", "distinct_id", "is_anon", "previous_id"}

    for entry in machine.look("show")["entries"]:
        keys = {key for key in envelope if entry[key] is not None} | set(entry["properties"])
        seen[entry["event"] or "alias"] |= keys - {"colour"}

    for name, properties in specs.items():
        every = {one["name"] for one in properties}
        always = {one["name"] for one in properties if not one["when"]}
        assert seen[name] <= every
        assert always <= seen[name]
    assert {"ci_name", "agent", "duration"} <= seen["CLI execution succeeded"]


def test_after_reset_nothing_connects_the_ids_and_the_queue_stays_whose_it_is(
    machine: Machine,
) -> None:
    machine.do("one")
    machine.settle()
    before = machine.identity()["anon_id"]
    machine.collector.behave(refuse())
    machine.do("two")
    machine.wait_for_failure()
    machine.start_no_worker()
    machine.do("three")  # recorded, and nobody has looked at it

    said = machine.usage("reset")

    after = machine.identity()["anon_id"]
    assert before != after
    assert str(after) in said
    machine.collector.behave(answer())
    machine.usage("flush")
    machine.do("four")
    machine.settle()
    whose = {e["properties"]["command_name"]: e["distinct_id"] for e in machine.captures()}
    assert {"one": before, "two": before, "three": before, "four": after} == whose
    assert len(machine.captures()) == len(machine.collector.events)  # and no link


def test_reset_while_it_is_off_drops_what_has_no_owner_yet(machine: Machine) -> None:
    machine.do("one")
    machine.settle()
    wait_until(lambda: machine.worker() is None)
    before = machine.identity()["anon_id"]
    machine.start_no_worker()
    machine.do("two")

    assert "1 record" in machine.usage("reset", DO_NOT_TRACK="1")

    assert before != machine.identity()["anon_id"]
    assert [] == machine.records()


def test_forget_leaves_nothing_behind(machine: Machine) -> None:
    machine.usage("enable")
    machine.do("one", "login")
    machine.settle()
    machine.start_no_worker()
    machine.do("two")
    (machine.state / "credentials.yaml").write_text("not ours: {}")

    said = machine.usage("forget")

    assert str(machine.state / "usage.json") in said
    assert [".toolbox", ".toolbox/credentials.yaml"] == machine.files()
    assert "nothing to erase" in machine.usage("forget")


@pytest.mark.parametrize("choice", ["off\n", "what?", ""])
def test_forget_keeps_a_no(machine: Machine, choice: str) -> None:
    machine.do("one")
    machine.settle()
    machine.consent.write_text(choice)

    machine.usage("forget")

    assert [".toolbox", ".toolbox/usage", ".toolbox/usage/consent"] == machine.files()
    assert choice == machine.consent.read_text()
    assert not machine.look("status")["allowed"]


def test_forget_erases_what_a_link_leads_to(machine: Machine) -> None:
    machine.do("one")
    machine.settle()
    wait_until(lambda: machine.worker() is None)
    identity, elsewhere = machine.state / "usage.json", machine.home / "elsewhere.json"
    identity.rename(elsewhere)
    identity.symlink_to(elsewhere)

    machine.usage("forget")

    assert [".toolbox"] == machine.files()


def test_flush_delivers_in_spite_of_a_pause(machine: Machine) -> None:
    machine.start_no_worker()
    machine.do("one", "two")

    assert "Sent: 2 messages. Still waiting: 0." in machine.usage("flush")

    assert ["one", "two"] == machine.names()


def test_flush_says_what_goes_wrong(machine: Machine) -> None:
    machine.collector.behave(status(503))
    machine.start_no_worker()
    machine.do("one")

    for _ in range(2):
        said = machine.usage("flush", code=1)
        assert "Sent: 0 messages. Still waiting: 1." in said
        assert "503" in said


def test_what_is_seen_and_said_here_is_never_recorded(machine: Machine) -> None:
    for verb in ("status", "enable", "show", "preview", "reset", "flush", "doctor"):
        machine.usage(verb)

    assert [] == machine.look("show")["entries"]
    assert () == machine.collector.events
    assert [".toolbox", ".toolbox/usage", ".toolbox/usage/consent"] == [
        name for name in machine.files() if not name.endswith("lock")
    ]


def test_a_reader_who_leaves_early_is_no_error(machine: Machine) -> None:
    machine.start_no_worker()
    machine.do("one")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        machine.command("usage", "show"),
        env=machine.full_environment(),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    os.close(writer)

    assert b"" == done.stderr


def test_many_may_change_their_mind_at_once(machine: Machine) -> None:
    machine.do("one")
    verbs = ["disable", "enable", "forget", "reset", "disable", "forget"]
    codes: list[int] = []

    def say(verb: str) -> None:
        codes.append(machine.run("usage", verb, check=False).returncode)

    threads = [threading.Thread(target=say, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    machine.usage("disable")

    assert [0] * len(verbs) == codes
    assert not machine.look("status")["allowed"]
    assert [] == machine.records()


@pytest.mark.parametrize("verb", ["disable", "enable"])
def test_a_choice_is_kept_though_another_forgets_everything_just_then(
    machine: Machine, verb: str
) -> None:
    another_forgets(machine, "/usage/.consent", times=2)
    machine.usage(verb)

    assert ("on\n" if verb == "enable" else "off\n") == machine.consent.read_text()


def test_the_lock_is_had_though_others_forget_everything_just_then(machine: Machine) -> None:
    machine.consent.parent.mkdir(parents=True)
    another_forgets(machine, "/usage/lock", times=2)

    assert "nothing to erase" in machine.usage("forget")


def another_forgets(machine: Machine, opened: str, *, times: int) -> None:
    """Let the folder vanish under the tool when it opens such a file, so many times."""
    folder = machine.home / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"""
import os, sys
left = [True] * {times}
def forget(event, arguments):
    if event == "open" and left and {opened!r} in str(arguments[0]):
        left.pop()
        os.rmdir(os.path.dirname(arguments[0]))
sys.addaudithook(forget)
""")
    machine.environ["PYTHONPATH"] = str(folder)
