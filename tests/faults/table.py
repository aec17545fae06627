"""A pytest plug-in: tests marked `fault` are the rows of docs/reliability.md.

    @pytest.mark.fault("network", "the collector {trouble}", "a server on loopback")

The marker holds the class, the fault and how it is produced, with `{name}` for a parameter. What
the commands showed and what arrived is observed while the test runs; a row that differs from the
committed page fails its test. `--reliability` writes the page instead.
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import attrs
import pytest

from cli import Toolbox
from faults.rows import Row, Shown, arrived, in_order, seen, showed, spell, untracked

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
whose transport hangs when it is imported or made: two seconds at most. "2 of 2 events" means: as \
many commands were run, and that many events arrived, each counted once by its uuid and \
timestamp. A command that the test killed is one of them. "Kept" records are on the disk for the \
next attempt.
"""

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
    toolbox = cast(Toolbox, cast(pytest.Function, item).funcargs["toolbox"])
    row = Row(*about, showed(_shown), arrived(toolbox, _shown, _elsewhere, _told))
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
