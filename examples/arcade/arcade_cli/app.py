"""The commands of `arcade`. What is special about any of them is in a module of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from arcade_cli import credentials, toolkits
from arcade_cli.errors import ArcadeError
from arcade_cli.tracking import make_tracker
from usage_core.commands import typer_app

app = typer.Typer(
    help="Build, run and share tools for agents.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
engine = typer.Typer(help="Look after the engine that runs tools.", no_args_is_help=True)
app.add_typer(toolkits.app, name="toolkit")
app.add_typer(engine, name="engine")
tracker = make_tracker()
tracker.instrument(app, login="login", logout="logout")
app.add_typer(typer_app(tracker), name="usage")


@app.command()
def login(
    browser: Annotated[
        bool, typer.Option(help="Open the browser, or only print the address.")
    ] = True,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the answer.")] = 300,
) -> None:
    """Log in to Arcade with a browser."""
    from arcade_cli.login import login as log_in  # imports what only a login needs

    try:
        found = log_in(browser=browser, seconds=timeout, say=typer.echo)
    except KeyboardInterrupt:
        typer.echo("\nCancelled. Nothing was changed.", err=True)
        raise
    typer.echo(f"Logged in as {found.email}.")


@app.command()
def logout() -> None:
    """Forget who is logged in."""
    typer.echo("Logged out." if credentials.remove() else "Nobody was logged in.")


@app.command()
def whoami() -> None:
    """Say who is logged in, as the cloud knows it."""
    from arcade_cli.api import principal

    found = credentials.load()
    typer.echo(f"{found.email} ({principal(found)})")


@app.command()
def new(name: str) -> None:
    """Begin a toolkit of one's own in a folder of that name."""
    toolkits.begin(Path(name))
    typer.echo(f"Made {name}. Its first tool is in {name}/tool.py.")


@app.command()
def show() -> None:
    """Show the toolkits that can be run."""
    for name, about in toolkits.known():
        typer.echo(f"{name:<10} {about}")


@engine.command()
def health() -> None:
    """Ask the engine how it is."""
    from arcade_cli.api import engine_health

    typer.echo(f"The engine is {engine_health()}.")


def main() -> None:
    """Run the tool, and make of an expected failure one line and exit code 1."""
    try:
        app()
    except ArcadeError as error:
        sys.exit(f"Error: {error}")
