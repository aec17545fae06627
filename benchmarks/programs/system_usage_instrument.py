"""This project, as an author uses it who instruments a whole app in one line.

All of it is here, since a second module to import would count as ours.
"""

import os

from usage_core import Tracker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

tracker = Tracker(
    "bench",
    version="1.0",
    transport="posthog",
    options={"api_key": "phc_bench", "host": os.environ["BENCH_COLLECTOR"]},
    credentials="~/.bench/credentials.yaml",
    whoami=os.environ.get("BENCH_AUTH"),
)


def run(app: "Callable[[], None]") -> None:
    tracker.instrument(app)
    app()
