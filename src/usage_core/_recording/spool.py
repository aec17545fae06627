"""Spool: a folder of small JSON files, oldest first. The journal is one, each outbox another."""

from __future__ import annotations

import os

from usage_core._recording import files

__all__ = ["LARGEST", "ROOM", "Spool"]

LARGEST = 32 * 1024
"""A record has at most this many bytes."""

UNIT = 4 * 1024
ROOM = 1000
"""A spool has room for this many units of 4 KiB; a record takes at least one."""

_FILL = ".fill"
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


class Spool:
    """A folder of records, each a file `<name>.json`; names sort as they are to be taken out.

    Any number of processes may `put` at once; only the holder of the lock takes anything out.
    The folder comes into being with the first record.
    """

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        """Return where the record *name* lies, whether or not it does."""
        return os.path.join(self.folder, f"{name}.json")

    def put(self, name: str, text: str, *, always: bool = False, sync: bool = False) -> bool:
        """Write a record; return False, having written nothing, when the spool is full.

        With *always*, a full spool takes it too: what changes an identity is never refused for
        room. With *sync* it outlives a power cut, not only the process. Raises `OSError` when the
        disk refuses and `ValueError` for a record over `LARGEST`.
        """
        data = text.encode("ascii")
        if len(data) > LARGEST:
            raise ValueError(f"a record of {len(data)} bytes, more than {LARGEST}")
        try:
            taken = self._take_room(len(data), always)
        except FileNotFoundError:
            files.make_folder(self.folder)
            taken = self._take_room(len(data), always)
        if taken:
            files.write(self.path(name), data, sync=sync)
        return taken

    def names(self) -> list[str]:
        """Return the names of all records, oldest first; none where there is no folder."""
        try:
            found = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name[:-5] for name in found if name[:1] != "." and name.endswith(".json"))

    def read(self, name: str) -> bytes:
        """Return the text of a record; raises `OSError` if it is not a file of a record's size."""
        return files.read(self.path(name), most=LARGEST)

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
                        units += _units(entry.stat(follow_symlinks=False).st_size)
            mark = os.open(os.path.join(self.folder, _FILL), os.O_WRONLY | _CAREFULLY)
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
                files.remove(entry.path)

    def _take_room(self, size: int, always: bool) -> bool:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _CAREFULLY
        mark = os.open(os.path.join(self.folder, _FILL), flags, 0o600)
        try:
            units = _units(size)
            taken = os.lseek(mark, 0, os.SEEK_END)
            if taken + units > ROOM and not always:
                return False
            if taken == 0 and hasattr(os, "fchmod"):
                os.fchmod(mark, 0o600)  # whatever the umask says
            os.write(mark, b"." * units)
            return True
        finally:
            os.close(mark)


def _units(size: int) -> int:
    return max(1, -(-size // UNIT))
