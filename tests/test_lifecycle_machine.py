"""The lifecycle, driven by Hypothesis: the pure rules and the real worker against PostHog's.

Every message goes through the real mapping to events, and what becomes of them is judged by the
model of PostHog, on both of its back ends and with both ways to link.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import attrs
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from posthog_model import Backend, PostHog
from posthog_model.wire import event, identify
from test_lifecycle import fact
from usage_core import Message, Transport
from usage_core._delivery.records import load_fact
from usage_core._identity.lifecycle import Fact, must_ask, step
from usage_core._identity.state import Identity, Linked
from usage_core.testing.lifecycle import FIRST, NOON, LifecycleMachine, happens
from usage_posthog import PostHogTransport, _wire
from usage_posthog.collector import Collector
from workbench import MORE, PHASES, THOROUGH, Workbench, in_process

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


def check(project: Project, machine: PostHogMachine) -> None:
    """Judge by what a query would say now: a link also changes what happened before it."""
    posthog = project.posthog
    for stored in posthog.events if project.link == "identify" else ():
        if stored.name == "$identify":
            anon_id = str(stored.properties["$anon_distinct_id"])
            assert posthog.same_person(anon_id, stored.distinct_id), f"no link on {project}"
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


def stitched(project: Project, actions: Sequence[str]) -> bool:
    """Tell whether all anonymous commands of A's count for A when the story has ended."""
    identity: Identity | None = None
    stamp: str | None = None
    for number, action in enumerate(actions, 1):
        at = NOON + timedelta(seconds=number)
        if action == "A on the web":
            project.take([identify("browser", "A", at=at)])
        elif action == "A by a server":
            project.take([event("billed", "A", at=at)])
        else:
            stamp = f"stamp {number}" if action == "login" else stamp
            one = fact(number, action, stamp)  # type: ignore[arg-type]  # one of the kinds
            found = "A" if stamp and must_ask(identity, one) else None
            identity, messages = step(identity, one, found)
            project.take([e for message in messages for e in _wire.events(message, project.link)])
            stamp = None if action == "logout" else stamp
        project.settle()
    captures = [
        e for e in project.posthog.events if e.name.startswith(("command", "login", "logout"))
    ]
    person = project.posthog.person_of("A")
    return all(project.posthog.person_at_query(e) == person for e in captures)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize(
    ("actions", "was_identified"),
    [
        (("command", "login"), False),
        (("A by a server", "command", "login"), False),
        (("A on the web", "command", "login"), True),
        (("command", "A on the web", "login"), True),
        (("command", "login", "logout", "command", "login"), True),
    ],
    ids=lambda value: " → ".join(value) if isinstance(value, tuple) else None,
)
def test_alias_cannot_stitch_who_was_identified_before(
    backend: Backend, link: str, actions: tuple[str, ...], was_identified: bool
) -> None:
    """On personhog, that is: by a page on the web, or by an earlier login through this tool."""
    lost = link == "alias" and backend == "personhog" and was_identified
    assert stitched(Project(backend, link), actions) is not lost


class CollectorTransport(Transport):
    """The real transport and a real collector, whose requests go on to the projects."""

    def __init__(self, collector: Collector, projects: Sequence[Project], link: str) -> None:
        self.collector = collector
        self.projects = projects
        self.real = PostHogTransport("phc_test", collector.url, link)

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        seen = len(self.collector.batches)
        self.real.send(batch, timeout=timeout)
        for received in self.collector.batches[seen:]:
            for project in self.projects:
                project.take(received.events)


class RealComputer:
    """A folder with real files, and the real worker in this process."""

    def __init__(self, machine: RealMachine) -> None:
        self._machine = machine
        root = Path(tempfile.mkdtemp(dir=machine.root))
        self._bench = Workbench(root, ask=lambda: machine.ask(self))

    @property
    def identity(self) -> Identity | None:
        return self._bench.identity

    def in_hand(self) -> Fact:
        journal = self._bench.folder.facts
        return load_fact(journal.read(journal.names()[0]))

    def put_credentials(self, number: int | None) -> None:
        self._bench.stamp = None if number is None else str(number)

    def stamp(self) -> str | None:
        return self._bench.stamp

    def record(self, fact: Fact) -> None:
        number = int(fact.at.timestamp())
        written = {**attrs.asdict(fact), "v": 1, "at": fact.at.isoformat()}
        self._bench.folder.facts.put(f"{number:020d}-1-1", json.dumps(written), always=True)

    def work(self, transport: str) -> None:
        self._bench.transport_name = transport
        self._bench.work(Checked(self, transport, self._machine))


@attrs.define
class Checked(Transport):
    """Lets the machine look at each batch on its way."""

    computer: RealComputer
    name: str
    machine: LifecycleMachine

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        self.machine.send(self.computer, self.name, batch)


class RealMachine(PostHogMachine):
    """The same people with real files, the real worker, and the real transport to a collector."""

    steps: ClassVar[int] = 0
    link: ClassVar[str]
    listening: ClassVar[Collector]
    root: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.projects = tuple(Project(backend, self.link) for backend in BACKENDS)

    def make_transport(self, name: str) -> Transport:
        return CollectorTransport(self.listening, self.projects if name == FIRST else (), self.link)

    def make_computer(self, name: str) -> RealComputer:
        return RealComputer(self)


SETTINGS = settings(
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=PHASES,
    report_multiple_bugs=False,
)


def run(machine: type[PostHogMachine], examples: int) -> None:
    run_state_machine_as_test(machine, settings=settings(SETTINGS, max_examples=examples))
    print(f"{machine.steps} steps of {machine.__name__}")  # how thorough it was


def test_nobody_is_taken_for_anybody_else() -> None:
    """1., 2., 3. and 7., with the pure rules: as fast as a thousand steps a second."""
    run(PostHogMachine, 100 * THOROUGH)


@pytest.mark.parametrize("link", LINKS)
def test_nobody_is_taken_for_anybody_else_by_the_real_worker(link: str, tmp_path: Path) -> None:
    """1., 2., 3. and 7., with real files, the real worker and requests to a collector."""
    with in_process(threads=True), Collector() as collector:
        where = {"link": link, "listening": collector, "root": tmp_path, "steps": 0}
        run(type("RealMachineWith" + link.title(), (RealMachine,), where), 10 * MORE)


def story_of(machine: type[LifecycleMachine]) -> list[str]:
    """The shortest story that *machine* fails on, as Hypothesis prints it."""
    shrunk = settings(SETTINGS, max_examples=300, phases=list(Phase))
    with pytest.raises(AssertionError) as failed:
        run_state_machine_as_test(machine, settings=shrunk)
    notes: list[str] = getattr(failed.value, "__notes__", [])
    return [line for line in "\n".join(notes).splitlines() if line.startswith("state.")]


def test_a_broken_rule_is_told_as_a_short_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the row "someone else" broken: A logs in, B logs in, and that is all, or nearly."""

    def without_rotation(
        identity: Identity | None, fact: Fact, principal: str | None
    ) -> tuple[Identity, tuple[Message, ...]]:
        if isinstance(identity, Linked) and principal not in (None, identity.principal_id):
            fact = attrs.evolve(fact, fresh=(identity.anon_id, fact.fresh[1]))
        return step(identity, fact, principal)

    monkeypatch.setattr("usage_core.testing.computers.step", without_rotation)
    story = story_of(LifecycleMachine)
    assert len(story) <= 4, story
    assert len(set(re.findall(r"person='(\w)'", str(story)))) == 2


def test_a_resolver_that_takes_one_person_for_another_is_found() -> None:
    class Careless(LifecycleMachine):
        def resolve(self, owner: str | None) -> str | None:
            return owner and "A"

    story = story_of(Careless)
    assert len(story) <= 3, story
    assert re.search("person='[BC]'", str(story))


def test_a_transport_that_says_nothing_is_not_blamed() -> None:
    run_state_machine_as_test(LifecycleMachine, settings=settings(SETTINGS, max_examples=30))
