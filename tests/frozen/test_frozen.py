"""A tool that PyInstaller made one folder or one file of: the worker is the tool, run again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli import Toolbox, wait_until

pytest.importorskip("PyInstaller", reason="a session of its own: python3 noxfile.py -s frozen")

# A Tracker at the top of the program: before it looks at its arguments, or does anything else.
TOOL = """
import os, sys

with open(os.environ["STARTS"], "a") as file:
    print(os.getpid(), *sys.argv[1:], file=file)

from usage_core import Tracker

tracker = Tracker(
    "toolbox",
    version="1.2.3",
    transport="posthog",
    options={"api_key": "phc_test", "host": os.environ["COLLECTOR"]},
)
if len(sys.argv) < 2:
    raise SystemExit("what is to be done?")
with tracker.command(sys.argv[1]):
    print("done")
"""


@pytest.fixture(scope="module", params=["--onedir", "--onefile"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen")
    (folder / "tool.py").write_text(TOOL)
    subprocess.run(
        [
            *[sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level=ERROR"],
            # What docs/portability.md tells authors to add, and no more.
            *["--hidden-import=usage_posthog", "--copy-metadata=usage-posthog"],
            *[request.param, "tool.py"],
        ],
        cwd=folder,
        check=True,
    )
    made = folder / "dist" / "tool"
    return made / "tool" if request.param == "--onedir" else made


def starts(toolbox: Toolbox) -> list[str]:
    """How often the program was started, and with what."""
    lines = Path(toolbox.environ["STARTS"]).read_text().splitlines()
    return [line.partition(" ")[2] for line in lines]


def test_a_frozen_tool_delivers_with_one_more_process_and_no_end_of_them(
    toolbox: Toolbox, tmp_path: Path, program: Path
) -> None:
    toolbox.environ |= {"STARTS": str(tmp_path / "starts"), "COLLECTOR": toolbox.collector.url}
    for word in ("one", "two", "three"):
        done = subprocess.run(
            [program, word],
            env=toolbox.full_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("done\n", "") == (done.stdout, done.stderr)
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")

    assert ["one", "two", "three"] == toolbox.names()
    commands = [words for words in starts(toolbox) if words]
    workers = [words for words in starts(toolbox) if not words]
    assert ["one", "two", "three"] == commands
    assert 1 <= len(workers) <= 3


def test_a_frozen_tool_that_is_deleted_while_its_worker_starts_loses_nothing(
    toolbox: Toolbox, tmp_path: Path, program: Path
) -> None:
    toolbox.environ |= {"STARTS": str(tmp_path / "starts"), "COLLECTOR": toolbox.collector.url}
    copy = tmp_path / "copy"
    shutil.copytree(program.parent, copy)
    words = [str(copy / program.name), "one"]
    subprocess.run(words, env=toolbox.full_environment(), check=True)
    shutil.rmtree(copy)
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")
    (toolbox.state / "usage" / "lease").unlink(missing_ok=True)
    subprocess.run([str(program), "two"], env=toolbox.full_environment(), check=True)
    toolbox.settle()

    arrived = {e["uuid"]: e["properties"]["command_name"] for e in toolbox.captures()}
    assert ["one", "two"] == list(arrived.values())
