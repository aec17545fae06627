"""A fleet by simulation: a million installations, and a collector that is away for a day.

    python -m benchmarks.fleet [--installations N]

The waits are those of the real back-off code; people and their commands are made up. Each
simulated installation stands for many. Nobody's command is delayed by any of this: a worker that
may not try yet is not started.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable

import attrs

from benchmarks.results import save
from benchmarks.tables import table
from usage_core._delivery.backoff import pause
from usage_core._delivery.delivery import BATCH
from usage_core._local import ROOM

FLEET = 1_000_000
HOUR = 3600.0
DAY = 24 * HOUR
GOES = 1.5 * DAY  # the collector goes away, after a day that is like any other
END = 3.5 * DAY
BIN = 10.0

Wait = Callable[[int, float | None, float], float]


@attrs.frozen
class Story:
    """How long the collector is away, what it says meanwhile, and how long installations wait.

    It asks for *retry_after* seconds; with *date*, for the moment of its return, which is the same
    one for everybody.
    """

    title: str
    wait: Wait
    away: float
    retry_after: float | None = None
    date: bool = False


def no_pause(_failures: int, _asked: float | None, _chance: float) -> float:
    """Try again with every command, as a system does that keeps no state."""
    return 0.0


def obedient(failures: int, asked: float | None, chance: float) -> float:
    """Do as the server says and no more: what one would write first."""
    return pause(failures, None, chance) if asked is None else asked


def punctual(failures: int, asked: float | None, chance: float) -> float:
    """Keep to what the server says within half a minute, an hour at most: our first version."""
    own = pause(failures, None, chance)
    return own if asked is None else min(max(own, asked + min(asked, 60.0) * chance / 2), HOUR)


STORIES = (
    Story("a day; a try with every command", no_pause, DAY),
    Story("a day; ours, no answer or 5xx", pause, DAY),
    Story("a day; ours, Retry-After 10 minutes", pause, DAY, 600.0),
    Story("a day; ours, Retry-After is the date of return", pause, DAY, date=True),
    Story("a day; half a minute after it, an hour at most", punctual, DAY, date=True),
    Story("a day; to the second at that date", obedient, DAY, date=True),
    Story("20 minutes; ours, no answer or 5xx", pause, 1200.0),
    Story("20 minutes; ours, Retry-After is the date", pause, 1200.0, date=True),
    Story("20 minutes; to the second at that date", obedient, 1200.0, date=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--installations", type=int, default=20_000)
    options = parser.parse_args()
    each = FLEET / options.installations / BIN
    rows, curves = [], {}
    for story in STORIES:
        requests, events = simulate(story, options.installations)
        curves[story.title] = [requests[slot] * each for slot in range(int(END / BIN))]
        rows.append([story.title, *summary(story, requests, events, each)])
    header = ["away for", "before", "while away", "first 10 s", "busiest 10 s", "events, busiest"]
    note = (
        f"Requests a second of {FLEET:,} installations ({options.installations:,} simulated)."
        " In brackets: the busiest ten seconds of the ordinary day before, or a multiple of them."
    )
    save("fleet", curves, f"{note}\n\n{table(header, rows)}")


def simulate(story: Story, installations: int) -> tuple[Counter[int], Counter[int]]:
    """Return requests that arrive, and events that are accepted, by ten seconds."""
    chance = random.Random(7)
    requests: Counter[int] = Counter()
    events: Counter[int] = Counter()
    for _ in range(installations):
        one(story, commands(chance), random.Random(chance.random()), requests, events)
    return requests, events


def commands(chance: random.Random) -> list[float]:
    """Return the moments at which one installation runs commands, in order.

    One in twenty is a machine that runs one every ten minutes, day and night; the others are
    people somewhere on Earth: some sessions in their working day, a few commands each.
    """
    if chance.random() < 0.05:
        begin = chance.random() * 600
        return [begin + step * 600 for step in range(int(END / 600))]
    morning = chance.gauss(9, 1.5) + chance.choice((-8, -5, 0, 1, 2, 5.5, 8))
    moments: list[float] = []
    for day in range(-1, 4):
        for _ in range(chance.choice((0, 1, 1, 2, 3, 5))):
            at = (day * 24 + morning + chance.random() * 9) * HOUR
            for _ in range(chance.randint(1, 12)):
                at += chance.expovariate(1 / 40)
                moments.append(at)
    return sorted(at for at in moments if 0 <= at < END)


def one(
    story: Story,
    moments: list[float],
    chance: random.Random,
    requests: Counter[int],
    events: Counter[int],
) -> None:
    """Let one installation live, and count its requests and its accepted events."""
    waiting, failures, next_try = 0, 0, 0.0
    back = GOES + story.away
    for at in moments:
        waiting = min(waiting + 1, ROOM)
        if at < next_try:
            continue
        if not GOES <= at < back:
            requests[int(at / BIN)] += -(-waiting // BATCH)
            events[int(at / BIN)] += waiting
            waiting, failures = 0, 0
            continue
        requests[int(at / BIN)] += 1
        failures += 1
        asked = back - at if story.date else story.retry_after
        next_try = at + story.wait(failures, asked, chance.random())


def summary(story: Story, requests: Counter[int], events: Counter[int], each: float) -> list[str]:
    """Return the cells of one story."""
    before = range(int((GOES - DAY) / BIN), int(GOES / BIN))
    away = range(int(GOES / BIN), int((GOES + story.away) / BIN))
    after = range(away[-1] + 1, int(END / BIN))
    usual, most = (max(seen[slot] for slot in before) for seen in (requests, events))
    busiest = max(requests[slot] for slot in after)
    delivered = max(events[slot] for slot in after)
    mean = sum(requests[slot] for slot in before) / len(before)
    trying = sum(requests[slot] for slot in away) / len(away)
    return [
        f"{mean * each:,.0f} ({usual * each:,.0f})",
        f"{trying * each:,.0f}",
        f"{requests[after[0]] * each:,.0f}",
        f"{busiest * each:,.0f} ({busiest / usual:.1f}x)",
        f"{delivered * each:,.0f} ({delivered / most:.1f}x)",
    ]


if __name__ == "__main__":
    main()
