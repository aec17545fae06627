"""Wherever a tool is run from, however Python was started, and on systems that lack something."""

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


# On systems that lack something. What differs is taken away in the processes that run the tool.


@pytest.fixture
def lacking(toolbox: Toolbox, tmp_path: Path) -> Callable[[str], None]:
    """Have every process of the toolbox, the worker too, run this source before all else."""

    def lacking(source: str) -> None:
        folder = tmp_path / "site"
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(dedent(source))
        toolbox.environ["PYTHONPATH"] = str(folder)

    return lacking


NOT_ON_WINDOWS = (
    *("posix_spawn", "fchmod", "getsid", "nice", "geteuid", "getuid", "WNOHANG"),
    *("O_NOFOLLOW", "O_NONBLOCK", "statvfs"),
)


@pytest.mark.parametrize("name", [*NOT_ON_WINDOWS, "all of them"])
def test_nothing_that_windows_lacks_is_needed(
    toolbox: Toolbox, lacking: Callable[[str], None], name: str
) -> None:
    names = NOT_ON_WINDOWS if name == "all of them" else (name,)
    lacking(f"""
        import filelock._unix, os, subprocess, types
        # Not ours: filelock has another half for Windows, and is left with what it needs here.
        filelock._unix.os = types.SimpleNamespace(**vars(os))
        for name in {names!r}:
            delattr(os, name)
        """)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("login")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["login", "one"] == toolbox.names()
    assert {"alice"} == {event["distinct_id"] for event in toolbox.captures()}


def test_on_windows_the_worker_opens_no_window_and_hears_no_interrupt(
    toolbox: Toolbox, lacking: Callable[[str], None], tmp_path: Path
) -> None:
    """No console of its own, not the console's process group, and not `DETACHED_PROCESS`."""
    toolbox.run("ok", "one")
    toolbox.settle()
    finish(toolbox)
    seen = tmp_path / "seen"
    lacking(f"""
        import os, subprocess, sys
        if "usage-worker" not in sys.orig_argv:
            class Popen(subprocess.Popen):
                def __init__(self, arguments, *, creationflags, start_new_session, **rest):
                    with open({str(seen)!r}, "a") as file:
                        print(hex(creationflags), start_new_session, sorted(rest), file=file)
                    super().__init__(arguments, start_new_session=True, **rest)
            subprocess.Popen = Popen
            del os.posix_spawn, os.fchmod, os.geteuid, os.getsid
            os.name, sys.platform = "nt", "win32"
        """)
    done = toolbox.run("ok", "two", PROGRAMDATA=str(tmp_path / "ProgramData"))
    toolbox.settle()

    create_no_window, create_new_process_group, detached_process = 0x08000000, 0x200, 0x8
    flags, session, rest = seen.read_text().split(maxsplit=2)
    assert create_no_window | create_new_process_group == int(flags, 16)
    assert not int(flags, 16) & detached_process
    assert ("False", "['env', 'stderr', 'stdin', 'stdout']") == (session, rest.strip())
    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert ["one", "two"] == toolbox.names()


def test_on_windows_the_machines_choice_is_looked_for_where_windows_keeps_such(
    toolbox: Toolbox, lacking: Callable[[str], None], tmp_path: Path
) -> None:
    choice = tmp_path / "ProgramData" / "toolbox" / "usage"
    choice.parent.mkdir(parents=True)
    choice.write_text("off")
    lacking("""
        import os
        os.name = "nt"
        """)
    toolbox.run("ok", "one", PROGRAMDATA=str(tmp_path / "ProgramData"))

    assert not toolbox.state.exists()


def test_on_windows_the_state_folder_is_in_the_users_profile() -> None:
    code = """
        import ntpath, os
        from usage_core._recording import consent, state
        os.path, os.name = ntpath, "nt"
        ntpath.isdir = lambda path: path == r"C:\\Users\\alice"
        os.environ = {"USERPROFILE": r"C:\\Users\\alice"}
        print(state.default_folder("my-tool", os.environ))
        print(state.default_folder("my-tool", {**os.environ, "MY_TOOL_WORK_DIR": "D:\\\\work"}))
        print(state.default_folder("my-tool", {**os.environ, "MY_TOOL_WORK_DIR": "work"}))
        print(consent.machine_file("my-tool", os.environ))
        """
    done = subprocess.run(
        [sys.executable, "-c", dedent(code)], capture_output=True, text=True, check=True
    )
    assert [
        r"C:\Users\alice\.my-tool",
        r"D:\work\.my-tool",
        "None",
        r"C:\ProgramData\my-tool\usage",
    ] == done.stdout.splitlines()


def test_a_system_that_cannot_spawn_into_a_session_of_its_own_has_another_way(
    toolbox: Toolbox, lacking: Callable[[str], None]
) -> None:
    """As macOS before 10.15: `posix_spawn` is there, and `setsid` in it is not."""
    lacking("""
        import os
        def posix_spawn(*_, setsid=False, **__):
            assert setsid
            raise NotImplementedError
        os.posix_spawn = posix_spawn
        """)
    toolbox.run("ok", "one")
    worker = toolbox.worker()
    assert worker is not None
    assert worker == os.getsid(worker)
    toolbox.settle()

    assert ["one"] == toolbox.names()


def test_a_file_that_another_program_has_open_is_replaced_later(
    toolbox: Toolbox, lacking: Callable[[str], None], tmp_path: Path
) -> None:
    """As on Windows, where a file that somebody reads cannot be replaced: nothing is lost."""
    marker = tmp_path / "open"
    marker.touch()
    lacking(f"""
        import os
        real = os.replace
        def replace(source, target):
            if str(target).endswith("usage.json") and os.path.exists({str(marker)!r}):
                raise PermissionError(13, "Access is denied", target)
            real(source, target)
        os.replace = replace
        """)
    toolbox.run("ok", "one")
    wait_until(lambda: toolbox.health().get("failures"))
    finish(toolbox)
    marker.unlink()
    (toolbox.state / "usage" / "lease").unlink()
    toolbox.run("ok", "two")
    toolbox.settle()

    assert ["one", "two"] == toolbox.names()
    assert {toolbox.identity()["anon_id"]} == {e["distinct_id"] for e in toolbox.captures()}
