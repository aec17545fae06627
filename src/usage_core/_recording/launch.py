"""Start the worker, when the lease says that one is due.

It is a process of its own, which outlives the command and holds nothing of it.
"""

from __future__ import annotations

import os
import sys

from usage_core._recording import files

__all__ = ["GUARD", "LONGEST", "Lease", "reap", "start"]

GUARD = "_USAGE_CORE_WORKER"
"""Set for a frozen app that runs again as its own worker; `Tracker` looks at it before all else."""

_BOOT = """\
import json, sys
config = json.load(sys.stdin.buffer)
sys.path[:] = config["path"]
from usage_core._delivery.process import main
main(config)
"""

LONGEST = 7200.0
"""A lease with more seconds than this to go counts as none: the clock was set back."""


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

    def holder(self) -> int | None:
        """Return the process that works under this lease; None when nobody does."""
        try:
            holder = int(files.read(self.path, most=20))
        except (OSError, ValueError):
            return None
        return holder if 0 < holder < 1 << 31 else None

    def take(self, end: float, holder: int | None = None) -> None:
        """Let it stand until *end* (seconds since 1970), for the process *holder* or as a pause."""
        files.write(self.path, b"" if holder is None else b"%d" % holder, mtime=end)

    def lift(self) -> None:
        """End it now."""
        files.remove(self.path)

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


def start(config: str, environ: dict[str, str]) -> int:
    """Start a worker with *config* (JSON text, at most 60 KiB) and return its process number.

    It gets the configuration through a pipe: nothing is in its arguments or its environment. It
    is in a session of its own with the null device for output, so neither a closing terminal nor a
    pipe that waits for the command's end notices it. Raises `OSError` where it cannot be started.
    """
    if not sys.executable:
        raise OSError("this interpreter does not know its own path")
    if getattr(sys, "frozen", False):
        # The second is PyInstaller's: one file unpacks again, as it outlives what it unpacked to.
        environ = {**environ, GUARD: "1", "PYINSTALLER_RESET_ENVIRONMENT": "1"}
        arguments = [sys.executable]
    else:
        # -P: the folder that the user is in is never importable.
        isolation = "-I" if sys.flags.isolated else "-P"
        arguments = [sys.executable, isolation, "-c", _BOOT, "usage-worker"]
    data = config.encode("ascii")
    if len(data) > 60 * 1024:  # what any pipe takes at once
        raise OSError("the worker's configuration is too long")
    if hasattr(os, "posix_spawn"):
        try:
            return _spawn(arguments, environ, data)
        except NotImplementedError:  # no POSIX_SPAWN_SETSID on this system
            pass
    return _popen(arguments, environ, data)


def reap(process: int) -> bool:
    """Collect *process*, started here, if it has ended; say whether it is gone."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except (AttributeError, ChildProcessError):  # Windows; somebody else collected it
        return True


def _spawn(arguments: list[str], environ: dict[str, str], data: bytes) -> int:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        if os.write(writer, data) != len(data):
            raise OSError("the pipe to the worker is too small")
        return os.posix_spawn(
            arguments[0],
            arguments,
            environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=(),
        )
    finally:
        os.close(reader)
        os.close(writer)


def _popen(arguments: list[str], environ: dict[str, str], data: bytes) -> int:
    import subprocess

    windows = sys.platform == "win32"
    process = subprocess.Popen(
        arguments,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=not windows,
        # Never DETACHED_PROCESS: without a console, whatever the worker started would open one.
        creationflags=0x08000000 | 0x00000200 if windows else 0,
    )
    if process.stdin is not None:  # it is: a pipe was asked for
        process.stdin.write(data)
        process.stdin.close()
    process.returncode = 0  # nobody waits for it, so no ResourceWarning is due
    return process.pid
