"""Programs other than the toolbox that hold a tracker, written by a test and run as processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

from faults.machine import Machine
from faults.table import saw

START = """
import ast, os, sys, time
from usage_core import Tracker
settings = ast.literal_eval(os.environ["TOOLBOX"])
print("before", flush=True)
tracker = Tracker("toolbox", **{"version": "1", "transport": "posthog", **settings})
def workers():
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(process))
        except OSError:
            pass
    return found
def wait_for_ends():
    for worker in workers():
        os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
"""


def host(toolbox: Machine, folder: Path, source: str, *before: str, events: int) -> None:
    """Run *source*, which records so many events, as a program that has a tracker."""
    script = folder / "host.py"
    script.write_text(f'{START}{dedent(source)}\nprint("after")\n')
    done = ran(toolbox, *before, sys.executable, str(script))
    assert 0 == done.returncode, done.stderr
    saw(("burst", str(events)), done)


def ran(toolbox: Machine, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=toolbox.full_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
