"""What the commands of the three apps do, whichever framework calls them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from usage_core import Tracker


def credentials() -> Path:
    return Path.home() / "credentials.yaml"


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def paper(size: str) -> str:
    """Convert an option's value, in a way that no parser expects."""
    raise LookupError(f"no such paper: {size}")


def log_in() -> None:
    credentials().write_text("cloud: {api: {key: key-of-alice}}\n")
    say("Welcome.")


def log_out() -> None:
    credentials().unlink()
    say("Goodbye.")


def run(way: str, count: int) -> int | None:
    """Leave in the *way* that is asked for."""
    for _ in range(count):
        say(f"running {way}")
    return _WAYS[way]() if way in _WAYS else None


def _fail() -> int:
    raise RuntimeError("out of paper")


def _get_signal(number: int) -> int:
    os.kill(os.getpid(), number)
    time.sleep(60)
    return 0


def _handle_sigterm() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(9))
    return _get_signal(signal.SIGTERM)


def _flood() -> int:
    while True:
        say("x" * 80)


def _fork() -> int:
    child = os.fork()
    if child == 0:
        say(f"child {signal.getsignal(signal.SIGTERM)}")
        sys.exit(0)
    os.waitpid(child, 0)
    return 0


def _sleep() -> int:
    time.sleep(60)
    return 0


_WAYS: dict[str, Callable[[], int]] = {
    "code": lambda: 3,
    "raise": _fail,
    "exit": lambda: sys.exit(3),
    "text": lambda: sys.exit("no paper"),
    "zero": lambda: sys.exit(0),
    "interrupt": lambda: _get_signal(signal.SIGINT),
    "terminate": lambda: _get_signal(signal.SIGTERM),
    "catch": _handle_sigterm,
    "pipe": _flood,
    "fork": _fork,
    "sleep": _sleep,
}
# Of the frameworks' own ways out, each app does what it has for them.
WAYS = ("return", *_WAYS, "usage", "abort", "leave")


def make_tracker() -> Tracker | None:
    """The tracker, unless this is the app as it would be without one."""
    if "UNTRACKED" in os.environ:
        return None
    from usage_core import Tracker

    return Tracker(
        "arcade",
        version="1.2.3",
        transport="posthog",
        options={"api_key": "phc_test", "host": os.environ.get("HOST", "http://127.0.0.1:9")},
        credentials=credentials(),
        whoami=os.environ.get("WHOAMI"),
    )


def instrument(app: object, tracker: Tracker | None = None) -> None:
    """Have *app* recorded, unless this is the app as it would be without."""
    tracker = tracker or make_tracker()
    if tracker:
        tracker.instrument(app, login="login", logout="logout", options="values")
