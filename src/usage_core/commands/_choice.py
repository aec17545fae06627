"""enable and disable: the person's own choice."""

from __future__ import annotations

import os

import attrs

from usage_core import Tracker
from usage_core._delivery.folder import Folder
from usage_core._delivery.process import locked
from usage_core._local import file_allows, make_folder, write_file
from usage_core.commands._folder import erase_tree, folder_of, outboxes_of
from usage_core.commands._tracker import decision_of

__all__ = ["Disabled", "Enabled", "disable", "enable"]

WORKER_NEEDS = 8.0
"""A worker that is just sending lets go of the lock within this many seconds."""


@attrs.frozen
class Enabled:
    """The choice is yes; *overridden_by* names the variable or file that still forbids it."""

    choice_file: str
    overridden_by: str | None


@attrs.frozen
class Disabled:
    """The choice is no, and *removed* records were thrown away.

    *unfinished* says that a worker held on to its lock: what it had in hand may still be there. It
    is not sent, now or later.
    """

    choice_file: str
    removed: int
    unfinished: bool


def enable(tracker: Tracker) -> Enabled:
    """Store the choice yes. What came into the queues while it was no is thrown away first.

    Raises `OSError` where it cannot be stored.
    """
    folder = folder_of(tracker)
    if not file_allows(folder.consent) and not _emptied(folder)[1]:
        raise OSError("somebody holds the lock, so what was recorded before cannot be removed")
    _store(folder, b"on\n")
    allowed, source = decision_of(tracker)
    return Enabled(folder.consent, None if allowed else source)


def disable(tracker: Tracker) -> Disabled:
    """Store the choice no, then throw away what was recorded and not sent; tells nobody.

    From the first write on nothing is recorded, and no request is begun. Raises `OSError` where the
    choice cannot be stored.
    """
    folder = folder_of(tracker)
    _store(folder, b"off\n")
    removed, whole = _emptied(folder)
    return Disabled(folder.consent, removed, not whole)


def _store(folder: Folder, choice: bytes) -> None:
    attempts = 10
    while True:
        try:
            make_folder(folder.usage)
            write_file(folder.consent, choice)
            return
        except FileNotFoundError:  # somebody erased the folder meanwhile
            attempts -= 1
            if not attempts:
                raise


def _emptied(folder: Folder) -> tuple[int, bool]:
    """Remove all records; return how many, and whether no worker had one in hand meanwhile."""
    if not os.path.isdir(folder.usage):
        return 0, True
    with locked(folder, WORKER_NEEDS) as held:
        outboxes = [folder.outbox(name) for name in outboxes_of(folder)]
        removed = sum(len(spool.names()) for spool in (folder.facts, *outboxes))
        for path in (folder.journal, folder.outboxes):
            erase_tree(path)
    return removed, held
