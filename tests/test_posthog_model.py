"""The model of PostHog agrees with PostHog's own cases, on both of its back ends."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_model import Backend, PostHog, implied_person, is_unmergeable
from posthog_model.wire import NOON, PERSONLESS, alias, event, identify, merge_dangerously

Linking = Callable[..., dict[str, Any]]

BACKENDS: list[Backend] = ["pg", "personhog"]
MINUTE = timedelta(minutes=1)
REFUSED = "cannot_merge_already_identified"
ILLEGAL = "cannot_merge_with_illegal_distinct_id"

each_link = pytest.mark.parametrize("link", [identify, alias, merge_dangerously])


@pytest.fixture(params=BACKENDS)
def posthog(request: pytest.FixtureRequest) -> PostHog:
    return PostHog(request.param)


def bring_about(posthog: PostHog, distinct_id: str, state: str) -> None:
    events = {
        "unseen": [],
        "personless": [event("seen", distinct_id, PERSONLESS)],
        "known": [event("seen", distinct_id)],
        "identified": [identify(f"{distinct_id} on the web", distinct_id)],
    }
    posthog.deliver(events[state])


def warned(posthog: PostHog) -> list[str]:
    return [warning.type for warning in posthog.warnings]


def identified(posthog: PostHog, distinct_id: str) -> bool:
    person = posthog.profile_of(distinct_id)
    assert person is not None
    return person.is_identified


def properties_of(posthog: PostHog, distinct_id: str) -> dict[str, Any]:
    person = posthog.profile_of(distinct_id)
    assert person is not None
    return dict(person.properties)


def versions(posthog: PostHog) -> dict[str, int]:
    return {id_: mapped.version for id_, mapped in posthog.persons.mappings.items()}


# What a link does


@each_link
@pytest.mark.parametrize(
    ("source", "target", "outcome", "survivor"),
    [
        (source, target, "joined", "target")
        for source in ("unseen", "personless")
        for target in ("unseen", "personless", "known", "identified")
    ]
    + [
        ("known", "unseen", "joined", "source"),
        ("known", "personless", "joined", "source"),
        ("known", "known", "joined", "target"),
        ("known", "identified", "joined", "target"),
        ("identified", "unseen", "refused by personhog", "source"),
        ("identified", "personless", "refused by personhog", "source"),
        ("identified", "known", "refused", "target"),
        ("identified", "identified", "refused", "target"),
    ],
)
def test_a_link_joins_two_ids_unless_the_source_is_identified(
    posthog: PostHog, link: Linking, source: str, target: str, outcome: str, survivor: str
) -> None:
    bring_about(posthog, "source", source)
    bring_about(posthog, "target", target)
    posthog.deliver([link("source", "target")])

    refused = link is not merge_dangerously and outcome in (
        "refused",
        f"refused by {posthog.persons.backend}",
    )
    assert posthog.same_person("source", "target") is not refused
    assert warned(posthog) == ([REFUSED] if refused else [])
    assert posthog.person_of("target") == implied_person("target" if refused else survivor)
    assert posthog.events[-1].person == posthog.person_of("target")
    assert identified(posthog, "target")


@each_link
def test_linking_two_ids_of_one_person_changes_nothing(posthog: PostHog, link: Linking) -> None:
    posthog.deliver([link("source", "target")])
    before = versions(posthog)
    posthog.deliver([link("source", "target"), link("target", "source")])

    assert versions(posthog) == before
    assert warned(posthog) == []


@each_link
def test_linking_an_id_to_itself_does_nothing(posthog: PostHog, link: Linking) -> None:
    posthog.deliver([link("me", "me")])

    assert not identified(posthog, "me")
    assert warned(posthog) == []


@each_link
@pytest.mark.parametrize(("source", "target"), [("null", "me"), ("me", "anonymous")])
def test_an_illegal_id_on_either_side_is_not_linked_and_the_event_is_kept(
    posthog: PostHog, link: Linking, source: str, target: str
) -> None:
    posthog.deliver([link(source, target)])

    assert not posthog.same_person(source, target)
    assert warned(posthog) == [ILLEGAL]
    assert not identified(posthog, target)
    assert len(posthog.history(target)) == 1


@pytest.mark.parametrize(
    "sent",
    [
        event("$identify", "me", {"$set": {"plan": "pro"}}),
        event("$create_alias", "me", {"alias": "", "$set": {"plan": "pro"}}),
        event("$merge_dangerously", "me", {"alias": None, "$set": {"plan": "pro"}}),
        event("login", "me", {"$anon_distinct_id": "a", "alias": "a", "$set": {"plan": "pro"}}),
    ],
)
def test_an_event_that_names_no_other_id_links_and_identifies_nobody(
    posthog: PostHog, sent: dict[str, Any]
) -> None:
    posthog.deliver([sent])

    assert versions(posthog) == {"me": 0}
    assert not identified(posthog, "me")
    assert properties_of(posthog, "me") == {"plan": "pro"}


def test_an_identify_that_names_nothing_names_the_word_null(posthog: PostHog) -> None:
    posthog.deliver([event("$identify", "me", {"$anon_distinct_id": None})])
    assert warned(posthog) == [ILLEGAL]


def test_a_merge_keeps_the_targets_properties_then_applies_the_events(posthog: PostHog) -> None:
    sent = {"$set": {"d": 6, "e": 7}, "$set_once": {"a": 8, "f": 9}}
    posthog.deliver(
        [
            event("seen", "old", {"$set": {"a": 1, "b": 2}}),
            event("seen", "new", {"$set": {"b": 3, "c": 4, "d": 5}}, at=NOON + MINUTE),
            identify("old", "new", sent, at=NOON + 2 * MINUTE),
        ]
    )

    (person,) = posthog.persons.profiles.values()
    assert person.uuid == implied_person("new")
    assert person.created_at == NOON
    assert person.properties == {"a": 1, "b": 3, "c": 4, "d": 6, "e": 7, "f": 9}


def test_a_merge_moves_every_id_of_the_source_and_raises_its_version(posthog: PostHog) -> None:
    posthog.deliver([event("seen", "a1"), alias("a2", "a1"), event("seen", "b")])
    posthog.deliver([merge_dangerously("a2", "b")])

    assert versions(posthog) == {"a1": 1, "a2": 2, "b": 0}
    assert [e.distinct_id for e in posthog.history("b")] == ["a1", "a1", "b", "b"]


def test_consecutive_identifies_each_apply_their_properties(posthog: PostHog) -> None:
    posthog.deliver([event("seen", "old"), event("seen", "new")])
    posthog.deliver([identify("old", "new", {"$set": {key: 1}}) for key in ("a", "b")])
    posthog.deliver([event("seen", "new", {"$set": {"c": 1}, "$unset": ["a"]})])

    assert properties_of(posthog, "old") == {"b": 1, "c": 1}
    assert posthog.events[-2].person_properties == {"a": 1, "b": 1}


def test_persons_have_the_uuids_that_posthog_gives_them() -> None:
    assert implied_person("test") == "246f7a43-5507-564f-b687-793ee3c2dd79"
    assert implied_person("test2") == "45c17302-ee44-5596-916a-0eba21f4b638"
    assert implied_person("test", team=2) == "00ce873a-549c-548e-bbec-cc804a385dd8"


WORDS = "anonymous guest distinctid distinct_id id not_authenticated email undefined true false"
AS_WRITTEN = ["[object Object]", "NaN", "None", "none", "null", "0"]


@pytest.mark.parametrize("quote", ["", "'", '"'])
@pytest.mark.parametrize("word", [*AS_WRITTEN, *WORDS.split(), *WORDS.upper().split()])
def test_words_that_stem_from_a_mistake_are_never_linked(quote: str, word: str) -> None:
    assert is_unmergeable(f"{quote}{word}{quote}")


@pytest.mark.parametrize("distinct_id", ["", " ", "\t\n", "a\0b", "x" * 401])
def test_ids_that_cannot_be_stored_are_never_linked(distinct_id: str) -> None:
    assert is_unmergeable(distinct_id)


@pytest.mark.parametrize(
    "distinct_id", ["x" * 400, "nan", "NULL", "00", " null ", "'null", "'null\"", "guest1", "''"]
)
def test_ids_that_only_look_like_those_are_linked(distinct_id: str) -> None:
    assert not is_unmergeable(distinct_id)


# One uuid on two links


@pytest.mark.parametrize("second", [identify, merge_dangerously])
def test_personhog_never_runs_two_merges_under_one_uuid(posthog: PostHog, second: Linking) -> None:
    for distinct_id in ("source", "first", "second"):
        bring_about(posthog, distinct_id, "known")
    link = identify("source", "first")
    posthog.deliver([link, second("source", "second", uuid=link["uuid"])])

    pg = posthog.persons.backend == "pg"
    merged_again = pg and second is merge_dangerously
    assert posthog.same_person("source", "second") is merged_again
    assert warned(posthog) == (
        [] if merged_again else [REFUSED] if pg else ["merge_settled_failure"]
    )
    assert identified(posthog, "second")


@pytest.mark.parametrize(
    ("again", "refused"),
    [
        (identify("anon", "user"), False),
        (identify("anon", "user", at=NOON + MINUTE), True),
        (identify("anon", "user", {"$set": {"a": 1}}), True),
        (identify("anon", "user", {"$set_once": {"a": 1}}), True),
        (merge_dangerously("anon", "user"), True),
    ],
)
def test_personhog_refuses_a_repeated_merge_that_has_changed(
    posthog: PostHog, again: dict[str, Any], refused: bool
) -> None:
    bring_about(posthog, "anon", "known")
    bring_about(posthog, "user", "known")
    posthog.deliver([identify("anon", "user", uuid=again["uuid"])])
    before = versions(posthog)
    posthog = posthog.copy()
    posthog.deliver([again])

    refused = refused and posthog.persons.backend == "personhog"
    assert versions(posthog) == before
    assert warned(posthog) == (["merge_settled_failure"] if refused else [])


def test_personhog_remembers_a_refused_merge_too(posthog: PostHog) -> None:
    for distinct_id, state in {"anon": "identified", "a": "known", "b": "known"}.items():
        bring_about(posthog, distinct_id, state)
    link = identify("anon", "a")
    posthog.deliver([link])
    trial = posthog.copy()
    trial.deliver([identify("anon", "b", uuid=link["uuid"])])
    posthog.deliver([merge_dangerously("anon", "b", uuid=link["uuid"])])

    pg = posthog.persons.backend == "pg"
    assert warned(trial) == [REFUSED, REFUSED if pg else "merge_settled_failure"]
    assert warned(posthog) == ([REFUSED] if pg else [REFUSED, "merge_settled_failure"])
    assert posthog.same_person("anon", "b") is pg


# Personless events, and whose they become


def test_a_personless_event_of_an_unknown_id_makes_no_person(posthog: PostHog) -> None:
    sent = {**PERSONLESS, "$set": {"a": 1}, "$set_once": {"b": 1}, "$unset": ["c"], "kept": 1}
    posthog.deliver([event("seen", "anon", sent)])

    (stored,) = posthog.events
    assert posthog.profile_of("anon") is None
    assert (stored.person, stored.person_mode) == (implied_person("anon"), "propertyless")
    assert stored.properties == {**PERSONLESS, "kept": 1}
    assert posthog.history("anon") == [stored]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("later", "opted_out", "mode"),
    [
        (timedelta(days=-1), False, "propertyless"),
        (MINUTE, False, "propertyless"),
        (MINUTE + timedelta(milliseconds=1), False, "force_upgrade"),
        (timedelta(days=1), True, "propertyless"),
    ],
)
def test_a_personless_event_is_upgraded_when_its_person_is_older_than_a_minute(
    backend: Backend, later: timedelta, opted_out: bool, mode: str
) -> None:
    posthog = PostHog(backend, opted_out=opted_out)
    posthog.deliver([event("seen", "user", {"$set": {"name": "John"}})])
    posthog.deliver([event("seen", "user", {**PERSONLESS, "$set": {"a": 1}}, at=NOON + later)])

    stored = posthog.events[-1]
    assert (stored.person, stored.person_mode) == (implied_person("user"), mode)
    assert stored.person_properties == ({"name": "John"} if mode == "force_upgrade" else {})
    assert properties_of(posthog, "user") == {"name": "John"}


@pytest.mark.parametrize("name", ["$identify", "$create_alias", "$merge_dangerously"])
@pytest.mark.parametrize("named", [{}, {"$anon_distinct_id": "a", "alias": "a"}])
def test_a_personless_link_is_dropped(posthog: PostHog, name: str, named: dict[str, str]) -> None:
    posthog.deliver([event(name, "user", PERSONLESS | named)])

    assert warned(posthog) == ["invalid_event_when_process_person_profile_is_false"]
    assert posthog.events == []
    assert versions(posthog) == {}


@pytest.mark.parametrize("value", [None, 0, "false", True])
def test_only_the_boolean_false_makes_an_event_personless(posthog: PostHog, value: object) -> None:
    posthog.deliver([event("seen", "user", {"$process_person_profile": value})])

    assert posthog.events[0].person_mode == "full"
    assert warned(posthog) == ([] if value is True else ["invalid_process_person_profile"])


@pytest.mark.parametrize("state", ["personless", "known"])
def test_a_link_brings_the_past_along_but_not_into_the_table(posthog: PostHog, state: str) -> None:
    bring_about(posthog, "anon", state)
    bring_about(posthog, "user", "identified")
    past = posthog.events[0]
    posthog.deliver([identify("anon", "user"), event("later", "anon", PERSONLESS)])

    assert past.person == implied_person("anon")
    assert posthog.events[-1].person == implied_person("user")
    assert posthog.person_at_query(past) == implied_person("user")
    assert [e.name for e in posthog.history("user")] == ["seen", "$identify", "$identify", "later"]


def test_only_linked_ids_override_what_is_stored(posthog: PostHog) -> None:
    posthog.deliver([event("seen", "first"), identify("second", "first"), identify("b", "a")])
    assert versions(posthog) == {"first": 0, "second": 1, "a": 0, "b": 1}


# In which order events are processed


@given(st.randoms(use_true_random=False), st.lists(st.sampled_from("abc")))
def test_each_distinct_id_keeps_its_order(rng: Random, ids: list[str]) -> None:
    """However lanes interleave, every event is processed once and after those of its lane."""
    posthog = PostHog()
    posthog.deliver([event(str(n), distinct_id) for n, distinct_id in enumerate(ids)], rng)

    for lane in "abc":
        processed = [int(e.name) for e in posthog.events if e.distinct_id == lane]
        assert processed == [n for n, distinct_id in enumerate(ids) if distinct_id == lane]


def test_different_distinct_ids_interleave_in_every_way() -> None:
    batch = [event(name, name[0]) for name in ("a1", "a2", "b1", "b2")]
    orders = set()
    for seed in range(100):
        posthog = PostHog()
        posthog.deliver(batch, Random(seed))
        orders.add(tuple(e.name for e in posthog.events))
    assert len(orders) == 6


def test_an_accepted_request_waits_and_a_later_one_may_overtake_it(posthog: PostHog) -> None:
    orders = set()
    for seed in range(20):
        trial = posthog.copy()
        trial.accept([event("first", "a")])
        assert trial.events == []
        trial.accept([event("second", "b")])
        trial.settle(Random(seed))
        orders.add(tuple(e.name for e in trial.events))
    assert orders == {("first", "second"), ("second", "first")}


def test_a_copy_goes_its_own_way(posthog: PostHog) -> None:
    posthog.deliver([event("seen", "anon"), event("seen", "user")])
    posthog.accept([event("waiting", "anon")])
    other = posthog.copy()
    link = identify("anon", "user", {"$set": {"a": 1}})
    other.deliver([link, identify("0", "user")])

    assert not posthog.same_person("anon", "user")
    assert properties_of(posthog, "user") == {}
    assert (len(posthog.events), len(other.events)) == (2, 5)
    assert (warned(posthog), warned(other)) == ([], [ILLEGAL])
    posthog.deliver([event("seen", "else"), identify("anon", "else", uuid=link["uuid"])])
    assert [e.name for e in posthog.events[2:]] == ["waiting", "seen", "$identify"]
    assert posthog.same_person("anon", "else")
    assert PostHog(opted_out=True).copy().opted_out
