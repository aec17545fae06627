"""The wall clock steps, forward and back, between facts and between drains; nobody is joined."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthog_model import Backend, PostHog
from test_crashes import MEMORY
from usage_core import Message, Unavailable
from usage_posthog import _wire
from workbench import MORE, Workbench, in_process, note

SECOND = 10**9
DAY = 24 * 3600 * SECOND
YEAR = 365 * DAY
STEPS = (0, 1, SECOND, -SECOND, 90 * SECOND, -90 * SECOND, 3 * DAY, -3 * DAY, YEAR, -YEAR)
KEPT = 30 * DAY


@pytest.fixture(autouse=True, scope="module")
def cheap_workers() -> Iterator[None]:
    with in_process():
        yield


@attrs.frozen
class Move:
    """Something that is done, and by how much the clock stepped before it, in nanoseconds."""

    action: str
    stepped: int


moves = st.lists(
    st.builds(
        Move,
        st.sampled_from(["command", "login A", "login B", "logout", "worker"]),
        st.sampled_from(STEPS),
    ),
    max_size=8,
)


@attrs.define
class Life:
    """What became of a story: the facts by uuid with whose credentials they were run under."""

    owners: dict[str, str | None]
    delivered: list[Message]


def live(story: Sequence[Move], *, at_once: bool, away: bool = False) -> Life:
    """Live through *story*, with a worker after each fact or where the story has one.

    With *away*, the collector comes back at the end only.
    """
    root = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        return _live(Workbench(root), story, at_once, away)
    finally:
        shutil.rmtree(root)


def _live(bench: Workbench, story: Sequence[Move], at_once: bool, away: bool) -> Life:
    clock = 1_795_348_800 * SECOND
    owners: dict[str, str | None] = {}
    stamp: str | None = None
    if away:
        bench.transport.refuses = lambda _: Unavailable("away")
    for number, move in enumerate(story, 1):
        clock += move.stepped
        kind, _, person = move.action.partition(" ")
        if person:
            stamp = f"{number} of {person}"
            bench.answers[stamp] = person
        if kind != "worker":
            one = note(
                number, kind, stamp, at=clock, stamp_after=None if kind == "logout" else stamp
            )
            owners[one.uuid] = bench.answers.get(stamp)
            bench.put(one)
        if kind == "logout":
            stamp = None
        if kind == "worker" or at_once:
            work(bench, clock)
    bench.transport.refuses = lambda _: None
    for _ in range(3):
        work(bench, clock)
    assert bench.is_done()
    delivered = [message for request in bench.transport.requests for message in request]
    return Life(owners, delivered)


def work(bench: Workbench, clock: int) -> None:
    with mock.patch("time.time_ns", return_value=clock):
        bench.work()


def identity_of(messages: Sequence[Message]) -> list[tuple[str, str, str]]:
    return sorted((m.uuid, m.distinct_id, getattr(m, "previous_id", "")) for m in messages)


def test_what_was_recorded_first_is_folded_and_delivered_first(tmp_path: Path) -> None:
    """Where the clock does not step, names are in order, whatever a folder's listing says."""
    bench = Workbench(tmp_path)
    for number in (3, 9, 1, 7, 5, 8, 2, 6, 4, 10):
        bench.put(note(number, "command"))
    bench.work_to_the_end()
    order = [str(one["properties"]) for one in bench.delivered()]
    assert [f"command {number}'" in about for number, about in enumerate(order, 1)] == [True] * 10


@settings(max_examples=100 * MORE, deadline=None)
@given(story=moves, at_once=st.booleans(), away=st.booleans())
def test_a_clock_that_steps_joins_nobody(story: list[Move], at_once: bool, away: bool) -> None:
    """8. Never property 1, at PostHog, whatever the order and however long the wait."""
    life = live(story, at_once=at_once, away=away)
    backends: tuple[Backend, ...] = ("pg", "personhog")
    for backend in backends:
        for link in ("identify", "alias"):
            posthog = PostHog(backend)
            for message in life.delivered:
                now = message.timestamp + timedelta(days=1)
                posthog.deliver(_wire.events(message, link), now=max(now, datetime.now(UTC)))
            assert not posthog.same_person("A", "B")
            persons = {posthog.person_of(person): person for person in "AB"}
            for stored in posthog.events:
                owner = life.owners.get(stored.uuid)
                if owner is not None:
                    assert persons.get(posthog.person_at_query(stored)) in (owner, None)


@settings(max_examples=100 * MORE, deadline=None)
@given(story=moves, at_once=st.booleans(), away=st.booleans())
def test_a_clock_that_steps_loses_nothing_of_the_last_month(
    story: list[Move], at_once: bool, away: bool
) -> None:
    """8. and 5.: each fact arrives once; only what the clock calls older than 30 days may not."""
    life = live(story, at_once=at_once, away=away)
    uuids = [message.uuid for message in life.delivered]
    assert len(uuids) == len(set(uuids))
    if all(abs(move.stepped) < YEAR for move in story):
        assert set(life.owners) <= set(uuids)


@settings(max_examples=60 * MORE, deadline=None)
@given(story=moves)
def test_a_clock_that_steps_changes_nothing_while_workers_keep_up(story: list[Move]) -> None:
    """8. What is folded is folded: only facts that wait together can change places."""
    steady = [attrs.evolve(move, stepped=SECOND) for move in story]
    stepped = live(story, at_once=True)
    ordered = live(steady, at_once=True)
    shown = [
        [(type(m), m.distinct_id if m.distinct_id in "AB" else "anonymous") for m in life.delivered]
        for life in (stepped, ordered)
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize("back", [SECOND, DAY, YEAR])
def test_a_principals_event_may_overtake_its_alias_only_when_the_clock_was_set_back(
    back: int,
) -> None:
    """8. The outbox is delivered in the order of the clock; PostHog links all the same."""
    story = [Move("command", 0), Move("login A", SECOND), Move("command", -back - SECOND)]
    life = live(story, at_once=True, away=True)
    kinds = [type(message).__name__ for message in life.delivered]
    if back < KEPT:
        assert ["Capture", "Alias"] == [kinds[0], kinds[-2]]
    backends: tuple[Backend, ...] = ("pg", "personhog")
    for backend in backends:
        posthog = PostHog(backend)
        for message in life.delivered:
            posthog.deliver(_wire.events(message, "identify"))
        for stored in posthog.events:
            assert posthog.person_at_query(stored) == posthog.person_of("A")
