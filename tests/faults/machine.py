"""Where faults are made: accounts, mounts, namespaces, and code that runs inside our processes."""

from __future__ import annotations

import functools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest

import usage_core
from cli import TOOLBOX, Toolbox

NOBODY = 65534


@functools.cache
def _may_unshare() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "true"],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        return False
    return os.geteuid() == 0 and done.returncode == 0


needs_root = pytest.mark.skipif(
    not _may_unshare(), reason="needs root, and a machine where root may mount and unshare"
)


@attrs.define
class Machine(Toolbox):
    """A toolbox whose commands run where something is wrong: *around* is what they are run by."""

    around: Sequence[str] = ()

    def command(self, *words: str) -> list[str]:
        return [*self.around, sys.executable, str(TOOLBOX), *words]

    def worker(self) -> int | None:
        """The worker that lives, or dies and is not reaped yet: no other process of its number."""
        process = super().worker()
        try:
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
            parent = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            return None
        is_dying = words == [b""] and parent not in ("0", "2")  # these are the kernel's
        return process if b"usage-worker" in words or is_dying else None

    def names_waiting(self) -> list[str]:
        return [path.name for path in self.records()]

    def lease(self) -> Path:
        return self.state / "usage" / "lease"

    def pause(self) -> None:
        """Let it be too early for a worker, as after a failed delivery."""
        (self.state / "usage").mkdir(parents=True, exist_ok=True)
        self.lease().touch()
        end = time.time() + 1800
        os.utime(self.lease(), (end, end))

    def counted(self) -> list[str]:
        """The commands that arrived, once for each uuid and timestamp, in order."""
        seen = {
            (e["uuid"], e["timestamp"]): e["properties"]["command_name"] for e in self.captures()
        }
        return list(seen.values())

    def inject(self, folder: Path, source: str) -> None:
        """Have every Python process of this toolbox run *source* first."""
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(source)
        self.environ["PYTHONPATH"] = str(folder)

    def count_workers(self, folder: Path) -> Path:
        """Have every worker write its number into the file that is returned."""
        log = folder / "workers"
        log.touch(mode=0o666)
        self.inject(
            folder / "site",
            "import os, sys\n"
            "if 'usage-worker' in sys.orig_argv:\n"
            f"    log = os.open({str(log)!r}, os.O_WRONLY | os.O_APPEND)\n"
            "    os.write(log, b'%d\\n' % os.getpid())\n"
            "    os.close(log)\n",
        )
        return log


def limited(*limits: str) -> list[str]:
    """Run what follows under these limits of `ulimit`, such as `-f 0`."""
    return ["sh", "-c", f'ulimit {" && ulimit ".join(limits)} && exec "$@"', "limited"]


def apart(script: str, *namespaces: str) -> list[str]:
    """Run what follows in namespaces of its own, after the shell commands in *script*."""
    flags = [f"--{name}" for name in namespaces]
    return ["unshare", *flags, "sh", "-ec", f'{script}\nexec "$@"', "apart"]


def as_user(number: int, script: str = "") -> list[str]:
    """Run what follows as another user of this machine, from whom only files are kept.

    Where the interpreter or the sources lie behind a folder that is closed to others, that folder
    looks in their mount namespace as if it held nothing else. *script* runs before, as root.
    """
    needed = {sys.base_prefix, sys.prefix, str(TOOLBOX.parent), str(sources())}
    hidden = sorted(path for path in needed if _closed(Path(path)))
    held = [(shlex.quote(path), f'"$held_{index}"') for index, path in enumerate(hidden)]
    lines = [script]
    for place, hold in held:
        lines += [f"{hold[2:-1]}=$(mktemp -d); mount --bind {place} {hold}"]
    for closed in sorted({str(_closed(Path(path))) for path in hidden}):
        lines += [f"mount -t tmpfs -o mode=755 open {shlex.quote(closed)}"]
    for place, hold in held:
        lines += [f"mkdir -p {place}; mount --move {hold} {place}; rmdir {hold}"]
    user = f"setpriv --reuid {number} --regid {number} --clear-groups"
    return [*apart("\n".join(lines), "mount"), *user.split()]


def sources() -> Path:
    """Where the distributions lie: installed, or in the tree."""
    return Path(usage_core.__file__).parents[1]


def _closed(path: Path) -> Path | None:
    for folder in [*reversed(path.resolve().parents), path.resolve()]:
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


@attrs.define
class Disks:
    """Small file systems in memory, gone at the end of the test."""

    folder: Path
    mounted: list[Path] = attrs.field(factory=list[Path])

    def mount(self, options: str = "size=1m") -> Path:
        place = self.folder / f"disk-{len(self.mounted)}"
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
        self.mounted.append(place)
        return place

    def unmount(self) -> None:
        for place in self.mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)
