"""A plug-in in trouble: the others go on, events arrive, and the command never notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import Machine

GOOD = """
from usage_core import hookimpl
@hookimpl
def usage_delivered(messages):
    with open({out!r}, "a") as file:
        file.writelines(m.properties["command_name"] + "\\n" for m in messages)
"""
LISTENER = """
from usage_core import hookimpl
@hookimpl
def usage_delivered(messages):
    {code}
@hookimpl
def usage_principal(credential, timeout):
    {code}
"""
RAISE, EXIT = "raise RuntimeError('no')", "import sys; sys.exit(3)"
HANG = "import time; time.sleep(600)"

# Its source, and what is told of it.
TROUBLES = {
    "raises": (LISTENER.format(code=RAISE), "RuntimeError: no"),
    "calls sys.exit": (LISTENER.format(code=EXIT), "SystemExit: 3"),
    "hangs": (LISTENER.format(code=HANG), "HungError"),
    "raises when it is imported": (RAISE, "RuntimeError('no')"),
    "calls sys.exit when it is imported": (EXIT, "SystemExit(3)"),
    "hangs when it is imported": (HANG, "HungError"),
    "is no Python": ("this is no python", "SyntaxError"),
    "is not there": (None, "ModuleNotFoundError"),
}


def name_plugins(toolbox: Machine, folder: Path, **sources: str | None) -> None:
    """Have the author name these plug-ins, of which one without a source is not there."""
    for name, source in sources.items():
        if source is not None:
            (folder / f"{name}.py").write_text(source)
    toolbox.settings["plugins"] = list(sources)
    toolbox.environ["PYTHONPATH"] = str(folder)


@pytest.mark.fault("output", "a plug-in that {trouble}", "the author names it, before another")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_plug_in_in_trouble_stops_no_other(
    toolbox: Machine, tmp_path: Path, trouble: str
) -> None:
    source, tells = TROUBLES[trouble]
    heard = tmp_path / "heard"
    name_plugins(toolbox, tmp_path, bad=source, good=GOOD.format(out=str(heard)))
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)

    assert ["one"] == toolbox.names()
    assert ["one"] == heard.read_text().split()
    assert "plug-in bad" in str(toolbox.health())
    assert tells in str(toolbox.health())


@pytest.mark.fault("output", "a plug-in that calls os._exit when it is imported", "four runs of it")
def test_a_plug_in_that_ends_every_worker_costs_no_event(toolbox: Machine, tmp_path: Path) -> None:
    name_plugins(toolbox, tmp_path, bad="import os; os._exit(3)")
    for number in range(4):
        toolbox.run("ok", f"command-{number}")
        wait_until(lambda: toolbox.worker() is None)
        toolbox.end_pause()
    assert 4 == len(toolbox.records())

    toolbox.settings["plugins"] = []
    toolbox.run("ok", "last")
    toolbox.settle()
    assert [*(f"command-{number}" for number in range(4)), "last"] == toolbox.names()


@pytest.mark.fault("output", "a plug-in that is to redact, and raises", "the author names it")
def test_what_could_not_be_redacted_does_not_leave(toolbox: Machine, tmp_path: Path) -> None:
    source = """
from usage_core import hookimpl
@hookimpl
def usage_before_send(message):
    if message.properties["command_name"] == "private":
        raise RuntimeError("no")
    return message
"""
    name_plugins(toolbox, tmp_path, redactor=source)
    toolbox.run("ok", "private")
    toolbox.run("ok", "two")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    assert ["two"] == toolbox.names()
    assert "plug-in redactor" in str(toolbox.health())


@pytest.mark.fault(
    "output", "a plug-in that prints and warns", "an installed plug-in, both streams"
)
def test_what_a_plug_in_prints_is_seen_by_nobody(toolbox: Machine, tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import sys, warnings\n"
        "from usage_core import hookimpl\n"
        "print('LOUD'); print('LOUD', file=sys.stderr)\n"
        "@hookimpl\n"
        "def usage_before_send(message):\n"
        "    print('LOUD'); warnings.warn('LOUD')\n"
        "    sys.__stderr__.write('LOUD')\n"
        "    return message\n"
    )
    toolbox.settings["plugins"] = ["loud"]
    toolbox.environ["PYTHONPATH"] = str(tmp_path)
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()
