"""The commands for argparse."""

from __future__ import annotations

import argparse

from usage_core import Tracker
from usage_core.commands._verbs import ABOUT, VERBS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["argparse_commands"]


def argparse_commands(
    # Any: argparse has no public name for what add_subparsers() returns.
    subparsers: Any,
    tracker: Tracker,
    name: str = "usage",
) -> argparse.ArgumentParser:
    """Add a parser *name* with all commands to *subparsers*, and return it.

    What was parsed then has `func`, a function of the parsed arguments that returns the exit code,
    and `usage_untracked`, which is true.
    """
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=ABOUT, description=ABOUT)
    parser.set_defaults(usage_untracked=True, func=_help(parser))
    verbs = parser.add_subparsers(metavar="COMMAND")
    for verb, (help_, options) in VERBS.items():
        one = verbs.add_parser(verb, help=help_, description=help_)
        for option, metavar, about in options:
            if metavar is None:
                one.add_argument(f"--{option}", action="store_true", help=about)
            else:
                one.add_argument(f"--{option}", metavar=metavar, help=about)
        one.set_defaults(func=_function(tracker, verb))
    return parser


def _function(tracker: Tracker, verb: str) -> Callable[[argparse.Namespace], int]:
    def call(arguments: argparse.Namespace) -> int:
        from usage_core.commands._run import run

        chosen = {option: getattr(arguments, option) for option, _, _ in VERBS[verb][1]}
        return run(tracker, verb, **chosen)

    return call


def _help(parser: argparse.ArgumentParser) -> Callable[[argparse.Namespace], int]:
    def call(_: argparse.Namespace) -> int:
        parser.print_help()
        return 2

    return call
