"""Break the core in one line at a time and see that the tests notice: `python run.py [WORD…]`.

Each fault goes into a copy of `src`, which an environment of its own puts before everything else,
so that worker processes are broken too. Ends with an error if a fault goes unnoticed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from table import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 900
PASSED, FAILED = 0, 1


def main(words: list[str]) -> int:
    """Try the faults whose names hold one of *words*, or all; return how many went unnoticed."""
    chosen = [m for m in MUTATIONS if not words or any(word in m.name for word in words)]
    tests = sorted({test for mutation in chosen for test in mutation.tests})
    whole = run(None, tests)
    if whole.returncode != PASSED:
        raise SystemExit(f"{whole.stdout}\nthe tests do not even pass without a fault")
    with ThreadPoolExecutor(2) as pool:
        noticed = list(pool.map(is_noticed, chosen))
    say(f"{sum(noticed)} of {len(noticed)} faults were noticed")
    return len(noticed) - sum(noticed)


def is_noticed(mutation: Mutation) -> bool:
    """Run the tests that should notice; say what came of it."""
    began = time.monotonic()
    code = run(mutation, mutation.tests).returncode
    words = {PASSED: "NOT NOTICED", FAILED: "noticed"}.get(code, f"pytest ended with {code}")
    say(f"{words:12} {time.monotonic() - began:5.0f} s  {mutation.name}")
    return code == FAILED


def say(line: str) -> None:
    """Tell whoever waits for it."""
    print(line, flush=True)  # this is a program


def run(mutation: Mutation | None, tests: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run *tests* on the core with that fault in it; return how pytest ended and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        python = environment(mutation, Path(folder))
        command = [python, "-m", "pytest", "-x", "-q", "-o", f"cache_dir={folder}/cache"]
        try:
            return subprocess.run(
                [*command, *tests],
                cwd=ROOT,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "UNSHRUNK": "1"},
                capture_output=True,
                text=True,
                timeout=LONGEST,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(command, FAILED, "it took too long")


def environment(mutation: Mutation | None, folder: Path) -> str:
    """Make an environment with a core of its own, broken or not; return its Python."""
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    if mutation is not None:
        file = folder / "src" / "usage_core" / mutation.file
        text = file.read_text()
        if text.count(mutation.old) != 1:
            raise SystemExit(f"{mutation.name}: found {text.count(mutation.old)} times in {file}")
        file.write_text(text.replace(mutation.old, mutation.new))

    venv.create(folder / "env", symlinks=os.name != "nt")
    base = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    packages = Path(sysconfig.get_path("purelib", vars=base))
    first = [str(folder / "src"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    packages.joinpath("own.pth").write_text("\n".join(first))
    suffix = sysconfig.get_config_var("EXE") or ""
    return str(Path(sysconfig.get_path("scripts", vars=base)) / f"python{suffix}")


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 1))
