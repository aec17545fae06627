"""A transport in trouble: its messages wait for one that works, and the command never notices."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import dedent

import pytest

from cli import wait_until
from faults.machine import Machine
from faults.table import came_elsewhere

TRANSPORT = """
    {at_import}
    from usage_core import Transport, hookimpl

    class Trying(Transport):
        def send(self, batch, *, timeout):
            {at_send}
            with open({out!r}, "a") as file:
                file.writelines(m.properties["command_name"] + "\\n" for m in batch)

        def close(self):
            {at_close}

    @hookimpl
    def usage_transport(options):
        {at_making}
        return Trying()
"""
RAISE, EXIT, DIE = "raise RuntimeError('no')", "import sys; sys.exit(3)", "import os; os._exit(3)"
HANG, KILL = "import time; time.sleep(600)", "import os; os.kill(os.getpid(), 9)"
PRINT = "import sys; print('LOUD'); print('LOUD', file=sys.stderr); raise RuntimeError('no')"

# What it does wrong; where; the code; what is told of it, if anybody lives to tell.
TROUBLES = {
    "raises": ("at_send", RAISE, "RuntimeError('no')"),
    "calls sys.exit": ("at_send", EXIT, "SystemExit(3)"),
    "calls os._exit": ("at_send", DIE, ""),
    "kills its process": ("at_send", KILL, ""),
    "hangs": ("at_send", HANG, "HungError"),
    "prints, and raises": ("at_send", PRINT, "RuntimeError('no')"),
    "raises when it is made": ("at_making", RAISE, "no"),
    "calls sys.exit when it is made": ("at_making", EXIT, "3"),
    "hangs when it is made": ("at_making", HANG, "no answer within"),
    "turns out to be a number": ("at_making", "return 5", "not a Transport"),
    "raises when it is imported": ("at_import", RAISE, "no"),
    "calls sys.exit when it is imported": ("at_import", EXIT, "3"),
    "hangs when it is imported": ("at_import", HANG, "no answer within"),
}


@pytest.mark.fault("output", "a transport that {trouble}", "an installed distribution")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_transport_in_trouble_loses_nothing(
    toolbox: Machine, tmp_path: Path, trouble: str
) -> None:
    where, code, tells = TROUBLES[trouble]
    out, site = tmp_path / "out", tmp_path / "site"
    install(site, out, **{where: code})
    toolbox.environ["PYTHONPATH"] = str(site)
    toolbox.settings.update(transport="trying", options={})
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.worker() is None)
    assert 1 == len(toolbox.records())
    assert tells in str(toolbox.health())

    install(site, out)
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == out.read_text().split()
    came_elsewhere(*out.read_text().split())


@pytest.mark.fault("output", "a transport that {trouble} when it is closed", "two commands")
@pytest.mark.parametrize(
    ("trouble", "code"), [("raises", RAISE), ("calls sys.exit", EXIT), ("hangs", HANG)]
)
def test_a_transport_in_trouble_at_its_end_has_delivered(
    toolbox: Machine, tmp_path: Path, trouble: str, code: str
) -> None:
    out, site = tmp_path / "out", tmp_path / "site"
    install(site, out, at_close=code)
    toolbox.environ["PYTHONPATH"] = str(site)
    toolbox.settings.update(transport="trying", options={})
    for name in ("one", "two"):
        toolbox.run("ok", name)
        toolbox.settle()
        wait_until(lambda: toolbox.worker() is None)
    assert ["one", "two"] == out.read_text().split()
    assert "close: " in str(toolbox.health())
    came_elsewhere(*out.read_text().split())


def install(site: Path, out: Path, **codes: str) -> None:
    """Install the transport `trying`, whose messages come to *out*."""
    information = site / "usage_trying-1.dist-info"
    information.mkdir(parents=True, exist_ok=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: usage-trying\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[usage.transports]\ntrying = trying\n")
    places = ("at_import", "at_making", "at_send", "at_close")
    code = {place: codes.get(place, "pass") for place in places}
    source = dedent(TRANSPORT).format(**code, out=str(out))
    (site / "trying.py").write_text(f"# {time.time_ns()}\n{source}")  # no stale bytecode
