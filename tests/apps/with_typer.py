"""The app with Typer."""

from __future__ import annotations

import sys
from enum import Enum, StrEnum
from typing import Annotated

import behaviour
import typer

Way = Enum("Way", {way: way for way in behaviour.WAYS}, type=str)  # type: ignore[misc]  # from a list


class Format(StrEnum):
    json = "json"
    table = "table"


app = typer.Typer(help="An app in three commands.")
behaviour.instrument(app)  # before there is any command
toolkit = typer.Typer(help="Toolkits.")
app.add_typer(toolkit, name="toolkit")


def show_version(wanted: bool) -> None:
    if wanted:
        typer.echo("1.2.3")
        raise typer.Exit


@app.callback()
def main(
    verbose: Annotated[bool, typer.Option("--verbose/--quiet")] = False,
    version: Annotated[bool, typer.Option(callback=show_version, is_eager=True)] = False,
) -> None:
    pass


@app.command()
def login() -> None:
    """Log in."""
    behaviour.log_in()


@app.command()
def logout() -> None:
    """Log out."""
    behaviour.log_out()


@toolkit.callback()
def toolkits() -> None:
    pass


@toolkit.command()
def run(
    way: Way,
    count: int = 1,
    format: Format = Format.table,  # noqa: A002  # it names the option
    name: str = "",
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    paper: Annotated[str, typer.Option(callback=lambda size: size and behaviour.paper(size))] = "",
) -> None:
    """Run a toolkit."""
    if code := behaviour.run(str(way.value), count):
        sys.exit(code)
    if way.value == "usage":
        raise typer.BadParameter(f"cannot {way.value}")
    if way.value == "abort":
        raise typer.Abort
    if way.value == "leave":
        raise typer.Exit(4)


if __name__ == "__main__":
    app()
