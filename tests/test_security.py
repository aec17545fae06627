"""What other users of a machine could try, and what a folder that somebody is in could hold.

Each attack of the page on security is made for real.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli import TOOLBOX, Toolbox, wait_until
from faults.machine import NOBODY, Machine, as_user, needs_root

TOKEN = "sk-live-0123456789abcdef"
STRANGER = 12345

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes are POSIX's")


def finish(toolbox: Toolbox) -> None:
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")


# A malicious current folder.

LIBRARIES = (
    *("json", "uuid", "random", "threading", "platform", "logging", "queue", "email"),
    *("attr", "attrs", "pluggy", "filelock", "httpx", "httpcore", "h11", "anyio", "yaml"),
    *("posthog", "requests", "urllib3", "certifi", "idna", "backoff", "usage_posthog"),
    # Imported where they are installed: what nobody has is easiest to stand in for.
    *("brotli", "brotlicffi", "zstandard", "socks", "simplejson", "chardet", "h2", "cryptography"),
    *("sitecustomize", "usercustomize"),
)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A folder with a file named like each module that a worker may import; they leave a trace."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    trace = f"""
import sys
if "usage-worker" in sys.orig_argv:
    open({str(folder / "executed")!r}, "a").write(__name__ + " ")
"""
    for name in LIBRARIES:
        (folder / f"{name}.py").write_text(trace)
    (folder / "x.pth").write_text("import " + ", ".join(LIBRARIES))
    return folder


# Where the words of the command go, and what leads Python to the tool.
WAYS = {
    "script": ([str(TOOLBOX)], ""),
    "PYTHONPATH-empty": ([str(TOOLBOX)], os.pathsep),
    "PYTHONPATH-dot": ([str(TOOLBOX)], "."),
    "PYTHONPATH-absolute": ([str(TOOLBOX)], "{trap}"),
    "-m": (["-m", "toolbox"], str(TOOLBOX.parent)),
    "-m-and-chdir": (
        ["-c", "import usage_core, os, toolbox; os.chdir('/'); toolbox.main('ok', 'two')"],
        str(TOOLBOX.parent) + os.pathsep,
    ),
    "-c": (["-c", "import sys, toolbox; toolbox.main('ok', 'two')"], str(TOOLBOX.parent)),
    "path-inserted": (
        ["-c", "import sys; sys.path.insert(0, ''); import toolbox; toolbox.main('ok', 'two')"],
        str(TOOLBOX.parent),
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_in_the_current_folder_is_ever_imported(
    toolbox: Toolbox, trap: Path, way: str
) -> None:
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")  # after it, commands know their transport and look for nothing
    toolbox.settle()
    finish(toolbox)

    words, path = WAYS[way]
    environ = {"PYTHONPATH": path.format(trap=trap)} if path else {}
    subprocess.run(
        [sys.executable, *words, *([] if "-c" in words else ["ok", "two"])],
        env=toolbox.full_environment(**environ),
        cwd=trap,
        check=True,
        capture_output=True,
    )
    toolbox.settle()
    finish(toolbox)

    assert ["one", "two"] == toolbox.names()
    assert not (trap / "executed").exists(), (trap / "executed").read_text()


def test_a_file_beside_a_script_never_stands_in_for_a_library(toolbox: Toolbox, trap: Path) -> None:
    """A script's folder is importable, as Python has it, but behind everything installed."""
    toolbox.run("ok", "one")
    toolbox.settle()
    finish(toolbox)
    installed = [name for name in LIBRARIES if name not in absent()]
    for name in set(LIBRARIES) - set(installed):
        (trap / f"{name}.py").unlink()
    script = trap / "tool.py"
    script.write_text(
        "import sys\nsys.path.insert(0, '/nowhere')\n"
        + TOOLBOX.read_text().replace("from __future__ import annotations", "")
    )
    link = trap.parent / "link"
    link.symlink_to(trap)
    for path in (script, link / "tool.py"):
        subprocess.run(
            [sys.executable, str(path), "ok", "two"],
            env=toolbox.full_environment(),
            check=True,
            capture_output=True,
        )
    toolbox.settle()
    finish(toolbox)

    assert ["one", "two", "two"] == toolbox.names()
    assert not (trap / "executed").exists(), (trap / "executed").read_text()


def absent() -> set[str]:
    """The libraries that are not installed where the tests run."""
    from importlib.util import find_spec

    return {name for name in LIBRARIES if find_spec(name) is None}


def test_a_program_that_is_led_to_by_the_current_folder_finds_its_own_plug_ins(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    """`python -m tool` in the tool's own tree: the folder is trusted, and comes last."""
    tree = tmp_path / "tree"
    (tree / "tool").mkdir(parents=True)
    (tree / "tool" / "__init__.py").touch()
    (tree / "tool" / "__main__.py").write_text(TOOLBOX.read_text())
    (tree / "tool" / "who.py").write_text(
        "from usage_core import hookimpl\n"
        "@hookimpl\n"
        "def usage_principal(credential, timeout):\n"
        "    return 'dora'\n"
    )
    toolbox.settings["plugins"] = ["tool.who"]
    subprocess.run(
        [sys.executable, "-m", "tool", "ok", "one"],
        env=toolbox.full_environment(),
        cwd=tree,
        check=True,
        capture_output=True,
    )
    toolbox.settle()

    assert ["dora"] == [event["distinct_id"] for event in toolbox.captures()]


# Other users of the machine.


def modes(folder: Path) -> set[tuple[str, int]]:
    return {
        ("folder" if path.is_dir() else "file", stat.S_IMODE(path.stat().st_mode))
        for path in [folder, *folder.rglob("*")]
    }


@posix
@pytest.mark.parametrize("umask", ["000", "022", "077", "777"])
def test_every_file_is_for_its_owner_alone_whatever_the_umask(
    toolbox: Toolbox, tmp_path: Path, umask: str
) -> None:
    machine = Machine(toolbox.home, toolbox.collector, toolbox.auth)
    machine.around = ["sh", "-c", f'umask {umask}; exec "$@"', "sh"]
    machine.run("login", "alice")
    machine.run("ok", "one")
    (machine.state / "usage.json").write_text("no identity")
    machine.run("ok", "two")
    machine.settle()
    finish(machine)

    assert ["login", "one", "two"] == machine.names()
    assert {("folder", 0o700), ("file", 0o600)} == modes(machine.state)


@needs_root
@pytest.mark.parametrize("umask", ["000", "777"])
def test_a_umask_that_takes_everything_costs_an_ordinary_user_nothing(
    toolbox: Toolbox, umask: str
) -> None:
    import shutil
    import tempfile

    public = Path(tempfile.mkdtemp(prefix="usage-security-"))
    try:
        public.chmod(0o755)
        home = public / "home"
        home.mkdir(mode=0o700)
        os.chown(home, NOBODY, NOBODY)
        machine = Machine(home, toolbox.collector, toolbox.auth)
        machine.around = [*as_user(NOBODY), "sh", "-c", f'umask {umask}; exec "$@"', "sh"]
        for name in ("one", "two"):
            machine.run("ok", name)
        machine.settle()
        finish(machine)

        assert ["one", "two"] == machine.names()
        assert {("folder", 0o700), ("file", 0o600)} == modes(machine.state)
    finally:
        shutil.rmtree(public)


@needs_root
@pytest.mark.parametrize("what", ["", ".toolbox", ".toolbox/usage"], ids=["home", "root", "usage"])
def test_nothing_is_recorded_in_a_folder_of_somebody_else(toolbox: Toolbox, what: str) -> None:
    """Who owns a folder can swap anything in it for a link, and root would write through it."""
    place = toolbox.home / what
    place.mkdir(exist_ok=True, parents=True)
    os.chown(place, STRANGER, STRANGER)
    before = toolbox.files()
    done = toolbox.run("login", "alice")

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert before == toolbox.files()
    assert not toolbox.collector.requests


@needs_root
def test_nothing_is_recorded_behind_somebody_elses_link(toolbox: Toolbox, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    toolbox.state.symlink_to(target)
    os.lchown(toolbox.state, STRANGER, STRANGER)
    toolbox.run("ok", "one")

    assert [] == list(target.iterdir())


@needs_root
def test_an_identity_that_somebody_else_wrote_is_nobodys(toolbox: Toolbox) -> None:
    """A folder that a group may write to is common; who is in it cannot say who we are."""
    toolbox.state.mkdir(mode=0o775)
    forged = toolbox.state / "usage.json"
    forged.write_text(
        '{"anon_id": "5a1f1f0e-7c53-4c43-9d6d-6f8e64c7b6a1", "linked_principal_id": "mallory"}'
    )
    os.chown(forged, STRANGER, STRANGER)
    toolbox.run("ok", "one")
    toolbox.settle()

    (event,) = toolbox.captures()
    assert event["properties"]["is_anon"] is True
    assert "5a1f1f0e-7c53-4c43-9d6d-6f8e64c7b6a1" != event["distinct_id"]


OURS = (
    *("lock", "lease", "health.json", "in_hand", "sent.jsonl"),
    *("journal/.fill", "outbox/posthog/.fill"),
)


@posix
@pytest.mark.parametrize("name", [*OURS, "../usage.json", "transports/posthog"])
@pytest.mark.parametrize("exists", [True, False], ids=["there", "nowhere"])
def test_no_link_leads_a_write_out_of_the_folder(
    toolbox: Toolbox, tmp_path: Path, name: str, exists: bool
) -> None:
    precious = tmp_path / "precious"
    if exists:
        precious.write_text("precious")
    link = toolbox.state / "usage" / name
    (toolbox.state / "usage").mkdir(parents=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(precious)
    for word in ("one", "two"):
        toolbox.run("ok", word)
        finish(toolbox)
        with contextlib.suppress(OSError):
            (toolbox.state / "usage" / "lease").unlink()

    if name == "../usage.json" and not exists:  # a link of one's own stays one
        assert precious.read_text().startswith("{")
    else:
        assert exists == precious.exists()
        assert not exists or "precious" == precious.read_text()


@posix
@pytest.mark.parametrize("name", ["lock", "lease", "health.json", "in_hand", "../usage.json"])
def test_a_file_that_has_another_name_elsewhere_is_not_written_through(
    toolbox: Toolbox, tmp_path: Path, name: str
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious")
    path = toolbox.state / "usage" / name
    (toolbox.state / "usage").mkdir(parents=True)
    os.link(precious, path)
    toolbox.run("ok", "one")
    finish(toolbox)

    assert "precious" == precious.read_text()


def test_every_test_that_the_page_names_is_there() -> None:
    tests = Path(__file__).parent
    page = (tests.parent / "docs" / "security.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    paths = set(re.findall(r"`(tests/[\w/.]+)`", page))
    source = "".join(path.read_text() for path in tests.rglob("test_*.py"))

    assert len(named) > 20
    assert [] == [name for name in named if f"def {name}(" not in source]
    assert [] == [path for path in paths if not (tests.parent / path).exists()]
