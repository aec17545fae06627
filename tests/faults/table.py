"""A pytest plug-in: tests marked `fault` are the rows of docs/reliability.md.

    @pytest.mark.fault("network", "the collector {trouble}", "a server on loopback")

The marker holds the class, the fault and how it is produced, with `{name}` for a parameter. What
the commands showed and what arrived is observed while the test runs; a row that differs from the
committed page fails its test. `--reliability` writes the page instead.
"""

from __future__ import annotations

import os
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
command with tracking off. No command waited for its fault, but for a login, which waits two \
seconds at most. "2 of 2 events" means: as many commands were run, and that many events arrived, \
each counted once by its uuid and timestamp. "Kept" records are on the disk for the next attempt.
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
    """What a command showed to whoever ran it."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str


_shown: list[Shown] = []


def saw(words: tuple[str, ...], done: subprocess.CompletedProcess[str]) -> None:
    """Note what the command of these *words* showed, for a test that ran it in its own way."""
    _shown.append(Shown(words, done.returncode, done.stdout or "", done.stderr or ""))


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
    assert commands, "a row needs a command: run it with the toolbox, or tell `saw`"
    codes = sorted({command.code for command in commands})
    more = set[str]()
    for command in commands:
        plain = untracked(command.words)
        assert plain.code == command.code, f"{command} exits with {plain.code} untracked"
        for what, ours, theirs in (
            ("output", command.out, plain.out),
            ("errors", command.err, plain.err),
        ):
            if ours != theirs:
                more.add(f"{len(ours.splitlines()) - len(theirs.splitlines()):+d} lines of {what}")
    return f"exit {', '.join(map(str, codes))}; {', '.join(sorted(more)) or 'output unchanged'}"


def untracked(words: tuple[str, ...]) -> Shown:
    """Return what the toolbox shows for *words* with tracking off."""
    if words[0] in ("ok", "login", "burst"):
        words = (words[0], "1")  # their names are not shown
    return _untracked(words)


@cache
def _untracked(words: tuple[str, ...]) -> Shown:
    with TemporaryDirectory() as home:
        done = subprocess.run(
            [sys.executable, str(TOOLBOX), *words],
            env=clean_environment(Path(home)) | {"TOOLBOX": "{}", "DO_NOT_TRACK": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not os.listdir(home)
    return Shown(words, done.returncode, done.stdout, done.stderr)


def arrived(toolbox: Toolbox, commands: list[Shown]) -> str:
    """Say what arrived, of whom, and what waits."""
    ran = sum(int(c.words[1]) if c.words[0] == "burst" else 1 for c in commands)
    events = {(e["uuid"], e["timestamp"]): e for e in toolbox.captures()}
    assert len(events) == len({uuid for uuid, _ in events}), "one event under two moments"
    kept = len(toolbox.records())
    waits = f"; {kept} kept" if kept else ""
    if not events:
        return f"nothing{waits}"
    nobody = {e["distinct_id"] for e in events.values() if e["properties"]["is_anon"]}
    people = sorted({e["distinct_id"] for e in events.values()} - nobody)
    who = [f"under {len(nobody)} anonymous ids" if len(nobody) > 1 else "anonymous"] * bool(nobody)
    who += [f"as {name}" for name in people]
    links = {e["distinct_id"] for e in toolbox.collector.events if e["event"] == "$identify"}
    linked = f"the link to {' and '.join(sorted(links))}; " if links else ""
    return f"{linked}{len(events)} of {ran} events, {' and '.join(who)}{waits}"


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
        if self.trouble:
            terminalreporter.line(f"{PAGE.name} was not written: not all tests passed")
            return
        parts = [_HEAD]
        for group in CLASSES:
            rows = sorted((r for r in self.rows if r.group == group), key=lambda r: r.fault)
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
