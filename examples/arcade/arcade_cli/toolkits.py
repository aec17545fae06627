"""`arcade toolkit`: small toolkits to run, one that is slow and one that fails among them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from arcade_cli.errors import ArcadeError

app = typer.Typer(help="Run toolkits.", no_args_is_help=True)

TOOL = '''"""{name}: a toolkit."""


def run() -> str:
    """Say hello."""
    return "Hello from {name}."
'''


@app.command()
def run(name: Annotated[str, typer.Argument(help="A toolkit that `arcade show` lists.")]) -> None:
    """Run one toolkit, here."""
    found = _TOOLKITS.get(name)
    if found is None:
        raise ArcadeError(f"There is no toolkit {name!r}. See: arcade show")
    typer.echo(found())


def known() -> Iterator[tuple[str, str]]:
    """Return the names of the toolkits, each with what it does."""
    for name, toolkit in _TOOLKITS.items():
        yield name, toolkit.__doc__ or ""


def begin(folder: Path) -> None:
    """Make *folder* with a first tool in it; raises `ArcadeError` and overwrites nothing."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", folder.name):
        raise ArcadeError("A toolkit's name is lower-case letters, digits and '_'.")
    try:
        folder.mkdir()
        (folder / "tool.py").write_text(TOOL.format(name=folder.name), encoding="utf-8")
    except OSError as error:
        raise ArcadeError(f"Cannot make {folder}: {error.strerror}") from None


def _math() -> str:
    """Adds two numbers."""
    return str(19 + 23)


def _patience() -> str:
    """Takes a second."""
    time.sleep(1)
    return "Done."


def _broken() -> str:
    """Fails, as tools do."""
    raise ArcadeError("The toolkit 'broken' could not reach its service.")


_TOOLKITS: dict[str, Callable[[], str]] = {
    "math": _math,
    "patience": _patience,
    "broken": _broken,
}
