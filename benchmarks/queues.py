"""Many events: a burst of commands, a queue to deliver, and a day without a network.

python -m benchmarks.queues [--commands N]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path

import attrs

from benchmarks import leftovers
from benchmarks.environments import SYSTEMS, System, prepare
from benchmarks.leftovers import Leftovers
from benchmarks.measure import Case, here
from benchmarks.results import save
from benchmarks.stage import Stage, stage
from benchmarks.tables import ratio, table
from usage_core._local import StateFolder, remove_file
from usage_core.testing.behaviour import answer, refuse

OURS = SYSTEMS[0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.queues", description=__doc__)
    parser.add_argument("--commands", type=int, default=1000)
    options = parser.parse_args()
    for system in SYSTEMS:
        prepare(system)
    with stage() as scene:
        burst(scene, options.commands)
        backlog(scene, options.commands - 1)  # as much as there is room for
        offline(scene)


def burst(scene: Stage, commands: int) -> None:
    """Run commands in a row; peers, which take longer, a tenth of them."""
    rows, found = [], {}
    for system in SYSTEMS:
        count = commands if system is OURS else max(commands // 10, 1)
        nothing, _, _ = in_a_row(scene, scene.bare(system, "bare"), count)
        case = scene.tracked(system, "bare")
        seen = scene.collector.events()
        requests = len(scene.collector.requests)
        mine, after, most = in_a_row(scene, case, count)
        whole = (mine[1] - nothing[1] + after.cpu) / count * 1000
        found[system.name] = {"cpu": whole, "alive": most}
        rows.append(
            [
                system.title,
                str(count),
                f"{(mine[0] - nothing[0]) / count * 1000:.1f}",
                f"{(mine[1] - nothing[1]) / count * 1000:.1f}",
                f"{after.cpu / count * 1000:.1f}",
                ratio(whole, found["usage"]["cpu"]),
                str(after.processes),
                str(most),
                f"{scene.collector.events() - seen} in {len(scene.collector.requests) - requests}",
            ]
        )
    header = ["system", "commands", "wall ms", "CPU ms", "CPU ms after", "of ours"]
    header += ["processes", "most alive", "events, requests"]
    text = "Added for each command of a burst, by the command and by what it left behind:\n\n"
    save("burst", found, text + table(header, rows))


def in_a_row(scene: Stage, case: Case, count: int) -> tuple[tuple[float, float], Leftovers, int]:
    """Run *case* so often in one home: wall and CPU time, what was left, most alive at once."""
    with tempfile.TemporaryDirectory(dir=scene.folder, ignore_cleanup_errors=True) as home:
        case.prepare(Path(home))
        over, most = threading.Event(), [0]

        def look() -> None:
            while not over.wait(0.02):
                most[0] = max(most[0], leftovers.alive() - 1)

        watcher = threading.Thread(target=look)
        watcher.start()
        samples = [here(case, Path(home)) for _ in range(count)]
        over.set()
        watcher.join()
        after = leftovers.collect()
    return (sum(s.wall for s in samples), sum(s.cpu for s in samples)), after, most[0]


def backlog(scene: Stage, events: int) -> None:
    """Deliver what was queued while the collector was away: one command, when it is back."""
    home = scene.folder / "backlog"
    home.mkdir()
    scene.collector.behave(refuse())
    queue = Case(
        "queue",
        "queue_events",
        (str(events),),
        python=OURS.python,
        environ=scene.environ(OURS),
        prepare=lambda _: None,
    )
    here(queue, home)
    leftovers.collect()
    scene.collector.behave(answer())
    seen, requests = scene.collector.events(), len(scene.collector.requests)
    remove_file(StateFolder(str(home / ".bench")).lease)  # as if the pause were over
    here(attrs.evolve(scene.tracked(OURS, "bare"), name="deliver"), home)
    after = leftovers.collect()
    found = {
        "events": scene.collector.events() - seen,
        "requests": len(scene.collector.requests) - requests,
        "cpu": after.cpu,
        "seconds": after.seconds,
        "peak_mib": after.peak_mib,
    }
    header = ["queued", "arrived", "requests", "worker's CPU s", "worker gone after s", "peak MiB"]
    row = [str(events + 1), str(found["events"]), str(found["requests"])]
    row += [f"{after.cpu:.2f}", f"{after.seconds:.1f}", f"{after.peak_mib:.0f}"]
    save("backlog", found, table(header, [row]))


def offline(scene: Stage) -> None:
    """Count what arrives of commands run while the collector refuses, and of one more."""
    commands, rows, found = 10, [], {}
    for system in SYSTEMS:
        arrived = one_offline_day(scene, system, commands)
        found[system.name] = arrived
        rows.append([system.title, f"{commands} and 1", str(arrived)])
    save("offline", found, table(["system", "commands offline, online", "events arrived"], rows))


def one_offline_day(scene: Stage, system: System, commands: int) -> int:
    """Return how many events arrived of *commands* run offline and one run online."""
    case = attrs.evolve(scene.tracked(system, "bare"), limit=10.0)
    with tempfile.TemporaryDirectory(dir=scene.folder, ignore_cleanup_errors=True) as home:
        case.prepare(Path(home))
        scene.collector.behave(refuse())
        for _ in range(commands):
            here(case, Path(home))
        leftovers.collect()
        scene.collector.behave(answer())
        seen = scene.collector.events()
        remove_file(StateFolder(os.path.join(home, ".bench")).lease)  # as if the pause were over
        time.sleep(1.1)  # azure-cli-telemetry tells events apart by the second
        here(case, Path(home))
        leftovers.collect()
        return scene.collector.events() - seen


if __name__ == "__main__":
    main()
