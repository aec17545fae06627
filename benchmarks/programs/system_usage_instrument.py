"""This project, as an author uses it who instruments a whole app in one line."""

from __future__ import annotations

from system_usage import tracker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def run(app: Callable[[], None]) -> None:
    tracker.instrument(app)
    app()
