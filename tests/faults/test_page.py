"""The page of the hostile world: whole, and of nothing but what is tested."""

from __future__ import annotations

import os
import subprocess
import sys

from faults.table import CLASSES, PAGE, page_rows


def rows_of_tests() -> list[tuple[str, ...]]:
    """Return the class, fault and production of every test that is marked as a fault."""
    root = PAGE.parents[1]
    quietly = ["-p", "no:xdist", "-qq", "--collect-only"]
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", *quietly, "--list-faults", "-m", "fault", *marked()],
        cwd=root,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("\t") for line in collected.stdout.splitlines()]
    return [tuple(line[1:]) for line in lines if line[0] == "fault:"]


def marked() -> list[str]:
    """The test modules that hold a fault."""
    tests = PAGE.parents[1] / "tests"
    return [str(path) for path in tests.rglob("test_*.py") if "mark.fault(" in path.read_text()]


def test_the_page_has_a_row_for_each_fault_and_no_other() -> None:
    tested = {(fault, produced) for _, fault, produced in rows_of_tests()}
    cells = [row.split(" | ") for row in page_rows() if row.startswith("| ")]
    published = [(row[0].removeprefix("| "), row[1]) for row in cells if row[0] != "| fault"]

    assert tested == set(published)
    assert 80 <= len(published)


def test_the_page_has_a_section_for_each_class() -> None:
    counts = {group: len([row for row in rows_of_tests() if row[0] == group]) for group in CLASSES}
    assert 0 not in counts.values()
    for group in CLASSES:
        assert f"## {group.capitalize()} (" in PAGE.read_text()
