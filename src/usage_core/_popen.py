"""Start the worker where `posix_spawn` cannot: on Windows, and on old systems."""

from __future__ import annotations

import os
import subprocess
import sys

__all__ = ["popen"]


def popen(arguments: list[str], environ: dict[bytes, bytes], data: bytes) -> int:
    """Start a worker with *data* on its standard input, as `_recorder.start` does."""
    windows = sys.platform == "win32"
    process = subprocess.Popen(
        arguments,
        env={os.fsdecode(name): os.fsdecode(value) for name, value in environ.items()},
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
