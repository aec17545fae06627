"""What the commands need of a tracker and its author does not: they work on the same files."""

from __future__ import annotations

from usage_core import Tracker
from usage_core._local import may_record
from usage_core._recorder import Recorder

__all__ = ["decision_of", "recorder_of"]


def recorder_of(tracker: Tracker) -> Recorder:
    """Return what *tracker* records through."""
    return tracker._recorder  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # see above


def decision_of(tracker: Tracker) -> tuple[bool, str]:
    """Return whether anything may be recorded at this moment, and who decided that."""
    return may_record(tracker.app, recorder_of(tracker).folder)
