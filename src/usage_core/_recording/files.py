"""Small private files in a folder that others may have touched, and two that mean something.

A `Spool` is a folder of records: the journal is one, each outbox another. A `Lease` is a file that
says until when no worker is to be started.
"""

import os
import stat

__all__ = [
    "LARGEST",
    "LONGEST",
    "ROOM",
    "Lease",
    "Spool",
    "is_foreign",
    "make_folder",
    "read",
    "remove",
    "write",
]

LARGEST = 32 * 1024
"""A record has at most this many bytes."""

UNIT = 4 * 1024
ROOM = 1000
"""A spool has room for this many units of 4 KiB; a record takes at least one."""

LONGEST = 7200.0
"""A lease with more seconds than this to go counts as none: the clock was set back."""

_FILL = ".fill"
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hold whoever opens it
_BINARY = getattr(os, "O_BINARY", 0)


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
            make_folder(self.folder)
            taken = self._take_room(len(data), always)
        if taken:
            write(self.path(name), data, sync=sync)
        return taken

    def names(self) -> "list[str]":
        """Return the names of all records, oldest first; none where there is no folder."""
        try:
            found = os.listdir(self.folder)
        except FileNotFoundError:
            return []
        return sorted(name[:-5] for name in found if name[:1] != "." and name.endswith(".json"))

    def read(self, name: str) -> bytes:
        """Return the text of a record; raises `OSError` if it is not a file of a record's size."""
        return read(self.path(name), most=LARGEST)

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
            mark = os.open(os.path.join(self.folder, _FILL), os.O_WRONLY | _NOFOLLOW | _NONBLOCK)
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
                remove(entry.path)

    def _take_room(self, size: int, always: bool) -> bool:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NOFOLLOW | _NONBLOCK
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


class Lease:
    """A file whose modification time is the moment that the lease ends.

    Its content is the number of the worker's process; empty while nobody works and the collector
    is given time to recover.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def stands(self, now: float) -> bool:
        """Say whether it holds at *now* (seconds since 1970): no worker is to be started."""
        try:
            end = os.stat(self.path).st_mtime
        except OSError:
            return False
        return now < end <= now + LONGEST and self._holder_lives()

    def holder(self) -> "int | None":
        """Return the process that works under this lease; None when nobody does."""
        try:
            holder = int(read(self.path, most=20))
        except (OSError, ValueError):
            return None
        return holder if 0 < holder < 1 << 31 else None

    def take(self, end: float, holder: "int | None" = None) -> None:
        """Let it stand until *end* (seconds since 1970), for the process *holder* or as a pause."""
        write(self.path, b"" if holder is None else b"%d" % holder, mtime=end)

    def lift(self) -> None:
        """End it now."""
        remove(self.path)

    def _holder_lives(self) -> bool:
        holder = self.holder()
        if holder is None or os.name != "posix":  # on Windows, kill(pid, 0) is not a question
            return True
        try:
            os.kill(holder, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True
        return True


def make_folder(folder: str) -> None:
    """Make *folder* and the missing ones above it, each for its owner alone (0700)."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = os.path.dirname(folder)
        if above == folder:
            raise
        make_folder(above)
        make_folder(folder)
        return
    os.chmod(folder, 0o700)  # the umask may have taken the owner's own rights


def is_foreign(path: str) -> bool:
    """Say whether *path*, or the folder that it would be made in, is another user's.

    What is root's counts as everybody's. Another user could swap what lies there for a link of
    theirs, and root, who can write anywhere, would follow it.
    """
    if not hasattr(os, "geteuid"):
        return False
    try:
        owners = {os.lstat(path).st_uid, os.stat(path).st_uid}
    except FileNotFoundError:
        above = os.path.dirname(path)
        return above != path and is_foreign(above)
    except OSError:
        return False
    return not owners <= {0, os.geteuid()}


def read(path: str, *, most: int) -> bytes:
    """Return what the regular file at *path* holds.

    Raises `OSError` for anything else that may lie there (a folder, a FIFO, a device) and for a
    file of more than *most* bytes, which is not read at all.
    """
    handle = os.open(path, os.O_RDONLY | _NONBLOCK | _BINARY)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"not a regular file: {path}")
        if found.st_size > most:
            raise OSError(f"larger than {most} bytes: {path}")
        pieces: list[bytes] = []
        while piece := os.read(handle, most + 1):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)


def write(path: str, data: bytes, *, sync: bool = False, mtime: "float | None" = None) -> None:
    """Put *data* at *path* in one step, readable by its owner alone (0600).

    A reader sees the old content or the new, never a part, and with *mtime* (seconds since 1970)
    its modification time with it. With *sync* the data is on the disk before the name is. Raises
    `OSError` and leaves nothing behind when it cannot be done.
    """
    folder, name = os.path.split(path)
    passing = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        _create(passing, data, sync)
        if mtime is not None:
            os.utime(passing, (mtime, mtime))
        os.replace(passing, path)
    except OSError:
        remove(passing)
        raise


def _create(path: str, data: bytes, sync: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:  # left by a process of our number that was killed
        os.unlink(path)
        handle = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(handle, 0o600)  # whatever the umask says
        if os.write(handle, data) != len(data):
            raise OSError(f"no room for {len(data)} bytes: {path}")
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: str) -> None:
    """Remove the file at *path* if it is there and can be removed."""
    try:
        os.unlink(path)
    except OSError:
        pass


def _units(size: int) -> int:
    return max(1, -(-size // UNIT))
