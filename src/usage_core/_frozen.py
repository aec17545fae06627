"""A tool that was made one program (by PyInstaller, say): it runs again as its own worker."""

import os
import sys

__all__ = ["be_the_worker_if_started_as_one", "command"]

_GUARD = "_USAGE_CORE_WORKER"
"""Set for the program that is to be the worker; `Tracker` looks at it before all else."""


def be_the_worker_if_started_as_one() -> None:
    """Do not return where this process was started to be the worker."""
    if os.environ.pop(_GUARD, None):
        from usage_core._delivery.process import main_frozen

        main_frozen()


def command(environ: dict[bytes, bytes]) -> tuple[list[str], dict[bytes, bytes]]:
    """Return the arguments and the environment that start this very program as the worker."""
    # The second is PyInstaller's: one file unpacks again, as it outlives what it unpacked to.
    more = {_GUARD.encode(): b"1", b"PYINSTALLER_RESET_ENVIRONMENT": b"1"}
    return [sys.executable], {**environ, **more}
