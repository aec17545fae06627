"""A pytest plug-in: tests marked `fault` are the rows of docs/reliability.md.

    @pytest.mark.fault("network", "the collector {trouble}", "a server on loopback")

The marker holds the class, the fault and how it is produced, with `{name}` for a parameter. What
the commands showed and what arrived is observed while the test runs; a row that differs from the
committed page fails its test. `--reliability` writes the page instead.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import attrs
import pytest

from cli import TOOLBOX, Toolbox, clean_environment
from usage_core.testing.behaviour import Behaviour
from usage_core.testing.exchange import Reply

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
CLASSES = ("network", "processes", "files", "output", "bounds")

_HEAD = """\
# Reliability

Each row is a test that produces the fault for real (a file system, processes, servers on \
loopback) and passes.
The page is written by `python3 noxfile.py -s reliability` from a run of these tests, and each \
test fails where it sees something else than its row says.

"Output unchanged" means: exit code, standard output and standard error were those of the same \
command with tracking off. No command waited for its fault, but for a login, and for a first run \
whose transport hangs when it is imported or made: two seconds at most. "2 of 2 events" means: as many commands were run, and that many events arrived, \
each counted once by its uuid and timestamp. A command that the test killed is one of them. "Kept" \
records are on the disk for the next attempt.
"""


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
    """What a command showed to whoever ran it: `code`, output, errors; and what it would untracked.

    Both are None for a command that was killed.
    """

    events: int
    seen: tuple[int, str, str] | None
    plain: tuple[int, str, str] | None


_shown: list[Shown] = []
_elsewhere: list[str] = []
_told: list[str] = []


def saw(
    words: tuple[str, ...],
    done: subprocess.CompletedProcess[str],
    plain: subprocess.CompletedProcess[str] | None = None,
) -> None:
    """Note what the command of these *words* showed, for a test that ran it in its own way.

    *plain* is what it shows with tracking off, for a program that is not the toolbox.
    """
    events = int(words[1]) if words[0] == "burst" else 1
    _shown.append(Shown(events, seen(done), seen(plain) if plain else untracked(words)))


def killed() -> None:
    """Note that the test killed a command: it counts as one that was run."""
    _shown.append(Shown(1, None, None))


def came_elsewhere(*names: str) -> None:
    """Note that these events arrived through a transport of the test's own."""
    _elsewhere.extend(names)


def told(text: str) -> None:
    """Note what else is to be said of what arrived."""
    _told.append(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--reliability", action="store_true", help="write docs/reliability.md from this run"
    )
    parser.addoption("--list-faults", action="store_true", help="print each row's beginning")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "fault(group, fault, produced): a row of docs/reliability.md"
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.getoption("--list-faults"):
        for item in session.items:
            if about := described(item):
                print("fault:", *about, sep="\t")  # asked for


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    about = described(item)
    if about is None:
        return (yield)
    _shown.clear()
    _elsewhere.clear()
    _told.clear()
    run = Toolbox.run

    def observed(self: Toolbox, *words: str, check: bool = True, **environ: str) -> Any:
        done = run(self, *words, check=False, **environ)
        saw(words, done)
        if check:
            done.check_returncode()
        return done

    with patch.object(Toolbox, "run", observed):
        result = yield
    toolbox: Toolbox = item.funcargs["toolbox"]  # type: ignore[attr-defined]  # it is a function
    row = Row(*about, showed(_shown), arrived(toolbox, _shown))
    item.user_properties.append(("fault", attrs.astuple(row)))
    if not item.config.getoption("--reliability"):
        assert str(row) in page_rows(), (
            "docs/reliability.md does not say so: run `python3 noxfile.py -s reliability`"
        )
    return result


def described(item: pytest.Item) -> tuple[str, str, str] | None:
    """Return the class, the fault and its production; None for a test that is no row."""
    marker = item.get_closest_marker("fault")
    if marker is None:
        return None
    params: Mapping[str, object] = getattr(getattr(item, "callspec", None), "params", {})
    spoken = {name: spell(value) for name, value in params.items()}
    group, fault, produced = (text.format(**spoken) for text in marker.args)
    assert group in CLASSES
    assert "|" not in fault + produced
    return group, fault, produced


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


def showed(commands: list[Shown]) -> str:
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


def arrived(toolbox: Toolbox, commands: list[Shown]) -> str:
    """Say what arrived, of whom, and what waits."""
    ran = sum(command.events for command in commands)
    events = {(e["uuid"], e["timestamp"]): e for e in toolbox.captures()}
    assert len(events) == len({uuid for uuid, _ in events}), "one event under two moments"
    kept = len(toolbox.records())
    after = "".join(f"; {text}" for text in [*_told, *[f"{kept} kept"] * bool(kept)])
    if _elsewhere:
        return f"{len(_elsewhere)} of {ran} events, through that transport{after}"
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


def page_rows() -> list[str]:
    """Return the rows of the committed page."""
    return PAGE.read_text().splitlines() if PAGE.exists() else []


class Writer:
    """Gathers the rows of a run, from all of its processes, and writes the page."""

    def __init__(self) -> None:
        self.rows: set[Row] = set()
        self.trouble: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = dict(report.user_properties).get("fault")
        if report.when == "call" and report.passed and found:
            self.rows.add(Row(*map(str, found)))  # type: ignore[call-overload]  # a tuple
        elif report.failed or report.skipped:
            self.trouble.append(report.nodeid)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.trouble or not self.rows:
            terminalreporter.line(f"{PAGE.name} was not written: not all tests ran and passed")
            return
        parts = [_HEAD]
        for group in CLASSES:
            rows = sorted((row for row in self.rows if row.group == group), key=in_order)
            parts.append(f"\n## {group.capitalize()} ({len(rows)})\n\n")
            parts.append(
                "| fault | how it is produced | what the command showed | what arrived |\n"
            )
            parts.append("|---|---|---|---|\n" + "".join(f"{row}\n" for row in rows))
        PAGE.write_text("".join(parts))


def pytest_sessionstart(session: pytest.Session) -> None:
    controls = not hasattr(session.config, "workerinput")
    if controls and session.config.getoption("--reliability"):
        session.config.pluginmanager.register(Writer())
