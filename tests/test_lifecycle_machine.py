"""The lifecycle, driven by Hypothesis: the pure rules and the real worker against PostHog's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from posthog_model import Backend, PostHog
from posthog_model.wire import event, identify
from usage_core import Message, Transport
from usage_core.testing.lifecycle import FIRST, NOON, LifecycleMachine, happens
from usage_posthog import _wire

THOROUGH = int(os.environ.get("THOROUGH", "1"))
STEPS = 30

BACKENDS: tuple[Backend, ...] = ("pg", "personhog")
LINKS = ("identify", "alias")


class Project:
    """One project at PostHog: a back end of theirs, a way to link of ours."""

    def __init__(self, backend: Backend, link: str) -> None:
        self.posthog = PostHog(backend)
        self.link = link
        self._random = Random(0)

    def take(self, events: Sequence[Any]) -> None:
        self.posthog.accept(events, now=NOON + timedelta(days=1))

    def settle(self) -> None:
        self.posthog.settle(self._random)

    def __str__(self) -> str:
        return f"{self.posthog.persons.backend} with link={self.link!r}"


class WireTransport(Transport):
    """The real mapping to events, and PostHog's rules behind it."""

    def __init__(self, projects: Sequence[Project]) -> None:
        self.projects = projects

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        for project in self.projects:
            project.take([e for m in batch for e in _wire.events(m, project.link)])


class PostHogMachine(LifecycleMachine):
    """Nobody counts for anybody else at PostHog, on either back end and with either way to link."""

    steps: ClassVar[int] = 0
    projects: tuple[Project, ...]

    def __init__(self) -> None:
        super().__init__()
        self.projects = tuple(Project(b, link) for b in BACKENDS for link in LINKS)
        self._lags = False

    def make_transport(self, name: str) -> Transport:
        return WireTransport(self.projects if name == FIRST else ())

    @happens(person=st.sampled_from("ABC"))
    def seen_on_the_web(self, person: str) -> None:
        self._elsewhere([identify(f"browser of {person}", person, at=self._now())])

    @happens(person=st.sampled_from("ABC"))
    def seen_by_a_server(self, person: str) -> None:
        self._elsewhere([event("billed", person, at=self._now())])

    @happens(lags=st.booleans())
    def ingestion(self, lags: bool) -> None:
        self._lags = lags

    def check(self) -> None:
        type(self).steps += 1
        super().check()
        if not self._lags:
            for project in self.projects:
                project.settle()
                check(project, self)

    def teardown(self) -> None:
        self._lags = False
        super().teardown()

    def _elsewhere(self, events: list[Any]) -> None:
        for project in self.projects:
            project.take(events)

    def _now(self) -> Any:
        return NOON + timedelta(seconds=self._next_number())


def check(project: Project, machine: LifecycleMachine) -> None:
    posthog = project.posthog
    persons = {posthog.person_of(person): person for person in "ABC"}
    assert len(persons) == 3, f"two people are one on {project}"
    for stored in posthog.deduplicated():
        run = machine.runs.get(stored.uuid)
        counts_for = persons.get(posthog.person_at_query(stored))
        if run is None or counts_for is None or run.owner is None:
            continue
        assert run.owner == counts_for, (
            f"a {run.kind} of {run.owner} counts for {counts_for} on {project}"
        )


def test_nobody_is_taken_for_anybody_else() -> None:
    run_state_machine_as_test(
        PostHogMachine,
        settings=settings(
            max_examples=100 * THOROUGH,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            report_multiple_bugs=False,
        ),
    )
    print(f"{PostHogMachine.steps} steps of the lifecycle machine")  # noqa: T201  # the count is asked for
