"""Screen: where the commands print, with rich on a terminal that has it, else as plain text."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

import attrs

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Block", "Item", "Screen", "Table"]

_STYLES = {
    "ok": "green",
    "sent": "green",
    "on": "green",
    "note": "cyan",
    "queued": "cyan",
    "recorded": "cyan",
    "off": "yellow",
    "problem": "bold red",
}


@attrs.frozen
class Table:
    """Rows of equally many cells, with a title."""

    title: str
    rows: Sequence[tuple[str, ...]]


@attrs.frozen
class Item:
    """One thing on a line, and more about it below."""

    cells: tuple[str, ...]
    details: tuple[str, ...]


Block: TypeAlias = str | Table | Item


def _console() -> Console | None:
    try:
        if not sys.stdout.isatty():
            return None
        from rich.console import Console
    except (AttributeError, ValueError, ImportError):  # no standard output; no rich
        return None
    return Console(highlight=False)


@attrs.define
class Screen:
    """Prints on the standard output of the moment. No text can steer the terminal."""

    _console: Console | None = attrs.field(init=False, factory=_console)

    def show(self, blocks: Iterable[Block]) -> None:
        """Print *blocks* one below the other."""
        for block in blocks:
            if self._console is None:
                self._plain(block)
            else:
                _rich(self._console, block)

    def json(self, value: object) -> None:
        """Print *value* as JSON; times as ISO 8601."""
        text = json.dumps(value, indent=2, default=lambda time: time.isoformat())
        sys.stdout.write(f"{text}\n")

    @contextmanager
    def progress(self, about: str) -> Generator[Callable[[int, int], None]]:
        """Show a bar within, where the terminal can; the value is told how much of how much."""
        if self._console is None:
            yield lambda done, total: None  # noqa: ARG005  # there is no bar
            return
        from rich.progress import Progress

        with Progress(console=self._console, transient=True) as bar:
            task = bar.add_task(about, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)

    @contextmanager
    def waiting(self) -> Generator[Callable[[str], None]]:
        """Show within what is waited for, where the terminal can; the value is told what."""
        if self._console is None:
            yield lambda about: None  # noqa: ARG005  # there is nothing that turns
            return
        with self._console.status("") as turning:
            yield lambda about: turning.update(f"Looking at: {about}")

    def _plain(self, block: Block) -> None:
        match block:
            case str():
                _write(_clean(block))
            case Table(title, rows):
                _write(f"\n{_clean(title)}" if title else "")
                cleaned = [tuple(map(_clean, row)) for row in rows]
                widths = [max(map(len, column)) for column in zip(*cleaned, strict=True)]
                for row in cleaned:
                    cells = map(str.ljust, row, [*widths[:-1], 0])
                    _write(f"  {'  '.join(cells)}".rstrip())
            case Item(cells, details):
                _write("  ".join(map(_clean, cells)))
                for detail in details:
                    _write(f"    {_clean(detail)}")


def _rich(console: Console, block: Block) -> None:
    from rich.padding import Padding
    from rich.table import Table as Grid
    from rich.text import Text

    def cell(text: str) -> Text:
        return Text(_clean(text), style=_STYLES.get(text, ""), overflow="fold")

    match block:
        case str():
            console.print(cell(block))
        case Table(title, rows):
            if title:
                console.print(Text(f"\n{_clean(title)}", style="bold"))
            grid = Grid.grid(padding=(0, 2), pad_edge=True)
            for row in rows:
                grid.add_row("", *map(cell, row))
            console.print(grid)
        case Item(cells, details):
            console.print(Text("  ").join(map(cell, cells)))
            for detail in details:
                console.print(Padding(Text(_clean(detail), style="dim", overflow="fold"), (0, 4)))


def _write(text: str) -> None:
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _clean(text: str) -> str:
    """Return *text* with what is not printable spelled out: it may come from an error's message."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
