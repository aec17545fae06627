"""The notice: said once on standard error, before anything is sent."""

from __future__ import annotations

import os
import sys
import time

from usage_core._local import make_folder, read_file

__all__ = ["is_known", "show"]


def is_known(path: str, text: str) -> bool:
    """Say whether this very *text* was shown on this machine before."""
    try:
        return any(shown == _line(text) for _, shown in _marks(path))
    except OSError:
        return False


def show(path: str, text: str) -> bool:
    """Show *text* where a person sees it and return True; else False, and nothing is remembered.

    Only a terminal counts as seen. The mark is written before the text: a notice that cannot be
    remembered would be shown for ever, so it is not shown, and nothing is recorded. Where several
    first commands run at once, the one whose mark comes first shows it.
    """
    try:
        if not sys.stderr.isatty():
            return False
        make_folder(os.path.dirname(path))
        mine = b"%d-%d" % (os.getpid(), time.time_ns())
        _append(path, b"%b %b\n" % (mine, _line(text)))
        if mine == next(mark for mark, shown in _marks(path) if shown == _line(text)):
            sys.stderr.write(f"{text}\n")
    except (
        AttributeError,
        OSError,
        StopIteration,
        ValueError,
    ):  # no standard error, or a closed one
        return False
    return True


def _line(text: str) -> bytes:
    return " ".join(text.split()).encode("utf-8", "replace")


def _marks(path: str) -> list[tuple[bytes, bytes]]:
    lines = read_file(path, most=64 * 1024).split(b"\n")
    return [(mark, shown) for mark, _, shown in (line.partition(b" ") for line in lines)]


def _append(path: str, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(handle, 0o600)  # whatever the umask says
        os.write(handle, line)  # one write: lines of several processes do not mix
    finally:
        os.close(handle)
