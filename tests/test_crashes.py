"""A worker may die after any file operation and around any request; whoever comes next goes on."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import Toolbox, wait_until
from usage_core import Message, Rejected, Unavailable
from usage_core._identity.state import Identity, Linked
from usage_core._local import LARGEST, ROOM
from usage_core.testing import LocalServer
from usage_core.testing.behaviour import answer, hang, slow
from workbench import MORE, Disk, Note, Workbench, in_process, note


@attrs.frozen
class Story:
    """Facts in groups: a worker comes after each group. *answers* says whose credentials are."""

    groups: tuple[tuple[Note, ...], ...]
    answers: tuple[tuple[str, str], ...] = (("a", "A"), ("b", "B"))

    def begin(self, root: Path) -> Workbench:
        return Workbench(root, dict(self.answers))


STORIES = {
    "a first command": Story(((note(1, "command"),),)),
    "a login that must be asked for": Story(((note(1, "command"), note(2, "login", "a")),)),
    "a login and a logout": Story(
        (
            (note(1, "login", "a", principal="A"),),
            (note(2, "command", "a"), note(3, "logout", "a", stamp_after=None)),
            (note(4, "command"),),
        )
    ),
    "an account switched by hand": Story(
        ((note(1, "login", "a"),), (note(2, "command", "b"),), (note(3, "command", "b"),))
    ),
    "credentials that nobody can name": Story(
        ((note(1, "login", "a"),), (note(2, "command", "?"),), (note(3, "login", "b"),))
    ),
    "a logout of nobody": Story(((note(1, "logout"),), (note(2, "login", "b"),))),
}

WORKERS = 200
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES)

each_story = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


@pytest.fixture(autouse=True, scope="module")
def cheap_workers() -> Iterator[None]:
    with in_process():
        yield


@attrs.frozen
class Outcome:
    identity: Identity | None
    delivered: tuple[dict[str, object], ...]
    aside: tuple[str, ...]


def outcome(bench: Workbench) -> Outcome:
    aside = bench.root / "usage" / "aside"
    names = tuple(sorted(os.listdir(aside))) if aside.is_dir() else ()
    return Outcome(bench.identity, tuple(bench.delivered()), names)


Trouble = Callable[[Sequence[Message], Workbench], Exception | None]


def tell(
    story: Story,
    disk: Disk | None = None,
    *,
    again_after: tuple[int, ...] = (),
    trouble: Trouble | None = None,
) -> Outcome:
    """Tell *story* with such a disk; after the first death, one more each *again_after* ops."""
    root = Path(tempfile.mkdtemp(dir=MEMORY))
    try:
        bench = story.begin(root)
        if disk is not None:
            disk.root = str(root)
            bench.disk = bench.transport.disk = disk
        if trouble is not None:
            bench.transport.refuses = lambda batch: trouble(batch, bench)
        gaps = list(again_after)
        for group in story.groups:
            for one in group:
                bench.put(one)
            for _ in range(WORKERS):
                if not bench.work() and gaps and held(bench) < 2:
                    bench.disk.dies_at = bench.disk.count + gaps.pop(0)
                if not bench.disk.dead and not bench.folder.facts.names():
                    break
        bench.work_to_the_end(WORKERS)
        return outcome(bench)
    finally:
        shutil.rmtree(root)


def held(bench: Workbench) -> int:
    """How many workers died while they had this record in hand; the third sets it aside."""
    try:
        return int((bench.root / "usage" / "in_hand").read_text().split()[0])
    except FileNotFoundError:
        return 0


def operations(story: Story, *, counts_reads: bool = False) -> int:
    disk = Disk("", counts_reads=counts_reads)
    tell(story, disk)
    return disk.count


@each_story
@pytest.mark.parametrize("torn", [False, True], ids=["between operations", "inside a write"])
def test_a_worker_that_dies_at_any_operation_changes_nothing(story: Story, torn: bool) -> None:
    """4. and 5.: the same identity, the same messages with the same uuids, each counted once."""
    expected = tell(story)
    facts = sum(len(group) for group in story.groups)
    assert facts == sum(one["kind"] == "capture" for one in expected.delivered)
    total = operations(story)
    for moment in range(1, total + 1):
        disk = Disk("", dies_at=moment, torn=torn)
        assert expected == tell(story, disk), f"died at {moment}, before {disk.log[moment - 1]}"
    assert total > 10 * facts


@settings(max_examples=60 * MORE, deadline=None)
@given(
    story=st.sampled_from(list(STORIES.values())),
    deaths=st.lists(st.integers(1, 25), min_size=2, max_size=8),
    torn=st.booleans(),
)
def test_any_number_of_deaths_changes_nothing(story: Story, deaths: list[int], torn: bool) -> None:
    """4. and 5., when worker after worker dies; three with one record in hand are another test."""
    disk = Disk("", dies_at=deaths[0], torn=torn)
    assert tell(story) == tell(story, disk, again_after=tuple(deaths[1:]))


@each_story
def test_an_operation_that_fails_once_changes_nothing(story: Story) -> None:
    """4. and 5., when a disk is full, broken or forbidden at any one operation, reads included."""
    expected = tell(story)
    for moment in range(1, operations(story, counts_reads=True) + 1):
        for error in ERRORS if MORE > 1 else (ERRORS[moment % 3],):
            disk = Disk("", fails_at=moment, fails_with=error, counts_reads=True)
            assert expected == tell(story, disk), f"{error} at {moment}: {disk.log[moment - 1]}"


@settings(max_examples=60 * MORE, deadline=None)
@given(
    story=st.sampled_from(list(STORIES.values())),
    moment=st.integers(1, 150),
    lasting=st.integers(2, 120),
    error=st.sampled_from(ERRORS),
)
def test_a_disk_that_fails_for_a_while_changes_nothing(
    story: Story, moment: int, lasting: int, error: int
) -> None:
    """4. and 5., when every operation fails for a while: that of a worker or two, or of many."""
    disk = Disk("", fails_at=moment, fails_for=lasting, fails_with=error, counts_reads=True)
    assert tell(story) == tell(story, disk)


def test_an_identity_that_cannot_be_read_for_a_while_is_kept(tmp_path: Path) -> None:
    """4. Only what can never be read is set aside: the disk may come back."""
    bench = Workbench(tmp_path)
    bench.put(note(1, "command"))
    bench.work_to_the_end()
    before, path = bench.identity, bench.folder.identity
    bench.put(note(2, "command"))
    bench.disk.counts_reads = True
    bench.disk.fails_on = (f"open {path}", f"stat {path}", f"lstat {path}")
    for _ in range(5):
        bench.work()
    bench.disk.fails_on = ()
    bench.work_to_the_end()

    assert before == bench.identity
    assert not (tmp_path / "usage" / "aside").exists()
    assert 1 == len({one["distinct_id"] for one in bench.delivered()})


# What the collector does. Each request meets the next of these, and the last of them for ever.

REPLIES = st.lists(st.sampled_from(["accepts", "is away", "loses the reply"]), max_size=12)


@settings(max_examples=40 * MORE, deadline=None)
@given(
    story=st.sampled_from(list(STORIES.values())),
    replies=REPLIES,
    deaths=st.lists(st.integers(1, 60), max_size=3),
)
def test_every_fact_counts_once_whatever_the_collector_does(
    story: Story, replies: list[str], deaths: list[int]
) -> None:
    """5. For any pattern of refusals, lost replies and deaths, each accepted fact counts once."""
    waiting = list(replies)
    disk = Disk("", dies_at=deaths[0] if deaths else 0)

    def trouble(batch: Sequence[Message], bench: Workbench) -> Exception | None:
        reply = waiting.pop(0) if waiting else "accepts"
        if reply == "loses the reply":
            bench.transport.requests.append(list(batch))
        return None if reply == "accepts" else Unavailable(reply)

    assert tell(story) == tell(story, disk, again_after=tuple(deaths[1:]), trouble=trouble)


def test_what_is_rejected_is_dropped_and_the_rest_counts_once() -> None:
    """5. A message that is never accepted costs no other message anything."""
    story = STORIES["a login and a logout"]

    def trouble(batch: Sequence[Message], bench: Workbench) -> Exception | None:
        unwanted = [m for m in batch if "command 2" in repr(m)]
        wanted = [m for m in batch if m not in unwanted]
        if not unwanted:
            return None
        bench.transport.requests.append(wanted)
        return Rejected(unwanted, "it is unwanted")

    expected = [one for one in tell(story).delivered if "command 2" not in repr(one)]
    assert len(expected) == 4
    for moment in range(1, operations(story) + 1):
        told = tell(story, Disk("", dies_at=moment), trouble=trouble)
        assert expected == list(told.delivered)


@each_story
def test_nothing_leaves_once_it_is_switched_off(story: Story, tmp_path: Path) -> None:
    """5. And none at all after `disable`, not even what was recorded before."""
    bench = story.begin(tmp_path)
    for group in story.groups:
        for one in group:
            bench.put(one)
    (tmp_path / "usage" / "consent").write_text("off")
    bench.work()
    assert [] == bench.transport.requests
    assert bench.identity is None


def test_switching_off_stops_a_worker_between_two_requests(tmp_path: Path) -> None:
    """5. A worker that is at it looks again before each fact and each batch."""
    bench = STORIES["an account switched by hand"].begin(tmp_path)
    bench.put(note(1, "login", "a", principal="A"))
    bench.put(note(2, "login", "b", principal="B"))

    def refuses(batch: Sequence[Message]) -> None:
        (tmp_path / "usage" / "consent").write_text("off")

    bench.transport.refuses = refuses
    bench.work()
    assert 1 == len(bench.transport.requests)


@pytest.mark.parametrize("what", ["ask", "request"])
@pytest.mark.parametrize("deaths", [2, 3])
def test_a_record_in_hand_when_three_workers_died_is_set_aside(
    what: str, deaths: int, tmp_path: Path
) -> None:
    """The bound of 5.: foreign code that kills each worker does not hold up what is behind it."""
    bench = Workbench(tmp_path, {"a": "A"})
    bench.put(note(1, "login", "a", principal=None if what == "ask" else "A"))
    bench.disk.dies_on = what
    for _ in range(deaths):
        assert not bench.work()
    bench.disk.dies_on = ""
    bench.put(note(2, "command", "a"))
    bench.work_to_the_end()

    delivered = [(one["kind"], "login 1" in repr(one)) for one in bench.delivered()]
    login = [("alias", False), ("capture", True)]
    if deaths < 3:
        assert [*login, ("capture", False)] == delivered
    elif what == "ask":  # the whole login: the command links
        assert [("alias", False), ("capture", False)] == delivered
    else:  # its alias alone
        assert [("capture", True), ("capture", False)] == delivered
    assert (deaths == 3) == (tmp_path / "usage" / "aside").exists()


def test_an_answer_outlives_the_worker_that_asked(tmp_path: Path) -> None:
    """4.: what was acted on is not asked again, when the answer would be another."""
    for moment in range(1, 40):
        bench = Workbench(tmp_path / str(moment), {"a": "A"})
        bench.put(note(1, "command"))
        bench.work()
        bench.put(note(2, "command", "a"))
        bench.disk.dies_at = bench.disk.count + moment
        bench.work()
        bench.disk.dies_at = 0
        bench.answers = {"b": "B"}
        bench.put(note(3, "login", "b"))
        bench.work_to_the_end()

        (second,) = [one for one in bench.delivered() if "command 2" in repr(one)]
        links = [one["distinct_id"] for one in bench.delivered() if one["kind"] == "alias"]
        assert (["B"] if second["is_anon"] else ["A", "B"]) == links


def test_nothing_leaves_that_may_yet_become_another_message(tmp_path: Path) -> None:
    """4. and 5.: not even where the answer comes when a disk has failed in between."""
    for moment in range(1, 150):
        bench = Workbench(tmp_path / str(moment))
        bench.put(note(1, "command", "a"))
        bench.disk = bench.transport.disk = Disk(
            str(bench.root), fails_at=moment, counts_reads=True
        )
        bench.work()
        bench.answers = {"a": "A"}
        bench.work_to_the_end()
        assert 1 == sum(one["kind"] == "capture" for one in bench.delivered())


def test_a_full_journal_takes_what_changes_the_identity_and_a_worker_makes_room(
    tmp_path: Path,
) -> None:
    """The bound of 5.: the newest commands are refused, a login never."""
    bench = Workbench(tmp_path, {"a": "A"})
    journal = bench.folder.facts
    for number in range(1, ROOM + 1):
        one = note(number, "command")
        assert journal.put(one.name, one.text)
    one, login = note(ROOM + 1, "command"), note(ROOM + 2, "login", "a")
    assert not journal.put(one.name, one.text)
    assert journal.put(login.name, login.text, always=True)
    bench.stamp = "a"
    bench.work_to_the_end()

    assert ROOM == sum(message["kind"] == "capture" for message in bench.delivered())
    assert isinstance(bench.identity, Linked)
    assert journal.put(one.name, one.text)


def test_a_fact_as_large_as_a_command_can_write_leaves_as_a_message() -> None:
    """5. The worker adds to a fact what it knows, and the record is still none too long."""
    for size in (1, 20_000, 27_000, 28_000, 31_000, 32_000, 100_000):
        one = note(1, "login", "a", filler="x" * size)
        story = Story(((one,),), answers=(("a", "é" * 200),))
        assert ["alias", "capture"] == [m["kind"] for m in tell(story).delivered]


def test_a_fact_that_another_program_made_too_large_loses_its_properties_alone() -> None:
    one = note(1, "command")
    filler = "x" * (LARGEST - len(one.text) - len('"filler":"",'))
    large = one.text.replace('"properties":{', f'"properties":{{"filler":"{filler}",')
    (message,) = tell(Story(((attrs.evolve(one, text=large),),))).delivered
    assert {} == message["properties"]


# A few with real processes, killed for real.


def has_more(server: LocalServer, seen: int) -> bool:
    return len(server.requests) > seen


@pytest.mark.parametrize("moments", [("ask",), ("reply",), ("ask", "ask", "reply", "reply")])
def test_real_workers_killed_around_their_requests_lose_nothing(
    toolbox: Toolbox, moments: tuple[str, ...]
) -> None:
    """5., with SIGKILL: while it asks who it is, and when the collector has taken the events."""
    toolbox.write_credentials("key-of-alice")
    for number, moment in enumerate(moments):
        server = toolbox.auth if moment == "ask" else toolbox.collector
        server.behave(hang() if moment == "ask" else slow(30.0), times=1)
        seen = len(server.requests)
        toolbox.run("ok", f"command.{number}")
        wait_until(partial(has_more, server, seen))
        toolbox.kill_worker()
        server.behave(answer())
    toolbox.run("ok", "last")
    toolbox.settle()

    counted = {(e["uuid"], e["timestamp"]): e for e in toolbox.captures()}.values()
    names = [event["properties"]["command_name"] for event in counted]
    assert [*(f"command.{n}" for n in range(len(moments))), "last"] == sorted(names)
    assert {"alice"} == {event["distinct_id"] for event in counted}
    links = {e["uuid"] for e in toolbox.collector.events if e["event"] == "$identify"}
    assert 1 == len(links)


def test_a_worker_that_leaves_takes_its_lease_along(toolbox: Toolbox) -> None:
    """Where nobody can see whether a process lives, a lease left behind would hold up the next."""
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")
    assert not (toolbox.state / "usage" / "lease").exists()
