"""What the stories need: somebody's machine with one tool, and events shown as they arrive."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from posthog_model import PostHog
from usage_posthog.collector import Collector, Event

__all__ = ["Machine", "title", "wait_for"]

COLOURS = ["cyan", "magenta", "yellow", "green", "blue"]


class Machine:
    """A home folder, a *tool* and the command line that starts it, and what has arrived from it."""

    def __init__(
        self,
        console: Console,
        home: Path,
        tool: str,
        command: Sequence[str],
        environ: Mapping[str, str],
        collector: Collector,
    ) -> None:
        self.console = console
        self.state = home / f".{tool}"
        self.tool = tool
        self.command = list(command)
        self.collector = collector
        self.shown = 0
        self.judge = PostHog(backend="pg")
        self.colours: dict[str, str] = {}
        kept = {
            name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ
        }
        self.environ = {**kept, **environ, "HOME": str(home), "TERM": "dumb"}

    def step(self, words: str) -> None:
        """Run the tool, and show what it said, the identity after it, and what arrived."""
        self.console.print(f"[green]$[/] {self.tool} {words}")
        self.console.print(self.run(words))
        self.show()

    def run(self, words: str, **environ: str) -> Text:
        """Run the tool; return what it said, with its exit code where it failed."""
        done = subprocess.run(
            [*self.command, *shlex.split(words)],
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
        usage = self.state / "usage"
        wait_for(lambda: not [*usage.glob("journal/*.json"), *usage.glob("outbox/*/*.json")])
        new = list(self.collector.events[self.shown :])
        self.shown += len(new)
        self.judge.deliver(new)
        return new

    def rest(self) -> None:
        """Wait until the worker, who lingers for more, has gone."""
        wait_for(lambda: not (self.state / "usage" / "lease").exists())

    def person(self, distinct_id: str) -> Text:
        """Name the person that *distinct_id* counts for now, in a colour of their own."""
        person = str(self.judge.person_of(distinct_id))
        colour = self.colours.setdefault(person, COLOURS[len(self.colours) % len(COLOURS)])
        return Text(f"● person {person[:4]}", colour)

    def show(self) -> None:
        """Print the identity, and what arrived since the last time in the order of its arrival."""
        events = self.arrived()
        identity = json.loads((self.state / "usage.json").read_text())
        ids = {key: identity[key] for key in ("anon_id", "linked_principal_id")}
        self.console.print(Text(f"usage.json  {json.dumps(ids)}", "dim"))
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in ("event", "command", "distinct_id", "", "counts for"):
            table.add_column(column)
        for event in events:
            about, distinct_id = event["properties"], event["distinct_id"]
            linked = about.get("$anon_distinct_id")
            table.add_row(
                Text(event["event"], "bold red" if "failed" in event["event"] else "bold"),
                f"links {linked[:8]}…" if linked else about.get("command_name", ""),
                distinct_id if len(distinct_id) < 20 else f"{distinct_id[:8]}…",
                Text("anonymous", "dim") if about.get("is_anon") else "",
                self.person(distinct_id),
            )
            if "error_message" in about:
                table.add_row(Text(f"  {about['error_message']}", "dim"))
        self.console.print(table if events else Text("nothing", "dim"))
        self.console.print()

    def sum_up(self, *principals: str) -> None:
        """Say whose history the events have become."""
        for principal in principals:
            counted = [event.properties for event in self.judge.history(principal)]
            commands = [about["command_name"] for about in counted if "command_name" in about]
            self.console.print(self.person(principal), f"{principal}: {', '.join(commands)}")


def title(console: Console, text: str) -> None:
    """Print a line across the page."""
    console.rule(f"[bold]{text}", align="left", style="dim")


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until *condition* holds; raise `TimeoutError` if that takes half a minute."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the events did not arrive within 30 s")
        time.sleep(0.02)
