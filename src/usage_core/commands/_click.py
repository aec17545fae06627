"""The commands for click."""

from __future__ import annotations

import click

from usage_core import Tracker
from usage_core.commands._verbs import ABOUT, VERBS

__all__ = ["click_group"]


def click_group(tracker: Tracker) -> click.Group:
    """Return a group with all commands, to mount: `cli.add_command(click_group(tracker), "usage")`.

    The commands are made when one is asked for.
    """
    return _UsageGroup(tracker)


class _UsageGroup(click.Group):
    usage_untracked = True

    def __init__(self, tracker: Tracker) -> None:
        super().__init__("usage", help=ABOUT)
        self._tracker = tracker

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's own name
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands and cmd_name in VERBS:
            self.commands[cmd_name] = _command(self._tracker, cmd_name)
        return super().get_command(ctx, cmd_name)


def _command(tracker: Tracker, verb: str) -> click.Command:
    def call(**options: object) -> None:
        from usage_core.commands._run import run

        code = run(tracker, verb, **options)
        if code:
            click.get_current_context().exit(code)

    help_, options = VERBS[verb]
    parameters: list[click.Parameter] = [
        click.Option([f"--{name}"], is_flag=metavar is None, metavar=metavar, help=about)
        for name, metavar, about in options
    ]
    command = click.Command(verb, params=parameters, callback=call, help=help_)
    command.usage_untracked = True  # type: ignore[attr-defined]  # a mark for the adapters
    return command
