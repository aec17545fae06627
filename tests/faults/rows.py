"""What one row of docs/reliability.md says, from what a test did and saw."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs

from cli import TOOLBOX, Toolbox, clean_environment
from usage_core.testing.behaviour import Behaviour
from usage_core.testing.exchange import Reply


@attrs.frozen
class Row:
    """One row of the page."""

    group: str
    fault: str
    produced: str
    showed: str
    arrived: str

    def __str__(self) -> str:
        return f"| {self.fault} | {self.produced} | {self.showed} | {self.arrived} |"


@attrs.frozen
class Shown:
    """A command that was run, for so many events.

    *seen* is the exit code, the output and the errors that it showed, *plain* the same with
    tracking off; both are None for a command that was killed.
    """

    events: int
    seen: tuple[int, str, str] | None
    plain: tuple[int, str, str] | None


def spell(value: object) -> str:
    """Return a parameter as the page has it."""
    if not isinstance(value, Behaviour):
        return str(value)
    if value.kind == "answer" and value.reply is not None:
        after = " after taking everything" if value.processed else ""
        return f"{_reply(value.reply)}{after}"
    slow = f" after {value.seconds:g} s" if value.seconds else ""
    return {
        "answer": f"answers{slow}",
        "drip": f"sends a byte every {value.seconds:g} s",
        "hang": "reads the request and never answers",
        "close": "takes everything and hangs up" if value.processed else "reads and hangs up",
        "reset": "resets the connection",
        "refuse": "refuses connections",
        "never_accept": "never accepts a connection",
    }[value.kind]


def _reply(reply: Reply | bytes) -> str:
    if isinstance(reply, bytes):
        torn = reply.startswith(b"HTTP")
        return "breaks off in the middle of its answer" if torn else "speaks another protocol"
    if reply.status == 200:
        if len(reply.body) > 1 << 20:
            return "answers 200 with 32 MiB"
        return "answers 200 with a web page" if reply.body else "answers 200 with nothing"
    after = reply.headers.get("Retry-After")
    return f"answers {reply.status}" + (f" with Retry-After: {after}" if after else "")


def showed(commands: Sequence[Shown]) -> str:
    """Say what the commands showed, compared with the same commands untracked."""
    codes, more = set[str](), set[str]()
    for command in commands:
        if command.seen is None or command.plain is None:
            codes.add("killed")
            continue
        code, *ours = command.seen
        plain, *theirs = command.plain
        assert plain == code, f"{command} exits with {plain} untracked"
        codes.add(f"by signal {-code}" if code < 0 else str(code))
        for what, text, without in zip(("output", "errors"), ours, theirs, strict=True):
            if text != without:
                more.add(f"{len(text.splitlines()) - len(without.splitlines()):+d} lines of {what}")
    assert codes - {"killed"}, "a row needs a command: run it with the toolbox, or tell `saw`"
    return f"exit {', '.join(sorted(codes))}; {', '.join(sorted(more)) or 'output unchanged'}"


def seen(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    """Return what a command showed: its exit code, its output and its errors."""
    return done.returncode, done.stdout or "", done.stderr or ""


def untracked(words: tuple[str, ...]) -> tuple[int, str, str]:
    """Return what the toolbox shows for *words* with tracking off."""
    if words[0] in ("ok", "login", "burst"):
        words = (words[0], "1")  # their names are not shown
    return _untracked(words)


@cache
def _untracked(words: tuple[str, ...]) -> tuple[int, str, str]:
    with TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, str(TOOLBOX), *words],
            env=clean_environment(Path(home)) | {"TOOLBOX": "{}", "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not os.listdir(home)
    return seen(done)


def arrived(
    toolbox: Toolbox, commands: Sequence[Shown], elsewhere: Sequence[str], told: Sequence[str]
) -> str:
    """Say what arrived, of whom, or that it came *elsewhere*; what else is *told*; what waits."""
    ran = sum(command.events for command in commands)
    events = {(e["uuid"], e["timestamp"]): e for e in toolbox.captures()}
    assert len(events) == len({uuid for uuid, _ in events}), "one event under two moments"
    kept = len(toolbox.records())
    after = "".join(f"; {text}" for text in [*told, *[f"{kept} kept"] * bool(kept)])
    if elsewhere:
        return f"{len(elsewhere)} of {ran} events, through that transport{after}"
    if not events:
        return f"nothing{after}"
    nobody = {e["distinct_id"] for e in events.values() if e["properties"]["is_anon"]}
    people = sorted({e["distinct_id"] for e in events.values()} - nobody)
    who = [f"under {len(nobody)} anonymous ids" if len(nobody) > 1 else "anonymous"] * bool(nobody)
    who += [f"as {name}" for name in people]
    links = {e["distinct_id"] for e in toolbox.collector.events if e["event"] == "$identify"}
    linked = f"the link to {' and '.join(sorted(links))}; " if links else ""
    return f"{linked}{len(events)} of {ran} events, {' and '.join(who)}{after}"


def in_order(row: Row) -> list[tuple[bool, int, str]]:
    """Sort rows by their text, in which numbers count as such."""
    parts = re.findall(r"\d+|\D+", str(row))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
