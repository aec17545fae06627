"""Which way to link is safe: the ways weighed against each other in every short story."""

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import Any

import attrs
import pytest

from posthog_model import Backend, PostHog, implied_person
from posthog_model.wire import NOON, PERSONLESS, alias, event, identify

Batch = list[dict[str, Any]]

BACKENDS: list[Backend] = ["pg", "personhog"]
ACTIONS = ("command", "login A", "login B", "logout", "A on the web", "B by a server")


def link(how: str, anon: str, user: str, **rest: Any) -> dict[str, Any]:
    """Link as the official client's `alias` does, which is the wrong way round, or identify."""
    return alias(user, anon, **rest) if how == "alias" else identify(anon, user, **rest)


@pytest.fixture(params=BACKENDS)
def posthog(request: pytest.FixtureRequest) -> PostHog:
    return PostHog(request.param)


def before(user: str, is_: str) -> Batch:
    """Return how `user` came to be `new`, `known` or `identified`."""
    return {
        "new": [],
        "known": [event("billed", user, {"$set": {"plan": "pro"}})],
        "identified": [identify(f"{user} on the web", user, {"$set": {"plan": "pro"}})],
    }[is_]


@pytest.mark.parametrize(
    ("how", "principal", "anon", "outcome"),
    [
        ("alias", "new", "personless", "joined"),
        ("alias", "new", "personful", "joined"),
        ("alias", "known", "personless", "joined"),
        ("alias", "known", "personful", "joined into the anonymous person"),
        ("alias", "identified", "personless", "joined on pg"),
        ("alias", "identified", "personful", "refused"),
        ("identify", "new", "personless", "joined"),
        ("identify", "new", "personful", "joined"),
        ("identify", "known", "personless", "joined"),
        ("identify", "known", "personful", "joined"),
        ("identify", "identified", "personless", "joined"),
        ("identify", "identified", "personful", "joined"),
    ],
)
def test_identify_stitches_whoever_logs_in_and_alias_does_not(
    posthog: PostHog, how: str, principal: str, anon: str, outcome: str
) -> None:
    properties = PERSONLESS if anon == "personless" else {"$set": {"plan": "free"}}
    posthog.deliver([event("command", "anon", properties), *before("user", principal)])
    posthog.deliver([link(how, "anon", "user"), event("login", "user")])

    joined = outcome.startswith("joined")
    if outcome == "joined on pg":
        joined = posthog.persons.backend == "pg"
    assert posthog.same_person("anon", "user") is joined
    assert ("command" in [e.name for e in posthog.history("user")]) is joined

    person = posthog.profile_of("user")
    assert person is not None
    if principal != "new":
        destroyed = "into the anonymous" in outcome
        assert person.uuid == implied_person("anon" if destroyed else "user")
        assert person.properties == {"plan": "free" if destroyed else "pro"}


def test_after_an_alias_that_was_refused_identify_is_refused_too(posthog: PostHog) -> None:
    posthog.deliver([event("command", "anon"), *before("user", "identified")])
    posthog.deliver([link("alias", "anon", "user"), link("identify", "anon", "user")])
    assert not posthog.same_person("anon", "user")


@pytest.mark.parametrize(
    ("how", "b", "joined_on"),
    [
        ("alias", "new", BACKENDS),
        ("alias", "known", BACKENDS),
        ("alias", "identified", []),
        ("identify", "new", ["pg"]),
        ("identify", "known", []),
        ("identify", "identified", []),
    ],
)
def test_one_anonymous_id_linked_to_two_users_may_make_them_one(
    posthog: PostHog, how: str, b: str, joined_on: list[str]
) -> None:
    posthog.deliver([event("command", "anon", PERSONLESS), link(how, "anon", "A")])
    posthog.deliver([*before("B", b), link(how, "anon", "B"), event("login", "B")])

    joined = posthog.persons.backend in joined_on
    assert posthog.same_person("A", "B") is joined
    refused = ["cannot_merge_already_identified"]
    assert [w.type for w in posthog.warnings] == ([] if joined else refused)


@pytest.mark.parametrize(
    ("login_first", "joined"),
    [(False, {"pg": 400, "personhog": 0}), (True, {"pg": 0, "personhog": 0})],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_login_event_before_the_link_wins_a_race_of_two_users(
    backend: Backend, login_first: bool, joined: dict[str, int]
) -> None:
    race: Batch = [event("command", "anon", PERSONLESS)]
    for user in "AB":
        linking = [link("identify", "anon", user), event("login", user)]
        race += reversed(linking) if login_first else linking

    together = 0
    for seed in range(400):
        posthog = PostHog(backend)
        posthog.deliver(race, Random(seed))
        together += posthog.same_person("A", "B")
    assert together == joined[backend]


@attrs.frozen
class Client:
    """A client that links in one of the ways, on a machine that people share."""

    how: str
    login_first: bool = False
    rotate_on_change: bool = False
    ids: int = 1
    principal: str | None = None
    owners: tuple[tuple[str, str], ...] = ()
    """Each anonymous id with the first user it was linked to."""

    @property
    def anon(self) -> str:
        return f"anon {self.ids}"

    def act(self, action: str, **at: Any) -> tuple["Client", Batch]:
        if action == "A on the web":
            return self, [identify("browser", "A", **at)]
        if action == "B by a server":
            return self, [event("billed", "B", **at)]
        if action.startswith("login"):
            return self._log_in(action[-1], at)
        if self.principal is None:
            return self, [event(action, self.anon, PERSONLESS, **at)]
        batch = [event(action, self.principal, **at)]
        if action == "logout":
            return attrs.evolve(self, ids=self.ids + 1, principal=None), batch
        return self, batch

    def _log_in(self, user: str, at: dict[str, Any]) -> tuple["Client", Batch]:
        rotates = self.rotate_on_change and self.principal not in (None, user)
        client = attrs.evolve(self, ids=self.ids + rotates, principal=user)
        if client.anon not in dict(self.owners):
            client = attrs.evolve(client, owners=(*self.owners, (client.anon, user)))
        batch = [link(self.how, client.anon, user, **at), event("login", user, **at)]
        return client, batch[::-1] if self.login_first else batch

    def loses(self, posthog: PostHog) -> bool:
        """Tell whether a command before a login does not count for whoever logged in."""
        owners = dict(self.owners)
        return any(
            posthog.person_at_query(e) != posthog.person_of(owners[e.distinct_id])
            for e in posthog.events
            if e.name == "command" and e.distinct_id in owners
        )


def endings(client: Client, posthog: PostHog, moves: int) -> Iterator[tuple[Client, PostHog]]:
    """Yield where each story of up to so many actions ends."""
    yield client, posthog
    if moves:
        for action in ACTIONS:
            then, batch = client.act(action, at=NOON - timedelta(hours=moves))
            after = posthog.copy()
            after.deliver(batch)
            yield from endings(then, after, moves - 1)


@pytest.mark.parametrize(
    ("client", "backend", "joined", "lost"),
    [
        (Client("alias"), "pg", 2051, 0),
        (Client("alias"), "personhog", 1808, 374),
        (Client("identify"), "pg", 1666, 0),
        (Client("identify"), "personhog", 0, 0),
        (Client("identify", login_first=True), "pg", 0, 0),
        (Client("identify", login_first=True), "personhog", 0, 0),
        (Client("identify", login_first=True, rotate_on_change=True), "pg", 0, 0),
        (Client("identify", login_first=True, rotate_on_change=True), "personhog", 0, 0),
    ],
)
def test_only_a_login_event_before_the_link_keeps_two_users_apart_in_every_story(
    client: Client, backend: Backend, joined: int, lost: int
) -> None:
    stories = list(endings(client, PostHog(backend), moves=5))

    assert len(stories) == 9331
    assert sum(posthog.same_person("A", "B") for _, posthog in stories) == joined
    assert sum(client.loses(posthog) for client, posthog in stories) == lost
