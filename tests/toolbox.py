"""A command-line tool for the tests, as small as one can be: run as a process, told by its words.

TOOLBOX holds the keywords for its Tracker, as Python writes them: `json` would be one import that
the tests then could not see the recorder make.
"""

import ast
import contextlib
import os
import sys

from usage_core import Tracker


def main(verb: str, name: str = "", *rest: str) -> None:  # noqa: C901  # a flat list of verbs
    """Do what *verb* says: ok, fail, exit, interrupt, login, logout, burst, flush, and so on."""
    settings = ast.literal_eval(os.environ["TOOLBOX"])
    print("before", flush=True)
    tracker = Tracker("toolbox", **{"version": "1.2.3", "transport": "posthog", **settings})
    match verb:
        case "ok":
            with tracker.command(name) as command:
                command.set(colour="green")
        case "fail":
            with tracker.command(name):
                raise RuntimeError(*rest)
        case "exit":
            with tracker.command(name):
                sys.exit(int(rest[0]))
        case "interrupt":
            with tracker.command(name):
                raise KeyboardInterrupt
        case "login":
            tracker.login(name or None, duration_ms=12.3456)
        case "logout":
            tracker.logout()
        case "burst":
            for number in range(int(name)):
                tracker.track(f"burst.{number}")
        case "flush":
            print(tracker.flush(timeout=10))
        case "modules":
            with contextlib.suppress(SystemExit), tracker.command(name):
                sys.exit(0)  # as every Typer app ends
            print(*sorted(sys.modules))
        case "instrument":
            tracker.instrument(app_of(name))
            print(*sorted(sys.modules))
        case _:
            raise SystemExit(f"no such verb: {verb}")
    print("after")


def app_of(framework: str) -> object:
    """Return an app of *framework*, which nothing is imported of otherwise."""
    module = __import__(framework)
    make = {"typer": "Typer", "click": "Group", "argparse": "ArgumentParser"}
    return getattr(module, make[framework])()


if __name__ == "__main__":
    main(*sys.argv[1:])
