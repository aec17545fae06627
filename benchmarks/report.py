"""The report: run every benchmark and put what it prints into docs/benchmarks.md.

    python -m benchmarks.report [--only NAME,…] [--write-only]

The page is written by hand around the figures: each block between `<!-- begin NAME -->` and
`<!-- end NAME -->` is replaced by the last output that has this name. Blocks and pictures of what
was never measured here stay as they are.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import budgets, plots
from benchmarks.results import FOLDER

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
ALL = ("peers", "faults", "queues", "growth", "floor", "fleet")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("--only", default=",".join(ALL))
    parser.add_argument("--write-only", action="store_true", help="measure nothing")
    options = parser.parse_args()
    for name in () if options.write_only else options.only.split(","):
        print(f"\n# {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
    for make in (budgets.main, plots.commands, plots.growth, plots.fleet):
        try:
            make()
        except FileNotFoundError as missing:
            print(f"{make.__module__}.{make.__name__} is left as it was: no {missing.filename}")
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")


def filled(page: str) -> str:
    """Return *page* with every block that was measured replaced."""

    def block(found: re.Match[str]) -> str:
        measured = FOLDER / f"{found[1]}.md"
        if not measured.exists():
            return found[0]
        text = measured.read_text("utf-8").strip()
        return f"<!-- begin {found[1]} -->\n\n{text}\n\n<!-- end {found[1]} -->"

    return re.sub(r"<!-- begin (\S+) -->.*?<!-- end \1 -->", block, page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
