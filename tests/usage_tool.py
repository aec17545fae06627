"""A tool with the usage commands mounted, the same in Typer, click and argparse: FACE says which.

`usage_tool.py do NAME` runs the command NAME; `login`, `logout` and `bad` do what they say.
TOOLBOX holds the keywords for its Tracker, as Python writes them.
"""

from __future__ import annotations

import argparse
import ast
import os
import sys

from usage_core import Tracker
from usage_core.commands import argparse_commands, click_group, typer_app


def work(tracker: Tracker, name: str) -> None:
    match name:
        case "login":
            tracker.login("alice")
        case "logout":
            tracker.logout()
        case "bad":
            tracker.track(name, ok=False, error="bad <b>thing</b>")
        case _:
            with tracker.command(name) as command:
                command.set(colour="green")


def with_typer(tracker: Tracker) -> None:
    import typer

    app = typer.Typer()
    app.command("do")(lambda name: work(tracker, name))
    app.add_typer(typer_app(tracker), name="usage")
    app()


def with_click(tracker: Tracker) -> None:
    import click

    cli = click.Group()
    name = click.Argument(["name"])
    cli.add_command(click.Command("do", params=[name], callback=lambda name: work(tracker, name)))
    cli.add_command(click_group(tracker), "usage")
    cli()


def with_argparse(tracker: Tracker) -> None:
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    do = commands.add_parser("do")
    do.add_argument("name")
    do.set_defaults(func=lambda found: work(tracker, found.name))
    argparse_commands(commands, tracker)
    found = parser.parse_args()
    sys.exit(found.func(found))


if __name__ == "__main__":
    settings = {"version": "1.2.3", "transport": "posthog"} | ast.literal_eval(
        os.environ["TOOLBOX"]
    )
    face = os.environ.get("FACE", "argparse")
    {"typer": with_typer, "click": with_click, "argparse": with_argparse}[face](
        Tracker("toolbox", **settings)
    )
