"""The alias state machine, row by row, and what holds in every short story."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise, permutations, product
from pathlib import Path
from uuid import UUID

import attrs
import pytest

from usage_core import Alias, Capture, Message
from usage_core._identity.lifecycle import Fact, Kind, must_ask, step
from usage_core._identity.state import Anonymous, Identity, Linked
from usage_core._identity.store import IdentityStore
from usage_core._identity.waterfall import Waterfall

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANON = "5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11"


def fact(
    number: int = 1,
    kind: Kind = "command",
    credential: str | None = None,
    principal: str | None = None,
    transport: str = "first",
) -> Fact:
    return Fact(
        id=f"{int(NOON.timestamp() * 1000) >> 16:08x}-{number:04x}-7000-8000-{number:012x}",
        at=NOON + timedelta(seconds=number),
        kind=kind,
        event=f"{kind} {number}",
        properties={},
        credential=credential,
        principal=principal,
        transport=transport,
        fresh=fresh(number),
    )


def fresh(number: int) -> tuple[str, str]:
    return (
        f"{number:08x}-0000-4000-8000-000000000001",
        f"{number:08x}-0000-4000-8000-000000000002",
    )


FIRST, SECOND = fresh(1)


def anonymous(anon_id: str = ANON, credential: str | None = None) -> Anonymous:
    return Anonymous(anon_id, credential)


def linked(anon_id: str, person: str, credential: str | None, *told: str) -> Linked:
    return Linked(anon_id, person, credential, frozenset(told))


A_S = linked(ANON, "A", "s", "first")


@pytest.mark.parametrize(
    ("before", "kind", "credential", "principal", "after"),
    [
        # Nobody yet: as an anonymous id of the fact's own.
        (None, "command", None, None, anonymous(FIRST)),
        (None, "command", "s", None, anonymous(FIRST, "s")),
        (None, "command", "s", "A", linked(FIRST, "A", "s", "first")),
        (None, "login", "s", "A", linked(FIRST, "A", "s", "first")),
        (None, "logout", None, None, anonymous(FIRST)),
        (None, "logout", "s", "A", anonymous(SECOND)),
        # Anonymous: whoever is found gets the id, unless it was used under other credentials.
        (anonymous(), "command", None, None, anonymous()),
        (anonymous(), "command", "s", "A", linked(ANON, "A", "s", "first")),
        (anonymous(), "login", "s", "A", linked(ANON, "A", "s", "first")),
        (anonymous(), "login", None, "A", linked(ANON, "A", None, "first")),
        (anonymous(), "login", None, None, anonymous()),
        (anonymous(), "logout", None, None, anonymous()),
        (anonymous(), "logout", "s", "A", anonymous(SECOND)),
        # Anonymous, and used by somebody whom nobody could name.
        (anonymous(), "command", "t", None, anonymous(ANON, "t")),
        (anonymous(), "logout", "t", None, anonymous(ANON, "t")),
        (anonymous(ANON, "t"), "command", None, None, anonymous(ANON, "t")),
        (anonymous(ANON, "t"), "command", "t", None, anonymous(ANON, "t")),
        (anonymous(ANON, "t"), "command", "t", "A", linked(ANON, "A", "t", "first")),
        (anonymous(ANON, "t"), "login", "u", "B", linked(FIRST, "B", "u", "first")),
        (anonymous(ANON, "t"), "login", None, "B", linked(FIRST, "B", None, "first")),
        (anonymous(ANON, "t"), "command", "u", None, anonymous(FIRST, "u")),
        # Linked, and nothing says that it is anybody else.
        (A_S, "command", None, None, A_S),
        (A_S, "command", "s", None, A_S),
        (A_S, "login", "s", "A", A_S),
        (A_S, "login", "s", None, A_S),
        (linked(ANON, "A", None, "first"), "command", None, None, linked(ANON, "A", None, "first")),
        # Linked, and a token was refreshed.
        (A_S, "command", "t", "A", linked(ANON, "A", "t", "first")),
        (A_S, "login", "t", "A", linked(ANON, "A", "t", "first")),
        # Linked, and it is someone else.
        (A_S, "command", "t", "B", linked(FIRST, "B", "t", "first")),
        (A_S, "login", "t", "B", linked(FIRST, "B", "t", "first")),
        (A_S, "login", "s", "B", linked(FIRST, "B", "s", "first")),
        (A_S, "login", None, "B", linked(FIRST, "B", None, "first")),
        (A_S, "logout", "t", "B", anonymous(SECOND)),
        # Linked, and it is someone, but not provably the same.
        (A_S, "command", "t", None, anonymous(FIRST, "t")),
        (A_S, "login", "t", None, anonymous(FIRST, "t")),
        (A_S, "login", None, None, anonymous(FIRST)),
        (A_S, "logout", "t", None, anonymous(FIRST, "t")),
        # A logout ends it.
        (A_S, "logout", "s", None, anonymous(SECOND)),
        (A_S, "logout", None, None, anonymous(SECOND)),
        (A_S, "logout", "t", "A", anonymous(SECOND)),
    ],
)
def test_the_table_of_transitions(
    before: Identity | None,
    kind: Kind,
    credential: str | None,
    principal: str | None,
    after: Identity,
) -> None:
    assert after == step(before, fact(1, kind, credential), principal)[0]


def test_the_logout_event_still_counts_for_who_logged_out() -> None:
    _, (capture,) = step(A_S, fact(1, "logout", "s"), None)
    assert ("A", False) == (capture.distinct_id, capture.is_anon)  # type: ignore[union-attr]


def test_a_link_comes_before_the_event_and_goes_to_each_transport_once() -> None:
    identity, messages = step(anonymous(), fact(1, "login", "s"), "A")
    alias, capture = messages
    assert isinstance(alias, Alias)
    assert isinstance(capture, Capture)
    assert (ANON, "A") == (alias.previous_id, alias.distinct_id)
    assert ("A", False, "login 1") == (capture.distinct_id, capture.is_anon, capture.event)

    assert [Capture] == [type(m) for m in step(identity, fact(2, "command", "s"), None)[1]]
    other = fact(3, "command", "s", transport="second")
    identity, messages = step(identity, other, None)
    assert [Alias, Capture] == [type(m) for m in messages]
    assert linked(ANON, "A", "s", "first", "second") == identity


def test_a_logout_that_was_applied_before_a_crash_does_nothing() -> None:
    logout = fact(1, "logout", "s")
    after, _ = step(A_S, logout, None)
    assert (after, ()) == step(after, logout, None)


@pytest.mark.parametrize(
    "identity",
    [anonymous(), anonymous(ANON, "t"), linked(ANON, "A", None), linked(ANON, "A", "s", "x", "y")],
    ids=["nobody", "nobody-named", "linked", "linked-and-told"],
)
def test_an_identity_outlives_the_process(identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "usage.json"
    path.write_text(f'{{"anon_id": "{FIRST}", "linked_principal_id": null, "theirs": 1}}')
    IdentityStore(str(path)).write(identity)

    assert identity == IdentityStore(str(path)).read()
    assert 1 == json.loads(path.read_text())["theirs"]


def test_an_alias_has_a_uuid_of_its_own_and_of_its_moment() -> None:
    _, (alias, capture) = step(None, fact(1, "login", "s"), "A")
    assert UUID(alias.uuid).version == 7
    assert alias.uuid != capture.uuid
    assert alias.uuid[:13] == capture.uuid[:13]
    assert alias.timestamp == capture.timestamp == NOON + timedelta(seconds=1)


@pytest.mark.parametrize("answer", ["", "  ", "null", "Anonymous", "'none'", "x" * 201, "a\0b"])
def test_what_cannot_name_a_person_counts_as_nobody(answer: str) -> None:
    waterfall = Waterfall(lambda _: answer, None)
    assert waterfall.principal(None, fact(1, "login", "s")) is None
    assert waterfall.principal(None, fact(1, "login", "t", principal=answer)) is None


# What holds in every story of up to four actions (five in the session `properties`). A login brings
# new credentials; a command runs under those that are there; nobody can name the owner of "?", and
# a swap is seen by no fact.

ACTIONS = ("command", "login A", "login B", "login ?", "logout", "swap A", "swap B", "swap ?")
MOVES = 5 if "THOROUGH" in os.environ else 4


@attrs.frozen
class Told:
    """A story: the facts in order, and by stamp who the credentials belong to."""

    facts: tuple[Fact, ...]
    owners: tuple[tuple[str, str], ...]

    def owner(self, stamp: str | None) -> str | None:
        return dict(self.owners).get(stamp or "")

    def principal(self, identity: Identity | None, fact: Fact) -> str | None:
        """Answer as the waterfall does when all credentials but those of "?" can be named."""
        if fact.credential is None or not must_ask(identity, fact):
            return None
        owner = self.owner(fact.credential)
        return None if owner == "?" else owner

    def fold(self, facts: Sequence[Fact] | None = None) -> Iterator[tuple[Fact, list[Message]]]:
        identity: Identity | None = None
        for one in self.facts if facts is None else facts:
            identity, messages = step(identity, one, self.principal(identity, one))
            yield one, list(messages)

    def messages(self, facts: Sequence[Fact] | None = None) -> list[Message]:
        return [message for _, messages in self.fold(facts) for message in messages]


def tell(actions: Sequence[str]) -> Told:
    facts: list[Fact] = []
    owners: list[tuple[str, str]] = []
    stamp: str | None = None
    for number, action in enumerate(actions, 1):
        kind, _, person = action.partition(" ")
        if person:
            stamp = f"{number} of {person}"
            owners.append((stamp, person))
        if kind in ("command", "login", "logout"):
            facts.append(fact(number, kind, stamp))  # type: ignore[arg-type]  # it was looked at
        if kind == "logout":
            stamp = None
    return Told(tuple(facts), tuple(owners))


STORIES = [tell(actions) for n in range(1, MOVES + 1) for actions in product(ACTIONS, repeat=n)]


def test_no_anonymous_id_is_linked_to_two_people() -> None:
    """1. However people come and go, no anonymous id is ever aliased to two principals."""
    for story in STORIES:
        owners: dict[str, str] = {}
        for message in story.messages():
            if isinstance(message, Alias):
                person = owners.setdefault(message.previous_id, message.distinct_id)
                assert person == message.distinct_id, story


def counted(story: Told, facts: Sequence[Fact] | None = None) -> Iterator[tuple[Fact, str | None]]:
    """Yield each fact, and the person for whom its event counts when all links are made."""
    made = list(story.fold(facts))
    links = {m.previous_id: m.distinct_id for _, ms in made for m in ms if isinstance(m, Alias)}
    for one, messages in made:
        (capture,) = [m for m in messages if isinstance(m, Capture)]
        whose = capture.distinct_id
        yield one, links.get(whose) if capture.is_anon else whose


def is_right(story: Told, one: Fact, counts_for: str | None) -> bool:
    """Tell whether a fact under credentials counts for their owner, or for nobody."""
    owner = story.owner(one.credential)
    if owner is None:
        return True
    return counts_for is None or counts_for == owner != "?"


def test_an_event_counts_for_its_person_or_for_nobody() -> None:
    """2. No event is attributed to anyone but the person who ran it, not by a later link either."""
    for story in STORIES:
        for one, counts_for in counted(story):
            assert is_right(story, one, counts_for), story


def test_an_alias_comes_before_anything_else_of_its_principal() -> None:
    """3. On each transport a principal's alias comes first, and once for each anonymous id."""
    for story in STORIES:
        known: set[str] = set()
        given: list[str] = []
        for message in story.messages():
            if isinstance(message, Alias):
                known.add(message.distinct_id)
                given.append(message.previous_id)
            elif not message.is_anon:
                assert message.distinct_id in known, story
        assert len(given) == len(set(given)), story


def test_folding_a_fact_again_gives_the_same() -> None:
    """4. Folding is repeatable: before the identity was written and after it."""
    for story in STORIES:
        identity: Identity | None = None
        for one in story.facts:
            principal = story.principal(identity, one)
            answered = attrs.evolve(one, principal=principal)
            after, messages = step(identity, answered, principal)
            assert (after, messages) == step(identity, answered, principal)
            again, repeated = step(after, answered, principal)
            assert again == after, story
            assert all(message in messages for message in repeated), story
            identity = after


def test_each_fact_becomes_one_event_with_its_own_uuid() -> None:
    """5. Every fact makes exactly one event, and no two messages share a uuid."""
    for story in STORIES:
        messages = story.messages()
        captures = [message.uuid for message in messages if isinstance(message, Capture)]
        assert [one.id for one in story.facts] == captures
        assert len(messages) == len({message.uuid for message in messages})


def test_first_runs_in_any_order_share_one_anonymous_id() -> None:
    """6. Any interleaving of first runs ends with one anonymous id, and no fact is lost."""
    facts = [fact(number) for number in range(1, 6)]
    for order in permutations(facts):
        captures = tell([]).messages(order)
        assert len({message.distinct_id for message in captures}) == 1
        assert {one.id for one in facts} == {message.uuid for message in captures}


def test_a_linked_identity_asks_nobody() -> None:
    """7. A linked identity never asks, and a link that was made is not made again."""
    asked: list[str | None] = []
    waterfall = Waterfall(asked.append, None)
    for credential in (None, "s"):
        one = fact(1, "command", credential)
        assert waterfall.principal(A_S, one) is None
        assert [Capture] == [type(message) for message in step(A_S, one, None)[1]]
    assert asked == []
    waterfall.principal(A_S, fact(1, "command", "t"))
    waterfall.principal(A_S, fact(1, "command", "t"))
    waterfall.principal(A_S, fact(1, "login", "s"))
    assert ["t", "s"] == asked


def test_facts_that_change_places_join_nobody() -> None:
    """8. Two facts in the wrong order join nobody, and give nobody what was under credentials."""
    swapped = 0
    for story in STORIES:
        for first, second in pairwise(range(len(story.facts))):
            facts = list(story.facts)
            facts[first], facts[second] = facts[second], facts[first]
            owners: dict[str, str] = {}
            for message in story.messages(facts):
                if isinstance(message, Alias):
                    person = owners.setdefault(message.previous_id, message.distinct_id)
                    assert person == message.distinct_id, (story, facts)
            for one, counts_for in counted(story, facts):
                assert is_right(story, one, counts_for), (story, facts)
            swapped += 1
    assert swapped > 1000


def test_a_logout_that_comes_too_early_is_the_longest_that_a_wrong_order_lasts() -> None:
    """8. What it costs: events without credentials, until the next login or logout."""
    story = tell(("login A", "logout", "command", "command", "logout", "command"))
    login, logout, *rest = story.facts
    assert ["A", "A", "A", "A", "A", None] == [
        who for _, who in counted(story, [logout, login, *rest])
    ]
    assert ["A", "A", None, None, None, None] == [who for _, who in counted(story)]


def test_the_page_on_identity_names_tests_that_exist() -> None:
    here = Path(__file__).parent
    page = (here.parent / "docs" / "identity.md").read_text()
    code = "".join(path.read_text() for path in here.glob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) > 20
    assert not {name for name in named if f"def {name}(" not in code}
