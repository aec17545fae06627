"""LifecycleMachine: people at computers, and the promise that nobody is taken for anybody else.

Read the rules first, which are what people do; then the checks, which are what must hold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import wraps
from itertools import product
from typing import Any

import attrs
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from usage_core._delivery.transport import Transport, Unavailable
from usage_core._identity.lifecycle import Fact, Kind
from usage_core._identity.state import Linked
from usage_core._messages import Alias, Capture, Message
from usage_core.testing.computers import Computer, MemoryComputer
from usage_core.testing.transports import RecordingTransport

__all__ = ["LifecycleMachine", "Run"]

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
FIRST, SECOND = "first", "second"

people = st.sampled_from(("A", "B", "C"))


def happens(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Any]:
    """Make a rule of a method, and check the machine after it: a story then shows rules only."""

    def decorate(method: Callable[..., None]) -> Any:
        @wraps(method)
        def checked(self: LifecycleMachine, **arguments: object) -> None:
            self.failed = True
            method(self, **arguments)
            self.check()
            self.failed = False

        make: Any = rule  # its overloads know no strategies by name
        return make(**strategies)(checked)

    return decorate


@attrs.frozen
class Run:
    """One command that was run: by *owner*, as far as the credentials of that moment say.

    *maybe* are those who were logged in there before, where there are no credentials any more.
    """

    kind: Kind
    owner: str | None
    maybe: frozenset[str]


class LifecycleMachine(RuleBasedStateMachine):
    """However people log in, out and swap credentials, nobody is taken for anybody else.

    People with accounts A, B and C sit at a desk and a laptop. They run commands, log in and out,
    exchange the credentials by hand, and swap the transport; the auth API, the collector and the
    worker come and go. After each step the messages that a transport was given must be right.

    Run your own part under it: override `make_transport` for a transport, `resolve` for what
    answers `usage_principal`, `make_computer` for another worker. Then, in a test module,
    `TestMine = MyMachine.TestCase`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.computers: dict[str, Computer] = {}
        self.owners: dict[int, str] = {}
        self.runs: dict[str, Run] = {}
        self.faults: list[str] = []
        self.failed = False
        self._transports: dict[str, Transport] = {}
        self._numbers = 0
        self._at = "desk"
        self._through = FIRST
        self._auth_api = self._worker = True
        self._collector = "well"
        # By computer: the credentials that are there, all that ever were, and who may sit there.
        self._credentials: dict[str, int | None] = {}
        self._earlier: dict[str, list[int]] = {}
        self._maybe: dict[str, frozenset[str]] = {}
        # What transports were given: who each anonymous id belongs to, under which uuid a
        # transport was told so, what was acknowledged, and until when a principal's events left.
        self._links: dict[str, str] = {}
        self._told: dict[tuple[str, str], str] = {}
        self._acknowledged: set[tuple[str, str]] = set()
        self._linked: set[tuple[str, str, str]] = set()
        self._left: dict[tuple[str, str, str], datetime] = {}

    # To override.

    def make_transport(self, name: str) -> Transport:  # noqa: ARG002  # for those who override it
        """Return what delivers under *name*; it is made once."""
        return RecordingTransport()

    def make_computer(self, name: str) -> Computer:  # noqa: ARG002  # for those who override it
        """Return a computer that nobody has used yet; it asks and sends through this machine."""
        return MemoryComputer(self.ask, self.send)

    def resolve(self, owner: str | None) -> str | None:
        """Say whose the credentials are that are in place now; in truth, they are *owner*'s."""
        return owner

    # What people do.

    @happens()
    def command(self) -> None:
        """Run some command."""
        self._run("command", self._owner())

    @happens(person=people)
    def login(self, person: str) -> None:
        """Log in; who it is must be asked."""
        self._put(person)
        self._run("login", person)

    @happens(person=people)
    def login_that_knows_who(self, person: str) -> None:
        """Log in with a tool that learns the principal on the way."""
        self._put(person)
        self._run("login", person, principal=person)

    @happens()
    def logout(self) -> None:
        """Log out; the credentials are gone afterwards."""
        owner, stamp = self._owner(), self._here.stamp()
        self._put(None)
        self._run("logout", owner, stamp=stamp)
        self._maybe[self._at] = frozenset()

    @happens(person=people)
    def swap_credentials(self, person: str) -> None:
        """Put another account's credentials in place by hand, or the same person's new ones."""
        self._put(person)

    @happens()
    def remove_credentials(self) -> None:
        """Take the credentials away by hand."""
        self._put(None)

    @precondition(lambda self: self._earlier.get(self._at))
    @happens(back=st.integers(1, 3))
    def restore_credentials(self, back: int) -> None:
        """Put credentials that were there before into place again."""
        earlier = self._earlier[self._at]
        self._put_number(earlier[-min(back, len(earlier))])

    @happens(computer=st.sampled_from(("desk", "laptop")))
    def sit_down_at(self, computer: str) -> None:
        """Go on at another computer."""
        self._at = computer

    @happens(transport=st.sampled_from((FIRST, SECOND)))
    def use_transport(self, transport: str) -> None:
        """Swap the transport for another."""
        self._through = transport
        self._work()

    # What happens to them.

    @happens(answers=st.booleans())
    def auth_api(self, answers: bool) -> None:
        """Let the auth API answer from now on, or not."""
        self._auth_api = answers

    @happens(is_=st.sampled_from(("well", "away", "mute")))
    def collector(self, is_: str) -> None:
        """Let the collector be well, away, or take everything and not say so."""
        self._collector = is_
        self._work()

    @happens(runs=st.booleans())
    def worker(self, runs: bool) -> None:
        """Let workers run after each command, or keep them from it."""
        self._worker = runs
        self._work()

    def teardown(self) -> None:
        """Let all be well again, and deliver what is left."""
        self._collector, self._worker = "well", True
        for computer, transport in product(list(self.computers), (FIRST, SECOND)):
            self._at, self._through = computer, transport
            self._work()
        if not self.failed:
            self.check()

    # What must hold.

    def check(self) -> None:
        """Fail if anything is wrong, after a step; extend it with what must hold for you."""
        if self.faults:
            raise AssertionError("; ".join(self.faults))

    def ask(self, computer: Computer) -> str | None:
        """Answer `usage_principal`, as the hook of a plug-in."""
        fact, identity = computer.in_hand(), computer.identity
        known = isinstance(identity, Linked) and fact.credential in (None, identity.credential)
        if known and fact.kind != "login":
            self.faults.append(f"a linked identity asked for a {fact.kind}")
        if not self._auth_api:
            raise ConnectionError("the auth API is down")
        return self.resolve(self._owner(self._name(computer)))

    def send(self, computer: Computer, transport: str, batch: Sequence[Message]) -> None:
        """Check what leaves, and hand it to the transport, as far as the collector lets it."""
        name = self._name(computer)
        for message in batch:
            if (transport, message.uuid) in self._acknowledged:
                self.faults.append(f"sent again, though acknowledged: {message}")
            if isinstance(message, Alias):
                self._check_alias(name, transport, message)
            else:
                self._check_capture(name, transport, message)
        if any(isinstance(message, Alias) for message in batch[:-1]):
            self.faults.append("an alias is not acknowledged before what is behind it leaves")
        if self._collector != "away":
            if transport not in self._transports:
                self._transports[transport] = self.make_transport(transport)
            self._transports[transport].send(batch, timeout=5.0)
        if self._collector != "well":
            raise Unavailable(f"the collector is {self._collector}")
        for message in batch:
            self._acknowledged.add((transport, message.uuid))
            if isinstance(message, Alias):
                self._linked.add((name, transport, message.distinct_id))

    def _check_alias(self, computer: str, transport: str, alias: Alias) -> None:
        anon_id, person = alias.previous_id, alias.distinct_id
        if self._links.setdefault(anon_id, person) != person:
            self.faults.append(f"{self._links[anon_id]}'s anonymous id is given to {person}")
        if self._told.setdefault((transport, anon_id), alias.uuid) != alias.uuid:
            self.faults.append(f"{transport} is given {person}'s alias twice")
        if alias.timestamp <= self._left.get((computer, transport, person), NOON):
            self.faults.append(f"{person}'s events leave before the alias")

    def _check_capture(self, computer: str, transport: str, capture: Capture) -> None:
        run, whose = self.runs[capture.uuid], capture.distinct_id
        if capture.is_anon:
            if (transport, self._told.get((transport, whose), "")) in self._acknowledged:
                person = self._links[whose]
                self.faults.append(f"an anonymous {run.kind} under an id that is {person}'s")
            return
        if whose not in ({run.owner} if run.owner else run.maybe):
            self.faults.append(f"a {run.kind} of {run.owner or 'nobody'} counts for {whose}")
        if (computer, transport, whose) not in self._linked:
            self.faults.append(f"{whose}'s {run.kind} leaves before the alias")
        self._left[computer, transport, whose] = capture.timestamp

    # How it is done.

    @property
    def _here(self) -> Computer:
        if self._at not in self.computers:
            self.computers[self._at] = self.make_computer(self._at)
        return self.computers[self._at]

    def _name(self, computer: Computer) -> str:
        return next(name for name, found in self.computers.items() if found is computer)

    def _owner(self, computer: str = "") -> str | None:
        number = self._credentials.get(computer or self._at)
        return None if number is None else self.owners[number]

    def _next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _put(self, person: str | None) -> None:
        number = None
        if person is not None:
            number = self._next_number()
            self.owners[number] = person
        self._put_number(number)

    def _put_number(self, number: int | None) -> None:
        before = self._credentials.get(self._at)
        if before is not None:
            self._earlier.setdefault(self._at, []).append(before)
        self._credentials[self._at] = number
        self._here.put_credentials(number)
        if number is not None:
            here = self._maybe.get(self._at, frozenset())
            self._maybe[self._at] = here | {self.owners[number]}

    def _run(
        self, kind: Kind, owner: str | None, *, principal: str | None = None, stamp: str | None = ""
    ) -> None:
        if owner is not None:
            self._maybe[self._at] = frozenset({owner})
        number = self._next_number()
        at = NOON + timedelta(seconds=number)
        fact = Fact(
            id=f"{_minted(at)}-7000-8000-{number:012x}",
            at=at,
            kind=kind,
            event=kind,
            properties={},
            credential=self._here.stamp() if stamp == "" else stamp,
            principal=principal,
            transport=self._through,
            fresh=(_fresh(number, 1), _fresh(number, 2)),
        )
        self.runs[fact.id] = Run(kind, owner, self._maybe.get(self._at, frozenset()))
        self._here.record(fact)
        self._work()

    def _work(self) -> None:
        if self._worker and self._at in self.computers:
            self._here.work(self._through)


def _fresh(number: int, which: int) -> str:
    return f"{number:08x}-0000-4000-8000-{which:012x}"


def _minted(at: datetime) -> str:
    milliseconds = f"{int(at.timestamp() * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"
