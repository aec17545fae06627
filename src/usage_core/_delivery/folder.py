"""The state folder as the worker, and the person who looks into it, sees it.

A command knows where to put a fact and nothing of what becomes of it: `_local` has that half.
"""

from __future__ import annotations

import os

from usage_core._local import (
    LARGEST,
    StateFolder,
    open_mark,
    put_record,
    read_file,
    record_path,
    remove_file,
    units_of,
)

__all__ = ["Folder", "Queue"]


class Folder(StateFolder):
    """All files of one app: `usage.json` for anyone to read, and a folder `usage` that is ours."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.facts = Queue(self.journal)
        self.identity = os.path.join(self.root, "usage.json")
        """Who the events belong to, in the two keys that other programs may read and ours."""
        self.lock = os.path.join(self.usage, "lock")
        """Held by whoever changes the identity or takes records out."""
        self.ledger = os.path.join(self.usage, "sent.jsonl")
        """What left this machine."""
        self.health = os.path.join(self.usage, "health.json")
        """How delivery went of late, and what a plug-in or a file did wrong."""
        self.in_hand = os.path.join(self.usage, "in_hand")
        """The record that somebody else's code is working on, in case it kills the worker."""
        self.aside = os.path.join(self.usage, "aside")
        """The folder of what could not be read or used."""

    def outbox(self, transport: str) -> Queue:
        """Messages that this transport has not delivered yet."""
        return Queue(os.path.join(self.outboxes, transport))


class Queue:
    """A spool: a folder of records, each a file `<name>.json`, taken out in the order of names.

    Any number of processes may `put` at once; only the holder of the lock takes anything out.
    """

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        """Return where the record *name* lies, whether or not it does."""
        return record_path(self.folder, name)

    def put(self, name: str, text: str, *, always: bool = False, sync: bool = False) -> bool:
        """Write a record, as `put_record` does."""
        return put_record(self.folder, name, text, always=always, sync=sync)

    def names(self) -> list[str]:
        """Return the names of all records, oldest first; none where there is no folder.

        A listing may miss a record that comes while it runs and show a later one (POSIX `readdir`):
        a login without the logout before it. So what a first listing showed says how far to look,
        and a second one, which cannot miss what came before that, says what is there.
        """
        newest = max(self._list(), default="")
        return sorted(name for name in self._list() if name <= newest) if newest else []

    def read(self, name: str) -> bytes:
        """Return the text of a record; raises `OSError` if it is not a file of a record's size."""
        return read_file(self.path(name), most=LARGEST)

    def remove(self, name: str) -> None:
        """Remove a record; it is no error if someone else did."""
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            pass

    def recount(self) -> None:
        """Measure the records and set the fill mark right: for the holder of the lock.

        The mark is one byte for each unit taken, so that a command learns how full the spool is
        without listing the folder; removals do not touch it, nor does a process that was killed.
        """
        units = 0
        try:
            with os.scandir(self.folder) as entries:
                for entry in entries:
                    if entry.name[:1] != ".":
                        units += units_of(entry.stat(follow_symlinks=False).st_size)
            mark = open_mark(self.folder, os.O_WRONLY)
            try:
                os.ftruncate(mark, units)
            finally:
                os.close(mark)
        except FileNotFoundError:
            pass

    def sweep(self, before_ns: int) -> None:
        """Remove what processes killed in the middle of a `put` before that moment left behind."""
        try:
            entries = list(os.scandir(self.folder))
        except FileNotFoundError:
            return
        for entry in entries:
            if (
                entry.name.endswith(".tmp")
                and entry.stat(follow_symlinks=False).st_mtime_ns < before_ns
            ):
                remove_file(entry.path)

    def _list(self) -> list[str]:
        try:
            found = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return [name[:-5] for name in found if name[:1] != "." and name.endswith(".json")]
