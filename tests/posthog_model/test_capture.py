"""When an event happened, and how often it counts."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from posthog_model import PostHog, stored_timestamp
from posthog_model.wire import NOON, event

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["pg", "personhog"])
def posthog(request: pytest.FixtureRequest) -> PostHog:
    return PostHog(request.param)


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "stored"),
    [
        ("2023-01-01T11:00:00Z", None, "2023-01-01T11:00:00+00:00"),
        ("2023-01-01T11:00:00", None, "2023-01-01T11:00:00+00:00"),
        ("2023-01-01T13:00:00+02:00", None, "2023-01-01T11:00:00+00:00"),
        ("2023-01-01T11:00:00Z", "2023-01-01T12:00:10Z", "2023-01-01T10:59:50+00:00"),
        ("2023-01-01T11:00:00Z", "2023-01-01T11:59:50Z", "2023-01-01T11:00:10+00:00"),
        ("2023-01-01T11:00:00Z", "2023-01-01T12:00:00Z", "2023-01-01T11:00:00+00:00"),
        ("2023-01-01T11:00:00Z", "yesterday", "2023-01-01T11:00:00+00:00"),
        (None, "2023-01-01T12:00:05Z", "2023-01-01T12:00:00+00:00"),
        ("not a date", None, "2023-01-01T12:00:00+00:00"),
        ("2023-01-02T11:00:00Z", None, "2023-01-02T11:00:00+00:00"),
        ("2023-01-02T11:00:00.001Z", None, "2023-01-01T12:00:00+00:00"),
        ("1999-01-01T00:00:00Z", None, "1999-01-01T00:00:00+00:00"),
    ],
)
def test_the_stored_timestamp_is_the_clients_corrected_by_its_clock(
    timestamp: str | None, sent_at: str | None, stored: str
) -> None:
    now = datetime.fromisoformat("2023-01-01T12:00:00Z")
    assert stored_timestamp(timestamp, sent_at, now).isoformat() == stored


@pytest.mark.parametrize(
    ("properties", "late", "exact", "by_day"),
    [
        ({}, timedelta(), 1, 1),
        ({}, MINUTE, 2, 1),
        ({}, timedelta(days=1), 2, 2),
        ({"$ignore_sent_at": True}, timedelta(days=1), 1, 1),
        ({"$ignore_sent_at": "true"}, MINUTE, 2, 1),
    ],
)
def test_a_repeated_event_counts_once_if_its_stored_timestamp_is_the_same(
    posthog: PostHog, properties: dict[str, Any], late: timedelta, exact: int, by_day: int
) -> None:
    sent = [event("seen", "user", properties)]
    posthog.deliver(sent, sent_at=NOON.isoformat(), now=NOON)
    posthog.deliver(sent, sent_at=NOON.isoformat(), now=NOON + late)

    assert len(posthog.events) == 2
    assert len(posthog.deduplicated()) == len(posthog.history("user")) == exact
    assert len(posthog.deduplicated(exact_timestamp=False)) == by_day


@pytest.mark.parametrize("change", [{"uuid": None}, {"event": "b"}, {"distinct_id": "b"}])
@pytest.mark.parametrize("exact_timestamp", [True, False])
def test_events_that_differ_in_uuid_name_or_distinct_id_all_count(
    posthog: PostHog, change: dict[str, str], exact_timestamp: bool
) -> None:
    sent = event("a", "a")
    posthog.deliver([{**sent, **change}, sent, {**sent, **change}])
    assert len(posthog.deduplicated(exact_timestamp)) == (3 if change == {"uuid": None} else 2)


@pytest.mark.parametrize(
    ("uuid", "lib", "expected"),
    [
        ("01a20320-a200-7000-8000-000000000000", "usage-posthog", []),
        ("01a1f3ad-8e00-7000-8000-000000000000", "usage-posthog", []),
        ("01a1f3ad-8dff-7000-8000-000000000000", "web", ["event_uuid_timestamp_divergent"]),
        ("5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11", "posthog-cobol", ["event_uuid_not_v7"]),
        ("5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11", "posthog-python", []),
        ("5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11", None, []),
        (None, "usage-posthog", []),
    ],
)
def test_a_uuid_ought_to_be_a_v7_of_the_events_time(
    posthog: PostHog, uuid: str | None, lib: str | None, expected: list[str]
) -> None:
    sent = event("seen", "user", {"$lib": lib} if lib else {})
    posthog.deliver([{**sent, "uuid": uuid}], now=NOON)
    assert [warning.type for warning in posthog.warnings] == expected


@pytest.mark.parametrize(
    ("sent", "read"), [("a\0b", "a\ufffdb"), ("x" * 201, "x" * 200), (" a ", " a "), (7, "7")]
)
def test_a_distinct_id_is_made_to_fit(posthog: PostHog, sent: object, read: str) -> None:
    posthog.deliver([{**event("seen", ""), "distinct_id": sent}])
    assert [e.distinct_id for e in posthog.events] == [read]
