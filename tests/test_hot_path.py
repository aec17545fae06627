"""The command's half stays small: what it imports, touches and starts."""

from __future__ import annotations

import ast
import gc
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import click
import pytest

import usage_core
from cli import Toolbox, wait_until
from usage_core import Tracker
from usage_core.testing.behaviour import hang

SOURCE = Path(usage_core.__file__).parent
HEAVY = {
    "__future__",
    "_json",
    "attr",
    "attrs",
    "filelock",
    "httpx",
    "json",
    "pluggy",
    "posthog",
    "re",
    "yaml",
}
HEAVY |= {"importlib.metadata", "subprocess", "threading", "typing", "urllib.request", "uuid"}


def test_a_process_that_only_records_has_imported_nothing_heavy(toolbox: Toolbox) -> None:
    toolbox.run("ok", "the first command on a machine looks for its transport")
    done = toolbox.run("modules", "second")
    loaded = set(done.stdout.splitlines()[1].split())

    assert "usage_core._recorder" in loaded
    # Some Pythons load `re` for `ast`, which the tool needs itself.
    own = [sys.executable, "-c", "import ast, sys; print(*sys.modules)"]
    loaded -= set(subprocess.run(own, capture_output=True, text=True, check=True).stdout.split())
    assert set() == HEAVY & loaded
    assert not [name for name in loaded if name.startswith(("usage_core._id", "usage_core._del"))]


def test_a_command_loads_few_modules_and_one_that_may_record_nothing_fewer(
    toolbox: Toolbox,
) -> None:
    """Each costs the command as much as a hundred and fifty lines of code."""
    asks = {"usage_core", "usage_core._local"}
    records = {"usage_core._recorder"}
    toolbox.run("ok", "the first command on a machine looks for its transport")

    assert asks | records == ours(toolbox.run("modules", "second").stdout)
    assert asks == ours(toolbox.run("modules", "no", DO_NOT_TRACK="1").stdout)


@pytest.mark.parametrize("framework", ["typer", "click", "argparse"])
def test_an_instrumented_command_loads_few_modules_more(toolbox: Toolbox, framework: str) -> None:
    adapter = "_argparse" if framework == "argparse" else "_click"
    asks = {"usage_core", "usage_core._local", "usage_core.adapters"}
    asks |= {f"usage_core.adapters.{adapter}"}
    if framework == "argparse":
        asks |= {"usage_core._exits"}

    assert asks == ours(toolbox.run("instrument", framework, DO_NOT_TRACK="1").stdout)


def test_what_was_made_of_a_class_serves_again_and_is_not_kept_beyond_it() -> None:
    """Else the interpreter's last garbage collection has the whole app to go through."""

    class Own(click.Command):
        pass

    tracker = Tracker("toolbox", version="1", transport="null")
    one, two = Own("one"), Own("two")
    for command in (one, two):
        tracker.instrument(command)
    made, gone = type(one), weakref.ref(Own)
    assert Own is not made
    assert made is type(two)

    del Own, made, one, two, command
    gc.collect()
    assert gone() is None


def ours(output: str) -> set[str]:
    """The modules of usage-core that the tool says it has loaded."""
    loaded = output.splitlines()[1].split()
    return {name for name in loaded if name.partition(".")[0] == "usage_core"}


def modules(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((SOURCE / folder).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """The modules that a file imports, at its top or in a function, for use or for types."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


# All beside the front door but `_messages`, which a transport is given.
COMMAND = sorted({*SOURCE.glob("_*.py")} - {SOURCE / "_messages.py"})


@pytest.mark.parametrize("path", COMMAND, ids=lambda p: p.name)
def test_a_command_knows_nothing_of_identity_nor_of_third_parties(path: Path) -> None:
    packages = {name.partition(".")[0] for name in imports(path)}
    ours = {name for name in imports(path) if name.startswith("usage_core._")}

    assert packages <= set(sys.stdlib_module_names) | {"usage_core"}
    assert not {name for name in ours if name.startswith("usage_core._identity")}
    # The doors to the other half are functions, opened for an inline or an unknown transport and by
    # a program that is its own worker.
    top = {name for name in ours if name.startswith("usage_core._delivery")}
    assert not top or path.name in ("__init__.py", "_frozen.py", "_recorder.py")


@pytest.mark.parametrize("path", modules("_identity"), ids=lambda p: p.name)
def test_identity_knows_nothing_of_delivery(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("usage_core._delivery")]


@pytest.mark.parametrize("name", ["usage_posthog", "usage_null", "usage_stdout"])
def test_a_transport_imports_public_names_only_and_the_core_no_transport(name: str) -> None:
    for path in (SOURCE.parent / name).glob("*.py"):
        private = [n for n in imports(path) if n.startswith("usage_core._")]
        assert [] == private, path
    core = {n for path in SOURCE.rglob("*.py") for n in imports(path)}
    assert not [n for n in core if n.partition(".")[0] == name]


def test_a_command_opens_no_socket_and_takes_no_lock(toolbox: Toolbox) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    lock = toolbox.state / "usage" / "lock"
    lock.unlink()
    toolbox.collector.behave(hang())
    requests = len(toolbox.collector.requests)
    # A lease that stands: no worker is started, so whatever happens, the command did.
    lease = toolbox.state / "usage" / "lease"
    lease.write_text("")
    os.utime(lease, (time.time() + 600,) * 2)
    toolbox.run("ok", "two")

    assert not lock.exists()
    assert requests == len(toolbox.collector.requests)
    assert 1 == len(toolbox.records())
