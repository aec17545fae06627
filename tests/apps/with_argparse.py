# PYTHON_ARGCOMPLETE_OK
"""The app with argparse."""

from __future__ import annotations

import argparse
import os
import sys

import behaviour


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="An app in three commands.")
    parser.add_argument("--version", action="version", version="1.2.3")
    parser.add_argument("--verbose", action=argparse.BooleanOptionalAction)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("login", aliases=["signin"]).set_defaults(do=lambda _: behaviour.log_in())
    commands.add_parser("logout").set_defaults(do=lambda _: behaviour.log_out())
    toolkits = commands.add_parser("toolkit").add_subparsers(required=True, metavar="COMMAND")
    run = toolkits.add_parser("run")
    run.add_argument("way", choices=behaviour.WAYS)
    run.add_argument("--count", type=int, default=1)
    run.add_argument("--format", choices=["json", "table"], default="table")
    run.add_argument("--name", default="")
    run.add_argument("--dry-run", action="store_true")
    run.add_argument("--paper", type=behaviour.paper)
    run.set_defaults(do=lambda given: behaviour.run(given.way, given.count))
    return parser


tracker = behaviour.make_tracker()


def main() -> int | None:
    parser = make_parser()
    behaviour.instrument(parser, tracker)
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser)
    arguments = parser.parse_args()
    code: int | None = arguments.do(arguments)
    if getattr(arguments, "way", None) == "usage":
        parser.error(f"cannot {arguments.way}")
    return code


if __name__ == "__main__":
    sys.exit(main())
