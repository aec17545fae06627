"""Stage: the systems under test with their servers on loopback, and the homes they start from."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import attrs

from benchmarks import leftovers
from benchmarks.environments import System
from benchmarks.measure import Case, here
from benchmarks.receiver import Receiver

__all__ = ["Stage", "stage"]

# A file that this project and Arcade's CLI both read.
_CREDENTIALS = """\
cloud:
  coordinator_url: {url}
  auth:
    access_token: token
    refresh_token: token
    expires_at: 2099-01-01T00:00:00Z
"""


@attrs.define
class Stage:
    """The collector of every system, the auth API, and a folder for what is kept meanwhile."""

    collector: Receiver
    auth: Receiver
    folder: Path

    def environ(self, system: System) -> dict[str, str]:
        """Return what a command needs to run under *system* here."""
        return {
            "BENCH_SYSTEM": system.name,
            "BENCH_COLLECTOR": self.collector.url,
            "BENCH_AUTH": self.auth.url,
        }

    def bare(self, system: System, host: str) -> Case:
        """Return *host* without tracking, in the environment of *system*."""
        return Case(f"{system.name} none", f"host_{host}", python=system.python)

    def tracked(self, system: System, host: str) -> Case:
        """Return *host* under *system*, in a home where it ran before."""
        used = self.folder / f"used-{system.name}-{host}"
        case = Case(
            system.name,
            f"host_{host}",
            python=system.python,
            environ=self.environ(system),
            prepare=partial(shutil.copytree, used, dirs_exist_ok=True),
        )
        if not used.exists():
            used.mkdir()
            here(case, used)
            leftovers.collect()
        return case

    def log_in(self, home: Path) -> None:
        """Put credentials into *home* of which no system knows yet whose they are."""
        for app in (".bench", ".arcade"):
            (home / app).mkdir(exist_ok=True)
            (home / app / "credentials.yaml").write_text(_CREDENTIALS.format(url=self.auth.url))


@contextmanager
def stage() -> Generator[Stage]:
    """Set the stage; what our children leave behind is ours from here on."""
    leftovers.adopt()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        with Receiver() as collector, Receiver() as auth:
            try:
                yield Stage(collector, auth, Path(folder))
            finally:
                leftovers.end()
