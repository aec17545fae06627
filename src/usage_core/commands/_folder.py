"""The state folder that a command works on."""

from __future__ import annotations

import os
import shutil

from usage_core import Tracker
from usage_core._delivery.folder import Folder, Queue
from usage_core._local import variable_prefix
from usage_core.commands._tracker import recorder_of

__all__ = ["erase_tree", "folder_of", "known_folder", "names_of", "outboxes_of"]


def folder_of(tracker: Tracker) -> Folder:
    """Return the folder of *tracker*; raises `FileNotFoundError` where there is no home for it."""
    folder = known_folder(tracker)
    if folder is None:
        variable = f"{variable_prefix(tracker.app)}_WORK_DIR"
        raise FileNotFoundError(
            f"there is no home folder, so nothing is recorded or stored; {variable} can name one"
        )
    return folder


def known_folder(tracker: Tracker) -> Folder | None:
    """Return the folder of *tracker*; None where there is no home for it."""
    folder = recorder_of(tracker).folder
    return None if folder is None else Folder(folder.root)


def names_of(spool: Queue) -> list[str]:
    """Return the names of the records of *spool*; none where it cannot be looked into."""
    try:
        return spool.names()
    except OSError:
        return []


def outboxes_of(folder: Folder) -> list[str]:
    """Return the names of the transports that have an outbox, sorted."""
    try:
        with os.scandir(folder.outboxes) as entries:
            return sorted(entry.name for entry in entries if entry.is_dir())
    except OSError:
        return []


def erase_tree(path: str) -> bool:
    """Erase the folder at *path*; return whether there was one. Raises `OSError`.

    It goes in one step for whoever is just writing into it, so nothing is left half erased.
    """
    passing = f"{path}.{os.getpid()}.gone"
    try:
        os.rename(path, passing)
    except FileNotFoundError:
        return False
    shutil.rmtree(passing)
    return True
