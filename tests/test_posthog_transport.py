"""What the PostHog transport puts on the wire, and what it makes of the answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from usage_core import Alias, Capture, Message, Rejected, Transport, Unavailable
from usage_core.testing.behaviour import (
    Behaviour,
    drip,
    hang,
    lost_reply,
    nonsense,
    redirect,
    refuse,
    status,
)
from usage_posthog import usage_transport
from usage_posthog.collector import Collector, Event

AT = datetime(2026, 11, 22, 10, 11, 12, 345000, tzinfo=UTC)
ANON, ALICE = "5a1f1f0e-7c53-4c43-9d6d-6f8e64c7b6a1", "alice"


def capture(number: int = 0, **fields: object) -> Capture:
    about: dict[str, object] = {
        "uuid": f"019ab5b8-4ed9-7000-8000-{number:012x}",
        "event": "CLI execution succeeded",
        "distinct_id": ANON,
        "timestamp": AT,
        "properties": {"command_name": f"c{number}"},
        "is_anon": True,
    }
    return Capture(**{**about, **fields})  # type: ignore[arg-type]  # each of its own type


ALIAS = Alias("019ab5b8-4ed9-7000-8000-ffffffffffff", ANON, ALICE, AT)


@pytest.fixture
def make(collector: Collector) -> Callable[..., Transport]:
    def make(**options: object) -> Transport:
        return usage_transport({"api_key": "phc_test", "host": collector.url, **options})

    return make


def sent(transport: Transport, collector: Collector, *batch: Message) -> list[Event]:
    transport.send(batch, timeout=5.0)
    return list(collector.events)


def test_an_anonymous_event_makes_no_person(
    make: Callable[..., Transport], collector: Collector
) -> None:
    (event,) = sent(make(), collector, capture(properties={"command_name": "x", "a": [1]}))

    assert (ANON, "CLI execution succeeded") == (event["distinct_id"], event["event"])
    assert capture().uuid == event["uuid"]
    assert AT == datetime.fromisoformat(event["timestamp"])
    assert {
        "command_name": "x",
        "a": [1],
        "is_anon": True,
        "$process_person_profile": False,
        "$ignore_sent_at": True,
        "$geoip_disable": True,
        "$ip": "0.0.0.0",
        "$lib": "usage-posthog",
        "$lib_version": "0.1.0",
    } == event["properties"]


def test_a_principals_event_is_one_of_a_person(
    make: Callable[..., Transport], collector: Collector
) -> None:
    (event,) = sent(make(), collector, capture(distinct_id=ALICE, is_anon=False))

    assert event["properties"]["is_anon"] is False
    assert "$process_person_profile" not in event["properties"]
    assert "$is_server" not in event["properties"]


def test_a_link_is_two_events_that_stay_together(
    make: Callable[..., Transport], collector: Collector
) -> None:
    person, link = sent(make(), collector, ALIAS)

    assert ("$set", ALICE) == (person["event"], person["distinct_id"])
    assert ("$identify", ALICE, ALIAS.uuid) == (link["event"], link["distinct_id"], link["uuid"])
    assert ANON == link["properties"]["$anon_distinct_id"]
    assert person["uuid"] != link["uuid"]
    assert {7} == {UUID(e["uuid"]).version for e in (person, link)}
    assert 1 == len(collector.requests)
    assert not any("$process_person_profile" in e["properties"] for e in (person, link))


def test_a_link_by_alias_is_what_the_client_would_send(
    make: Callable[..., Transport], collector: Collector
) -> None:
    (link,) = sent(make(link="alias"), collector, ALIAS)

    assert ("$create_alias", ANON) == (link["event"], link["distinct_id"])
    assert (ANON, ALICE) == (link["properties"]["distinct_id"], link["properties"]["alias"])


def test_a_retry_is_the_same_to_the_last_byte(
    make: Callable[..., Transport], collector: Collector
) -> None:
    transport = make()
    collector.behave(lost_reply(), times=1)
    with pytest.raises(Unavailable):
        transport.send([ALIAS, capture()], timeout=5.0)
    transport.send([ALIAS, capture()], timeout=5.0)

    events = collector.events
    assert events[:3] == events[3:]


def test_the_culprits_are_found_and_the_others_kept(
    make: Callable[..., Transport], collector: Collector
) -> None:
    bad = {capture(3).uuid, capture(60).uuid}
    collector.reject(lambda event: event["uuid"] in bad, status=400)
    batch = [capture(number) for number in range(100)]
    with pytest.raises(Rejected) as rejected:
        make().send(batch, timeout=30.0)

    assert bad == {message.uuid for message in rejected.value.messages}
    assert [m.uuid for m in batch if m.uuid not in bad] == [e["uuid"] for e in collector.events]


def test_an_event_that_is_too_large_is_rejected_alone(
    make: Callable[..., Transport], collector: Collector
) -> None:
    collector.event_limit = 2000
    large = capture(1, properties={"x": "y" * 3000})
    with pytest.raises(Rejected) as rejected:
        make().send([capture(0), large, capture(2)], timeout=30.0)

    assert (large,) == rejected.value.messages
    assert 2 == len(collector.events)


def test_a_refused_key_rejects_the_whole_batch_in_one_request(
    make: Callable[..., Transport], collector: Collector
) -> None:
    with pytest.raises(Rejected, match="api_key was refused") as rejected:
        make(api_key="phx_personal").send([capture(0), capture(1)], timeout=5.0)

    assert 2 == len(rejected.value.messages)
    assert 1 == len(collector.requests)


@pytest.mark.parametrize(
    "trouble",
    [refuse(), status(500), status(408), status(404), status(204), nonsense("not_json"),
     nonsense("huge"), nonsense("empty"), redirect("http://127.0.0.1:9/")],
    ids=lambda trouble: f"{trouble.kind}-{getattr(trouble.reply, 'status', '')}",
)  # fmt: skip
def test_whatever_may_pass_is_unavailable(
    make: Callable[..., Transport], collector: Collector, trouble: Behaviour
) -> None:
    collector.behave(trouble)
    with pytest.raises(Unavailable):
        make().send([capture()], timeout=5.0)


@pytest.mark.parametrize("as_date", [False, True], ids=["seconds", "date"])
def test_the_wait_that_was_asked_for_is_passed_on(
    make: Callable[..., Transport], collector: Collector, as_date: bool
) -> None:
    asked = datetime.now(UTC) + timedelta(seconds=600) if as_date else 600
    collector.behave(status(429, retry_after=asked))
    with pytest.raises(Unavailable) as unavailable:
        make().send([capture()], timeout=5.0)

    assert unavailable.value.retry_after is not None
    assert 500 < unavailable.value.retry_after <= 600


@pytest.mark.parametrize("trouble", [hang(), drip(0.2)], ids=["hang", "drip"])
def test_no_library_is_trusted_with_the_time(
    make: Callable[..., Transport], collector: Collector, trouble: Behaviour
) -> None:
    from usage_core._delivery.guard import Guard, HungError

    collector.behave(trouble)
    began = time.monotonic()
    with pytest.raises((HungError, Unavailable)):
        Guard().run(1.0, lambda: make().send([capture()], timeout=1.0))
    assert 3 > time.monotonic() - began


def test_nothing_follows_a_redirect_to_another_host(
    make: Callable[..., Transport], collector: Collector
) -> None:
    with Collector() as elsewhere:
        collector.behave(redirect(f"{elsewhere.url}/batch/"))
        with pytest.raises(Unavailable):
            make().send([capture()], timeout=5.0)

        assert not elsewhere.requests


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "api_key"),
        ({"api_key": " "}, "api_key"),
        ({"api_key": "phc_x", "host": "eu"}, "no URL"),
        ({"api_key": "phc_x", "link": "merge"}, "link='merge'"),
    ],
)
def test_options_that_could_never_work_are_named(options: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        usage_transport(options)
