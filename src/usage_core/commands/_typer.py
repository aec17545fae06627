"""The commands for Typer."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import typer
from typer.core import TyperGroup
from typer.main import get_group

from usage_core import Tracker
from usage_core.commands._verbs import ABOUT, VERBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["typer_app"]


def typer_app(tracker: Tracker) -> typer.Typer:
    """Return an app with all commands, to mount: `app.add_typer(typer_app(tracker), name="usage")`.

    It costs a start of the tool next to nothing: the commands are made when one is asked for.
    """

    class UsageGroup(TyperGroup):
        usage_untracked = True

        # Any: click's types, which Typer carries with it or not, depending on its version.
        def list_commands(self, ctx: Any) -> list[str]:
            self.commands = self.commands or _commands(tracker)
            return super().list_commands(ctx)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            self.commands = self.commands or _commands(tracker)
            return super().get_command(ctx, cmd_name)

    app = typer.Typer(cls=UsageGroup, help=ABOUT, no_args_is_help=True, add_completion=False)
    app.usage_untracked = True  # type: ignore[attr-defined]  # a mark for the adapters
    return app


def _commands(tracker: Tracker) -> Any:
    app = typer.Typer()
    app.callback()(lambda: None)
    for verb, (help_, _) in VERBS.items():
        app.command(verb, help=help_)(_function(tracker, verb))
    commands = get_group(app).commands
    for command in commands.values():
        command.usage_untracked = True  # type: ignore[attr-defined]  # as above
    return commands


def _function(tracker: Tracker, verb: str) -> Callable[..., None]:
    """Return a function with the verb's options as its parameters, which is what Typer reads."""

    def call(**options: object) -> None:
        from usage_core.commands._run import run

        code = run(tracker, verb, **options)
        if code:
            raise typer.Exit(code)

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=typer.Option(
                None if metavar else False, f"--{name}", metavar=metavar, help=about
            ),
            annotation=str if metavar else bool,
        )
        for name, metavar, about in VERBS[verb][1]
    ]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # it may be set
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return call
