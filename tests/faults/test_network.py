"""A collector or an auth API that is away, slow or out of its mind."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from cli import wait_until
from faults.machine import Machine
from usage_core.testing.behaviour import (
    Behaviour,
    answer,
    drip,
    hang,
    lost_reply,
    lost_request,
    never_accept,
    nonsense,
    redirect,
    refuse,
    reset,
    slow,
    status,
)

TEN = [refuse(), reset(), never_accept(), status(500), status(429, retry_after=1), lost_request()]


def ident(value: object) -> str | None:
    reply = getattr(value, "reply", None)
    kind = getattr(value, "kind", None)
    return f"{kind}-{getattr(reply, 'status', '')}" if kind else None


@pytest.mark.fault("network", "the collector {trouble}; ten commands", "a server on loopback")
@pytest.mark.parametrize("trouble", TEN, ids=ident)
def test_ten_commands_are_kept_and_delivered_once_when_the_collector_is_back(
    toolbox: Machine, trouble: Behaviour
) -> None:
    toolbox.collector.behave(trouble)
    names = [f"command-{number}" for number in range(10)]
    for name in names:
        toolbox.run("ok", name)
    toolbox.wait_for_failure()
    assert 10 == len(toolbox.records())
    assert 4 >= toolbox.collector.connections, "nobody tries at each command"

    toolbox.recover("last")
    assert [*names, "last"] == toolbox.counted()


@pytest.mark.fault("network", "the collector {trouble}, the answer is lost", "a server on loopback")
@pytest.mark.parametrize(
    "trouble", [status(500, processed=True), hang(processed=True), lost_reply()], ids=ident
)
def test_what_was_taken_without_an_answer_comes_again_under_the_same_uuid_and_moment(
    toolbox: Machine, trouble: Behaviour
) -> None:
    toolbox.collector.behave(trouble)
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.recover("two")

    assert ["one", "one", "two"] == toolbox.names()
    assert ["one", "two"] == toolbox.counted()


@pytest.mark.fault("network", "the collector answers after 3 s", "a server on loopback")
def test_a_slow_collector_is_waited_for_by_the_worker_alone(toolbox: Machine) -> None:
    toolbox.collector.behave(slow(3))
    toolbox.run("ok", "one")
    assert toolbox.worker(), "the command is back, and the worker at work"
    toolbox.settle()

    assert ["one"] == toolbox.names()


ODD = [
    ("3600000000", 3400, 7210),
    ("-5", 0, 4),
    ("soon", 0, 4),
    ("nan", 0, 4),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 4),
]


@pytest.mark.fault("network", "the collector asks for a pause of `{asked}`", "429 with Retry-After")
@pytest.mark.parametrize(("asked", "least", "most"), ODD)
def test_no_answer_keeps_a_machine_silent_for_longer_than_two_hours(
    toolbox: Machine, asked: str, least: int, most: int
) -> None:
    trouble = status(429, retry_after=1)
    assert trouble.reply is not None
    trouble.reply.headers["Retry-After"] = asked  # type: ignore[union-attr,index]  # a dict
    toolbox.collector.behave(trouble)
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()

    assert least <= toolbox.lease().stat().st_mtime - time.time() <= most
    toolbox.recover("two")
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("network", "the collector asks for a pause until a date", "429 with Retry-After")
def test_a_date_in_retry_after_is_kept(toolbox: Machine) -> None:
    toolbox.collector.behave(status(429, retry_after=datetime.now(UTC) + timedelta(minutes=10)))
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    asked = len(toolbox.collector.requests)
    toolbox.run("ok", "two")

    assert 500 < toolbox.lease().stat().st_mtime - time.time() < 1210
    assert toolbox.worker() is None
    assert asked == len(toolbox.collector.requests)


@pytest.mark.fault(
    "network", "the auth API {trouble}; later it answers", "a server on loopback, an API key"
)
@pytest.mark.parametrize(
    "trouble",
    [never_accept(), slow(3), status(429, retry_after=60), drip(0.2), lost_request(),
     nonsense("huge"), nonsense("torn"), nonsense("not_http"), redirect("http://127.0.0.1:9/")],
    ids=ident,
)  # fmt: skip
def test_an_auth_api_in_trouble_costs_no_command_anything_and_one_request(
    toolbox: Machine, trouble: Behaviour
) -> None:
    toolbox.auth.behave(trouble)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    assert toolbox.worker(), "the command is back, and the worker asks"
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    assert 1 >= len(toolbox.auth.requests)
    assert toolbox.captures()[0]["properties"]["is_anon"] is True

    toolbox.auth.behave(answer())
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()
    assert "alice" == toolbox.captures()[1]["distinct_id"]


@pytest.mark.fault("network", "at login, the collector {trouble}", "a server on loopback")
@pytest.mark.parametrize(
    "trouble", [reset(), status(500), status(429, retry_after=1), hang(), never_accept()], ids=ident
)
def test_the_link_waits_ahead_of_everything_for_a_collector_that_was_away_at_login(
    toolbox: Machine, trouble: Behaviour
) -> None:
    toolbox.run("ok", "before")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    toolbox.collector.behave(trouble)
    toolbox.write_credentials("key-of-alice")
    began = time.monotonic()
    toolbox.run("login")
    assert 5 > time.monotonic() - began
    assert toolbox.records()
    toolbox.run("ok", "two")
    toolbox.wait_for_failure()
    assert any("alias" in name for name in toolbox.names_waiting())
    toolbox.recover("three")
    order = list(dict.fromkeys((e["event"], e["uuid"]) for e in toolbox.collector.events))
    assert [1, 2] == [i for i, (event, _) in enumerate(order) if event in ("$set", "$identify")]
    assert ["before", "login", "two", "three"] == toolbox.counted()


@pytest.mark.fault("network", "at login, the auth API {trouble}", "a server on loopback")
@pytest.mark.parametrize("trouble", [hang(), refuse(), status(500)], ids=ident)
def test_a_login_that_nobody_could_name_is_linked_by_the_next_command(
    toolbox: Machine, trouble: Behaviour
) -> None:
    toolbox.run("ok", "before")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    toolbox.auth.behave(trouble)
    toolbox.write_credentials("key-of-alice")
    began = time.monotonic()
    toolbox.run("login")
    assert 5 > time.monotonic() - began
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)

    toolbox.auth.behave(answer())
    toolbox.run("ok", "after")
    toolbox.settle()
    assert "alice" == toolbox.captures()[-1]["distinct_id"]
    assert ["before", "login", "after"] == toolbox.counted()
