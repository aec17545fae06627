"""On systems that lack something: it is taken away from the processes that run the tool."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from cli import Toolbox, wait_until


def finish(toolbox: Toolbox) -> None:
    wait_until(lambda: toolbox.worker() is None, "the worker lives on")


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
        from usage_core import _local
        os.path, os.name = ntpath, "nt"
        ntpath.isdir = lambda path: path == r"C:\\Users\\alice"
        os.environ = {"USERPROFILE": r"C:\\Users\\alice"}
        def folder(**more): return _local.default_folder("my-tool", {**os.environ, **more})
        print(folder())
        print(folder(MY_TOOL_WORK_DIR="D:\\\\work"))
        print(folder(MY_TOOL_WORK_DIR="work"))
        print(_local.machine_file("my-tool", os.environ))
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
