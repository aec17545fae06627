"""Arcade's CLI: its own CommandTracker, called as its TrackedTyperCommand does."""

import os
import time

from arcade_cli.usage.command_tracker import command_tracker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

command_tracker.usage_service.host = os.environ["BENCH_COLLECTOR"]


def run(main: "Callable[[], None]") -> None:
    began, monotonic = time.time(), time.monotonic()
    try:
        main()
    finally:
        command_tracker.track_command_execution(
            "greet",
            success=True,
            duration_ms=(time.time() - began) * 1000,
            monotonic_start=monotonic,
            monotonic_end=time.monotonic(),
        )
