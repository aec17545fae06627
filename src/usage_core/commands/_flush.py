"""flush: deliver now, and say what goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import attrs

from usage_core import Tracker
from usage_core._delivery.health import Health, load
from usage_core._delivery.ledger import Ledger
from usage_core.commands._folder import known_folder, names_of
from usage_core.commands._tracker import decision_of, recorder_of

__all__ = ["Flushed", "flush"]

LOOKS_EVERY = 0.05
LETS_GO = 5.0
"""So long a plug-in or a transport may take beyond the time-out to be let go of."""


@attrs.frozen
class Flushed:
    """How it went. *delivered* counts messages that arrived, *left* records that still wait.

    *errors* are those of this very attempt.

    *off* names what forbids to send anything, where something does; nothing was tried then.
    """

    delivered: int
    left: int
    errors: tuple[str, ...]
    off: str | None


def flush(
    tracker: Tracker,
    timeout: float = 10.0,
    progress: Callable[[int, int], None] | None = None,
) -> Flushed:
    """Deliver what waits within *timeout* seconds; *progress* is told how many of how many are.

    Only what the present transport is owed is delivered, whatever pause the collector asked for.
    """
    recorder = recorder_of(tracker)
    folder, (allowed, source) = known_folder(tracker), decision_of(tracker)
    if folder is None or not allowed:
        return Flushed(0, 0, (), source)

    def waiting() -> int:
        spools = (folder.facts, folder.outbox(recorder.transport()))
        return sum(len(names_of(spool)) for spool in spools)

    def sent() -> set[object]:
        return {line.get("uuid") for line in Ledger(folder.ledger).read()}

    before, already, total = load(folder.health), sent(), waiting()
    done = threading.Event()

    def work() -> None:
        tracker.flush(timeout)
        done.set()

    threading.Thread(target=work, daemon=True).start()
    end = time.monotonic() + timeout + LETS_GO
    while not done.wait(LOOKS_EVERY) and time.monotonic() < end:
        left = waiting()
        total = max(total, left)
        if progress is not None:
            progress(total - left, total)
    left = waiting()
    errors = _news(before, load(folder.health))
    if left and not errors:
        errors = ("not everything could be sent in the time; a worker may be sending it now",)
    return Flushed(len(sent() - already), left, errors, None)


def _news(before: Health, after: Health) -> tuple[str, ...]:
    """Return what went wrong between the two."""
    news: list[str] = []
    if after.failures and after.failures != before.failures:
        news.append(after.last_error or "it failed, and nobody said why")
    for about, note in after.notes.items():
        if about not in before.notes or before.notes[about].count != note.count:
            news.append(f"{about}: {note.text}")
    return tuple(dict.fromkeys(news))
