"""Segment's client in the command's own process, with `shutdown()` before it ends."""

import os
import platform

from segment import analytics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

analytics.write_key = "bench"
analytics.host = os.environ["BENCH_COLLECTOR"]
analytics.send = "DO_NOT_TRACK" not in os.environ


def run(main: "Callable[[], None]") -> None:
    try:
        main()
    finally:
        properties = {
            "command_name": "greet",
            "os_type": platform.system(),
            "os_release": platform.release(),
        }
        analytics.track(anonymous_id="someone", event="CLI succeeded", properties=properties)
        if analytics.send:
            analytics.shutdown()
