"""The mission's story, seen from outside: files, and what the collector received, in its order."""

from __future__ import annotations

from uuid import UUID

import pytest

from cli import Toolbox, wait_until
from usage_core.testing.behaviour import status


def test_the_first_command_is_anonymous_and_makes_an_identity(toolbox: Toolbox) -> None:
    toolbox.run("ok", "toolkit.run")
    toolbox.settle()

    identity = toolbox.identity()
    (event,) = toolbox.captures()
    assert UUID(str(identity["anon_id"])).version == 4
    assert identity["linked_principal_id"] is None
    assert identity["anon_id"] == event["distinct_id"]
    assert event["properties"]["is_anon"] is True
    assert event["properties"]["$process_person_profile"] is False


def test_an_event_carries_what_is_known_of_the_command(toolbox: Toolbox) -> None:
    toolbox.run("ok", "toolkit.run")
    toolbox.settle()

    (event,) = toolbox.captures()
    properties = event["properties"]
    assert "CLI execution succeeded" == event["event"]
    assert "toolkit.run" == properties["command_name"]
    assert "1.2.3" == properties["cli_version"]
    assert 3 == len(properties["python_version"].split("."))
    assert {"os_type", "os_release", "session_id"} <= set(properties)
    assert 0 == properties["exit_code"]
    assert (False, False) == (properties["is_ci"], properties["is_tty"])
    assert properties["duration"] == round(properties["duration"], 2)
    assert "green" == properties["colour"]
    assert "error_message" not in properties


def test_a_failure_carries_its_error(toolbox: Toolbox) -> None:
    done = toolbox.run("fail", "toolkit.run", "no such toolkit", check=False)
    toolbox.settle()

    (event,) = toolbox.captures()
    assert "CLI execution failed" == event["event"]
    assert "no such toolkit" == event["properties"]["error_message"]
    assert "RuntimeError" == event["properties"]["error_type"]
    assert 1 == event["properties"]["exit_code"] == done.returncode


def test_every_way_out_has_the_exit_code_that_the_shell_saw(toolbox: Toolbox) -> None:
    codes = [
        toolbox.run("exit", "a", "0", check=False).returncode,
        toolbox.run("exit", "b", "3", check=False).returncode,
        toolbox.run("interrupt", "c", check=False).returncode % 256,
    ]
    toolbox.settle()

    seen = [(e["properties"]["exit_code"], e["event"].split()[-1]) for e in toolbox.captures()]
    assert [0, 3] == codes[:2]
    assert [(0, "succeeded"), (3, "failed"), (130, "failed")] == seen


def test_a_login_is_linked_before_its_event_arrives_and_before_the_prompt_returns(
    toolbox: Toolbox,
) -> None:
    toolbox.run("ok", "before")
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")

    identity = toolbox.identity()
    anon_id = identity["anon_id"]
    link = next(e for e in toolbox.collector.events if e["event"] == "$identify")
    assert "alice" == identity["linked_principal_id"]
    assert ("alice", anon_id) == (link["distinct_id"], link["properties"]["$anon_distinct_id"])
    toolbox.settle()
    order = [(e["event"], e["distinct_id"]) for e in toolbox.collector.events]
    succeeded = "CLI execution succeeded"
    assert [
        (succeeded, anon_id),
        ("$set", "alice"),
        ("$identify", "alice"),
        (succeeded, "alice"),
    ] == order
    assert 12.35 == toolbox.captures()[1]["properties"]["duration"]


def test_a_linked_identity_asks_nobody(toolbox: Toolbox) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    asked = len(toolbox.auth.requests)
    toolbox.run("ok", "one")
    toolbox.run("ok", "two")
    toolbox.settle()

    assert ["alice"] * 3 == [event["distinct_id"] for event in toolbox.captures()]
    assert all("$process_person_profile" not in e["properties"] for e in toolbox.captures())
    assert asked == len(toolbox.auth.requests) == 1


def test_a_logout_is_sent_as_whoever_it_was_and_then_the_identity_is_new(toolbox: Toolbox) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    before = toolbox.identity()["anon_id"]
    toolbox.run("logout")
    toolbox.settle()

    identity = toolbox.identity()
    assert "alice" == toolbox.captures()[-1]["distinct_id"]
    assert identity["linked_principal_id"] is None
    assert before != identity["anon_id"]


def test_nothing_of_the_next_person_is_under_an_id_of_the_first(toolbox: Toolbox) -> None:
    toolbox.run("ok", "a")
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    toolbox.run("logout")
    toolbox.settle()
    of_alice = {event["distinct_id"] for event in toolbox.collector.events}
    toolbox.credentials.unlink()
    toolbox.run("ok", "b")
    toolbox.write_credentials("key-of-bob")
    toolbox.run("login")
    toolbox.run("ok", "c")
    toolbox.settle()

    of_bob = toolbox.collector.events[len(of_alice) + 3 :]
    links = [e["properties"].get("$anon_distinct_id") for e in of_bob]
    assert {"alice"} < of_alice
    assert not of_alice & ({e["distinct_id"] for e in of_bob} | set(links))
    assert "bob" == of_bob[-1]["distinct_id"]


@pytest.mark.fault(
    "processes", "an account switched by editing the credentials", "another API key in the file"
)
def test_an_account_switched_behind_the_tools_back_is_noticed(toolbox: Toolbox) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    first = toolbox.identity()["anon_id"]
    toolbox.write_credentials("key-of-bob-")
    toolbox.auth.keys["key-of-bob-"] = "bob"
    toolbox.run("ok", "one")
    toolbox.settle()

    assert "bob" == toolbox.captures()[-1]["distinct_id"]
    assert first != toolbox.identity()["anon_id"]


def test_a_command_never_counts_for_the_account_that_came_after_it(toolbox: Toolbox) -> None:
    toolbox.collector.behave(status(503))
    toolbox.run("ok", "nobody's")
    toolbox.wait_for_failure()
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "alice's")  # too early for a worker that would ask who that is
    toolbox.write_credentials("key-of-bob")
    toolbox.recover("bob's")

    sent_as = {e["properties"]["command_name"]: e["distinct_id"] for e in toolbox.captures()}
    assert "bob" == sent_as["bob's"]
    links = [e["properties"].get("$anon_distinct_id") for e in toolbox.collector.events]
    assert sent_as["alice's"] not in ["bob", *links]


def test_credentials_written_by_hand_are_linked_by_the_next_command(toolbox: Toolbox) -> None:
    toolbox.run("ok", "before")
    toolbox.settle()
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "after")
    toolbox.settle()

    events = [(e["event"], e["distinct_id"]) for e in toolbox.collector.events]
    assert ("$identify", "alice") == events[2]
    assert ("CLI execution succeeded", "alice") == events[3]
    assert 1 == len(toolbox.auth.requests)


def test_an_oauth_token_is_asked_for_at_whoami(toolbox: Toolbox) -> None:
    toolbox.auth.tokens["token-of-carol"] = {"account_id": "carol"}
    toolbox.state.mkdir()
    toolbox.credentials.write_text("cloud: {auth: {access_token: token-of-carol}}\n")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["/api/v1/auth/whoami"] == [request.path for request in toolbox.auth.requests]
    assert "Bearer token-of-carol" == toolbox.auth.requests[0].headers["authorization"]
    assert "carol" == toolbox.captures()[0]["distinct_id"]


def test_one_command_prints_nothing_of_ours_and_leaves_no_pipe_open(toolbox: Toolbox) -> None:
    done = toolbox.run("ok", "one")

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)


@pytest.mark.fault("bounds", "1,000 events at once", "one process; 20 requests at most")
def test_a_thousand_commands_in_one_process_come_in_few_requests(toolbox: Toolbox) -> None:
    toolbox.run("burst", "1000")
    wait_until(lambda: len(toolbox.captures()) == 1000, "not all of them came", 60)
    toolbox.settle()

    assert 1000 == len({event["uuid"] for event in toolbox.captures()})
    assert [f"burst.{n}" for n in range(1000)] == toolbox.names()
    assert 20 >= len(toolbox.collector.batches)
