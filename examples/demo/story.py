"""The demo: one person's story on a small tool, and what the collector receives, in its order.

Everything is on this machine: a home folder for the occasion, a collector and an auth API on
loopback. Who an event counts for is judged by the tests' model of PostHog.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from usage_core.testing import AuthApi
from usage_posthog.collector import Collector

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))  # where the model of PostHog is
import arcade_story  # noqa: E402  # as above
from machine import Machine, title, wait_for  # noqa: E402  # as above

STORY = [
    ("A first run. Nobody is known; an anonymous id is made.", "hello"),
    ("A command that fails. Its error leaves without the path in it.", "toolkit run gitlab"),
    ("A login. The link arrives before the login's own event.", "login key-of-alice"),
    ("Alice works. Nobody is asked again who she is.", "toolkit run github"),
    ("A logout: still hers, and then the identity is a new one.", "logout"),
    ("Whoever comes next is nobody yet, and nobody's.", "hello"),
    ("Another account on the same machine.", "login key-of-bob"),
    ("Bob works; nothing of his is under an id of Alice's.", "hello --name Bob"),
]


def main() -> None:
    """Tell the stories; raise if a step goes wrong."""
    colours = None if sys.stdout.isatty() or "CI" in os.environ else True
    console = Console(width=110, force_terminal=colours)
    with tempfile.TemporaryDirectory() as folder:
        acme(console, Path(folder))
        console.print()
        arcade_story.tell(console, Path(folder))


def acme(console: Console, home: Path) -> None:
    """One person and then another, and the same tool with other transports."""
    keys = {"key-of-alice": "alice", "key-of-bob": "bob"}
    with Collector() as collector, AuthApi(keys=keys) as auth:
        servers = {"ACME_COLLECTOR": collector.url, "ACME_CLOUD": auth.url}
        command = [sys.executable, str(HERE / "cli.py")]
        machine = Machine(console, home, "acme", command, servers, collector)
        for number, (text, words) in enumerate(STORY, 1):
            title(console, f"{number}. {text}")
            machine.step(words)
        asked = len(auth.requests)
        console.print(f"{machine.shown} events arrived; the auth API was asked {asked} times.")
        machine.sum_up("alice", "bob")
        console.print()
        swap(machine)


def swap(machine: Machine) -> None:
    """Run the same tool with its transport swapped, by a variable alone."""
    for transport in ("stdout", "null"):
        title(machine.console, f"The same tool, ACME_USAGE_TRANSPORT={transport}")
        said = machine.run("hello", ACME_USAGE_TRANSPORT=transport)
        machine.console.print(Panel(said, border_style="dim", expand=False))
    title(machine.console, "… and jsonl, somebody else's transport, installed beside the core")
    machine.run("hello", ACME_USAGE_TRANSPORT="jsonl")
    kept = machine.state / "events.jsonl"
    wait_for(lambda: kept.exists() and kept.read_text().endswith("\n"))
    machine.console.print(Text(kept.read_text().splitlines()[-1][:100] + " …", "dim"))
    machine.rest()
    if machine.arrived():
        raise RuntimeError("something reached the collector that was not meant for it")


if __name__ == "__main__":
    main()
