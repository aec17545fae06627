"""Small private files in a folder that others may have touched: written whole, read in bounds."""

from __future__ import annotations

import os
import stat

__all__ = ["is_foreign", "make_folder", "read", "remove", "write"]

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hold whoever opens it
_BINARY = getattr(os, "O_BINARY", 0)


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


def write(path: str, data: bytes, *, sync: bool = False, mtime: float | None = None) -> None:
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
