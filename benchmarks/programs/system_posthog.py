"""PostHog's client in the command's own process, with `shutdown()` before it ends."""

import os
import platform

from posthog import Posthog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

client = Posthog(
    "phc_bench",
    host=os.environ["BENCH_COLLECTOR"],
    disabled="DO_NOT_TRACK" in os.environ,
)


def run(main: "Callable[[], None]") -> None:
    try:
        main()
    finally:
        properties = {
            "command_name": "greet",
            "os_type": platform.system(),
            "os_release": platform.release(),
            "$process_person_profile": False,
        }
        client.capture("CLI execution succeeded", distinct_id="someone", properties=properties)
        client.shutdown()
