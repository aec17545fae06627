"""Wherever a tool is run from, and however Python was started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipapp
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from textwrap import dedent

import pytest

from cli import TOOLBOX, Toolbox, wait_until

SOURCES = TOOLBOX.parents[1] / "src"
Run = Callable[..., subprocess.CompletedProcess[str]]


def execute(
    toolbox: Toolbox, *command: str | Path, cwd: Path | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)),
        env=toolbox.full_environment(**environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        stdin=subprocess.DEVNULL,
    )


def finish(toolbox: Toolbox) -> None:
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")


# However Python was started.

FLAGS = {
    "isolated": ["-I"],
    "no environment": ["-E"],
    "safe path": ["-P"],
    "no user site": ["-s"],
    "optimised": ["-OO"],
    "warnings are errors": ["-W", "error"],
    "warnings about bytes": ["-bb"],
    "development mode": ["-X", "dev"],
    "no utf-8 mode": ["-X", "utf8=0"],
}
VARIABLES = {
    "PYTHONSAFEPATH": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONIOENCODING": "utf-16",
    "PYTHONINSPECT": "1",
    "PYTHONOPTIMIZE": "2",
    "PYTHONDEVMODE": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONPATH": "/nowhere",
    "PYTHONUNBUFFERED": "1",
    "PYTHONHASHSEED": "0",
    "LC_ALL": "C",
}


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_events_arrive_whatever_flags_python_was_given(toolbox: Toolbox, flags: list[str]) -> None:
    for word in ("one", "two"):
        done = execute(toolbox, sys.executable, *flags, TOOLBOX, "ok", word)
        assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    toolbox.settle()

    assert ["one", "two"] == toolbox.names()


@pytest.mark.parametrize("name", VARIABLES)
def test_events_arrive_whatever_python_is_told_by_the_environment(
    toolbox: Toolbox, name: str
) -> None:
    for word in ("one", "two"):
        subprocess.run(
            [sys.executable, str(TOOLBOX), "ok", word],
            env=toolbox.full_environment(**{name: VARIABLES[name]}),
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
        )
    toolbox.settle()

    assert ["one", "two"] == toolbox.names()


@pytest.mark.parametrize("value", ["''", "None"])
def test_an_interpreter_that_does_not_know_its_own_path_keeps_the_fact(
    toolbox: Toolbox, value: str
) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    finish(toolbox)
    code = f"import sys, toolbox; sys.executable = {value}; toolbox.main('ok', 'two')"
    done = execute(toolbox, sys.executable, "-c", code, PYTHONPATH=str(TOOLBOX.parent))
    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert 1 == len(toolbox.records())

    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.names()


@pytest.mark.parametrize(
    "home",
    [
        "with blanks and 'quotes\"",
        "h\u00f6me-\u4e2d-\U0001f600",
        "line\nbreak",
        os.fsdecode(b"\xff"),
    ],
)
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_a_home_of_any_name_is_as_good(
    toolbox: Toolbox, tmp_path: Path, home: str, locale: str
) -> None:
    toolbox.home = tmp_path / home
    toolbox.home.mkdir()
    toolbox.settings["credentials"] = None
    environ = toolbox.full_environment(LC_ALL=locale)
    words = [sys.executable, str(TOOLBOX), "login", "alice"]
    subprocess.run(words, env=environ, check=True, capture_output=True)
    toolbox.settle()

    assert ["alice"] == [event["distinct_id"] for event in toolbox.captures()]
    assert "alice" == toolbox.identity()["linked_principal_id"]


# Wherever the tool is run from.

TRANSPORT = """
    from pathlib import Path
    from usage_core import Transport, hookimpl

    class FileTransport(Transport):
        def __init__(self, path):
            self.path = Path(path)

        def send(self, batch, *, timeout):
            with self.path.open("a") as file:
                for message in batch:
                    print(message.properties["command_name"], file=file)

    @hookimpl
    def usage_transport(options):
        return FileTransport(options["path"])
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A zipapp that has everything in it: the tool, the core, what it needs, a transport."""
    tree = tmp_path / "tree"
    tree.mkdir()
    shutil.copytree(SOURCES / "usage_core", tree / "usage_core")
    for name in ("attrs", "pluggy", "filelock"):
        for file in distribution(name).files or ():
            if not file.name.endswith(".pyc") and ".." not in file.parts:
                (tree / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), tree / file)
    (tree / "usage_file.py").write_text(dedent(TRANSPORT))
    information = tree / "usage_file-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: usage-file\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[usage.transports]\nfile = usage_file\n")
    (tree / "__main__.py").write_text(TOOLBOX.read_text())
    zipapp.create_archive(tree, tmp_path / "tool.pyz", sys.executable, compressed=True)
    shutil.rmtree(tree)
    return tmp_path / "tool.pyz"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """The interpreter of an environment in which nothing is installed."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=os.name == "posix")
    return scripts(tmp_path / "bare") / "python"


def scripts(environment: Path) -> Path:
    base = {"base": str(environment), "platbase": str(environment)}
    return Path(sysconfig.get_path("scripts", "venv", base))


@pytest.mark.parametrize("way", ["absolute", "relative", "itself", "link", "isolated"])
def test_a_zipapp_brings_its_worker_along(
    toolbox: Toolbox, tmp_path: Path, bundle: Path, bare: Path, way: str
) -> None:
    out = tmp_path / "out.txt"
    toolbox.settings.update(transport="file", options={"path": str(out)})
    toolbox.settings.update(credentials=None, whoami=None)
    link = tmp_path / "link"
    link.symlink_to(bundle)
    words: dict[str, list[str | Path]] = {
        "absolute": [bare, bundle],
        "relative": [bare, bundle.name],
        "itself": [bundle],
        "link": [bare, link],
        "isolated": [bare, "-I", bundle],
    }
    if way == "itself":
        bundle.write_bytes(b"#!%s\n" % os.fsencode(bare) + bundle.read_bytes().partition(b"\n")[2])
    for word in ("one", "two"):
        execute(toolbox, *words[way], "ok", word, cwd=tmp_path)
    toolbox.settle()

    assert ["one", "two"] == out.read_text().split()


def install(environment: Path) -> Path:
    """Make an environment of its own for the tool, as pipx does; return the tool in it."""
    venv.create(environment, with_pip=False, symlinks=os.name == "posix")
    base = {"base": str(environment), "platbase": str(environment)}
    packages = Path(sysconfig.get_path("purelib", "venv", base))
    here = [str(SOURCES), *(path for path in sys.path if path.endswith("site-packages"))]
    (packages / "here.pth").write_text("\n".join(here))
    shutil.copy(TOOLBOX, packages / "toolbox.py")
    tool = scripts(environment) / "toolbox"
    tool.write_text(
        f"#!{scripts(environment) / 'python'}\n"
        "import sys\n"
        "from toolbox import main\n"
        "sys.exit(main(*sys.argv[1:]))\n"
    )
    tool.chmod(0o755)
    return tool


def test_a_tool_in_an_environment_of_its_own_is_run_through_a_link(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    link = tmp_path / "bin" / "toolbox"
    link.parent.mkdir()
    link.symlink_to(install(tmp_path / "venvs" / "toolbox"))
    for word in ("one", "two"):
        execute(toolbox, link, "ok", word)
    toolbox.settle()

    assert ["one", "two"] == toolbox.names()


def test_an_environment_that_is_deleted_while_the_worker_starts_loses_nothing(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    environment = tmp_path / "venv"
    for word in ("one", "two", "three"):
        tool = install(environment)
        done = execute(toolbox, tool, "ok", word)
        shutil.rmtree(environment)
        assert ("before\nafter\n", "") == (done.stdout, done.stderr)
        finish(toolbox)
        (toolbox.state / "usage" / "lease").unlink(missing_ok=True)

    execute(toolbox, install(environment), "ok", "four")
    toolbox.settle()
    assert ["one", "two", "three", "four"] == list(
        {
            event["uuid"]: event["properties"]["command_name"] for event in toolbox.captures()
        }.values()
    )
