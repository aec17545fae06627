"""iterative-telemetry: an event for each command, sent by a process of its own."""

import os

from iterative_telemetry import IterativeTelemetryLogger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

telemetry = IterativeTelemetryLogger(
    "bench",
    "1.0",
    enabled=lambda: True,  # with a plain True it never looks at its own opt-out variable
    url=f"{os.environ['BENCH_COLLECTOR']}/api/v1/s2s/event",
)


def run(main: "Callable[[], None]") -> None:
    try:
        main()
    finally:
        telemetry.send_cli_call("greet")
