"""The app with click; `toolkit` is a group that is loaded when it is needed."""

from __future__ import annotations

import sys

import behaviour
import click


class Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "toolkit"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return toolkit() if cmd_name == "toolkit" else super().get_command(ctx, cmd_name)


@click.group(cls=Lazy)
@click.version_option("1.2.3")
@click.option("--verbose/--quiet")
def app(verbose: bool) -> None:
    """An app in three commands."""


@app.command()
def login() -> None:
    """Log in."""
    behaviour.log_in()


@app.command()
def logout() -> None:
    """Log out."""
    behaviour.log_out()


def toolkit() -> click.Group:
    group = click.Group("toolkit", help="Toolkits.")

    @group.command()
    @click.argument("way", type=click.Choice(behaviour.WAYS))
    @click.option("--count", type=int, default=1)
    @click.option("--format", type=click.Choice(["json", "table"]), default="table")
    @click.option("--name", default="")
    @click.option("--dry-run", is_flag=True)
    @click.option("--paper", callback=lambda _, __, size: size and behaviour.paper(size))
    @click.pass_context
    def run(ctx: click.Context, /, way: str, count: int, **_: object) -> None:
        """Run a toolkit."""
        if code := behaviour.run(way, count):
            sys.exit(code)
        if way == "usage":
            raise click.UsageError(f"cannot {way}")
        if way == "abort":
            raise click.Abort
        if way == "leave":
            ctx.exit(4)

    return group


behaviour.instrument(app)

if __name__ == "__main__":
    app()
