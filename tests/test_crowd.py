"""Two to sixty-four commands at once, as real processes, from the first run on."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from cli import Toolbox, wait_until
from usage_core.testing import AuthApi
from usage_posthog.collector import Collector
from workbench import THOROUGH

ROUNDS = range(3 if THOROUGH == 1 else 50)  # of two tests
SIZES = (2, 7, 24) if THOROUGH == 1 else (2, 3, 5, 8, 16, 32, 64)


@contextmanager
def a_machine(home: Path) -> Iterator[Toolbox]:
    """A machine on which nothing has run yet."""
    home.mkdir()
    keys = {"key-of-alice": "alice", "key-of-bob": "bob"}
    with Collector() as collector, AuthApi(keys=keys) as auth:
        toolbox = Toolbox(home, collector, auth)
        try:
            yield toolbox
        finally:
            toolbox.kill_worker()


def start(toolbox: Toolbox, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        toolbox.command(*words),
        env=toolbox.full_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def crowd(toolbox: Toolbox, commands: list[tuple[str, ...]], random: Random, kills: int) -> None:
    """Run all of *commands* at once, and kill the worker at moments that chance picks."""
    processes = [start(toolbox, *words) for words in commands]
    for _ in range(kills):
        time.sleep(random.random() * 0.05 * len(commands))  # any moment will do
        toolbox.kill_worker()
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (0, "before\nafter\n", "") == (process.returncode, out, err)


def settle(toolbox: Toolbox) -> None:
    """Let one more command see to it that everything arrives."""
    toolbox.run("ok", "last")
    wait_until(lambda: not toolbox.records(), f"left: {toolbox.records()}", timeout=60)


def counted(toolbox: Toolbox) -> Counter[str]:
    """How often each command counts for a back end that drops what it has seen."""
    once = {
        (e["uuid"], e["timestamp"]): e["properties"]["command_name"] for e in toolbox.captures()
    }
    assert len(once) == len({uuid for uuid, _ in once})
    return Counter(once.values())


@pytest.mark.parametrize("number", ROUNDS)
def test_first_runs_at_once_share_one_anonymous_id_and_lose_nothing(
    number: int, tmp_path: Path
) -> None:
    """6. Any interleaving of N processes, first run included, and of workers that are killed."""
    random = Random(number)
    size = SIZES[number % len(SIZES)]
    with a_machine(tmp_path / "machine") as toolbox:
        crowd(toolbox, [("ok", f"run.{n}") for n in range(size)], random, kills=number % 3)
        settle(toolbox)

        assert {f"run.{n}": 1 for n in range(size)} | {"last": 1} == counted(toolbox)
        ids = {event["distinct_id"] for event in toolbox.captures()}
        assert {toolbox.identity()["anon_id"]} == ids


@pytest.mark.parametrize("number", ROUNDS)
def test_people_who_race_each_other_are_not_mixed_up(number: int, tmp_path: Path) -> None:
    """6. and 1., with logins and logouts among the commands; and after a logout nobody is back."""
    random = Random(number)
    size = SIZES[number % len(SIZES)]
    with a_machine(tmp_path / "machine") as toolbox:
        people = [("login", "alice"), ("login", "bob"), ("logout",)]
        commands = [random.choice([*people, ("ok", f"run.{n}")]) for n in range(size)]
        crowd(toolbox, commands, random, kills=number % 3)
        toolbox.run("logout")
        toolbox.run("ok", "afterwards")
        settle(toolbox)

        expected = Counter(words[1] if words[0] == "ok" else words[0] for words in commands)
        assert expected + Counter(["logout", "afterwards", "last"]) == counted(toolbox)
        owners: dict[str, set[str]] = {}
        for event in toolbox.collector.events:
            if event["event"] == "$identify":
                anon_id = event["properties"]["$anon_distinct_id"]
                owners.setdefault(anon_id, set()).add(event["distinct_id"])
        assert all(len(people) == 1 for people in owners.values())
        for event in toolbox.captures():
            if event["properties"]["command_name"] in ("afterwards", "last"):
                assert event["properties"]["is_anon"] is True
                assert event["distinct_id"] not in owners
        assert None is toolbox.identity()["linked_principal_id"]
