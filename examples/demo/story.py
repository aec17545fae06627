"""The demo: one person's story on a small tool, and what the collector receives, in its order.

Everything is on this machine: a home folder for the occasion, a collector and an auth API on
loopback. Who an event counts for is judged by the tests' model of PostHog.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from usage_core.testing import AuthApi
from usage_posthog.collector import Collector, Event

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent.parent / "tests"))
from posthog_model import PostHog  # noqa: E402  # beside the tests, not installed

COLOURS = ["cyan", "magenta", "yellow", "green", "blue"]
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


class Machine:
    """A person's machine: a home folder, the tool, and what has arrived from it so far."""

    def __init__(self, home: Path, collector: Collector, auth: AuthApi) -> None:
        self.home = home
        self.collector = collector
        self.shown = 0
        self.judge = PostHog(backend="pg")
        self.colours: dict[str, str] = {}
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ
        }
        servers = {"ACME_COLLECTOR": collector.url, "ACME_CLOUD": auth.url}
        self.environ = kept | servers | {"HOME": str(home), "TERM": "dumb"}

    def run(self, words: str, **environ: str) -> Text:
        """Run the tool; return what it said, with its exit code where it failed."""
        done = subprocess.run(
            [sys.executable, str(HERE / "cli.py"), *shlex.split(words)],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        said = Text(done.stdout.strip())
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1].strip("│╰─╯ ") if done.stderr else ""
            said.append(f"{last} (exit code {done.returncode})", "red")
        return said

    def arrived(self) -> list[Event]:
        """Wait until nothing is on its way, and return what came since the last time."""
        usage = self.home / ".acme" / "usage"
        wait_for(lambda: not [*usage.glob("journal/*.json"), *usage.glob("outbox/*/*.json")])
        new = list(self.collector.events[self.shown :])
        self.shown += len(new)
        self.judge.deliver(new)
        return new

    def person(self, distinct_id: str) -> Text:
        """Name the person that *distinct_id* counts for now, in a colour of their own."""
        person = str(self.judge.person_of(distinct_id))
        colour = self.colours.setdefault(person, COLOURS[len(self.colours) % len(COLOURS)])
        return Text(f"● person {person[:4]}", colour)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; raise `TimeoutError` if that takes half a minute."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the events did not arrive within 30 s")
        time.sleep(0.02)


def show(console: Console, machine: Machine, events: list[Event]) -> None:
    """Print the events in the order of their arrival."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for title in ("event", "command", "distinct_id", "", "counts for"):
        table.add_column(title)
    for event in events:
        about, distinct_id = event["properties"], event["distinct_id"]
        linked = about.get("$anon_distinct_id")
        table.add_row(
            Text(event["event"], "bold red" if "failed" in event["event"] else "bold"),
            f"links {linked[:8]}…" if linked else about.get("command_name", ""),
            distinct_id if len(distinct_id) < 20 else f"{distinct_id[:8]}…",
            Text("anonymous", "dim") if about.get("is_anon") else "",
            machine.person(distinct_id),
        )
        if "error_message" in about:
            table.add_row(Text(f"  {about['error_message']}", "dim"))
    console.print(table if events else Text("nothing", "dim"))


def main() -> None:
    """Tell the story; raise if a step of it goes wrong."""
    console = Console(
        width=110, force_terminal=None if sys.stdout.isatty() else "CI" not in os.environ
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        Collector() as collector,
        AuthApi(keys={"key-of-alice": "alice", "key-of-bob": "bob"}) as auth,
    ):
        machine = Machine(Path(folder), collector, auth)
        for number, (title, words) in enumerate(STORY, 1):
            console.rule(f"[bold]{number}. {title}", align="left", style="dim")
            console.print(f"[green]$[/] acme {words}")
            console.print(machine.run(words))
            events = machine.arrived()
            identity = json.loads((machine.home / ".acme" / "usage.json").read_text())
            ids = {key: identity[key] for key in ("anon_id", "linked_principal_id")}
            console.print(Text(f"usage.json  {json.dumps(ids)}", "dim"))
            show(console, machine, events)
            console.print()
        asked = len(auth.requests)
        console.print(f"{machine.shown} events arrived; the auth API was asked {asked} times.")
        for principal in ("alice", "bob"):
            counted = [event.properties for event in machine.judge.history(principal)]
            commands = [about["command_name"] for about in counted if "command_name" in about]
            console.print(machine.person(principal), f"{principal}: {', '.join(commands)}")
        console.print()
        for transport in ("stdout", "null"):
            console.rule(
                f"[bold]The same tool, ACME_USAGE_TRANSPORT={transport}", align="left", style="dim"
            )
            said = machine.run("hello", ACME_USAGE_TRANSPORT=transport)
            console.print(Panel(said, border_style="dim", expand=False))
        console.rule(
            "[bold]… and ACME_USAGE_TRANSPORT=jsonl, somebody else's, installed beside the core",
            align="left",
            style="dim",
        )
        machine.run("hello", ACME_USAGE_TRANSPORT="jsonl")
        kept = machine.home / ".acme" / "events.jsonl"
        wait_for(kept.exists)
        console.print(Text(kept.read_text().splitlines()[-1][:100] + " …", "dim"))
        if machine.arrived():
            raise RuntimeError("something reached the collector that was not meant for it")


if __name__ == "__main__":
    main()
