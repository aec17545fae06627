"""No lower layer can switch on what a higher one switched off, and what cannot be read is a no."""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import wait_until
from usage_core._local import decide
from usage_core.testing import AuthApi
from usage_machine import Machine
from usage_posthog.collector import Collector

# From the top. Each variable with values that say no, and values that do not.
Layer: TypeAlias = tuple[str, list[str], list[str | None]]
GUARD: Layer = ("PYTEST_CURRENT_TEST", ["a test (call)", ""], [None])
OTHER_GUARD: Layer = ("PYTEST_VERSION", ["9.2.0"], [None])
TRACK: Layer = (
    "DO_NOT_TRACK",
    ["1", "true", "YES", "on", "please", "2"],
    [None, "", "0", "No", "off"],
)
DISABLED: Layer = ("USAGE_DISABLED", ["1", "True", "y"], [None, "", "0", "FALSE", " no "])
OWN: Layer = (
    "TOOL_USAGE_TRACKING",
    ["0", "off", "No", "log", "disabled"],
    [None, "", "1", "On", "YES"],
)
VARIABLES = [GUARD, OTHER_GUARD, TRACK, DISABLED, OWN]

# What a file may hold.
NO = [b"off", b"0\n", b"no", b"FALSE", b"", b"maybe", b"\xff\xfe", b"on off", b"on" + b" " * 70]
YES = [None, b"on\n", b"1", b"Yes", b" TRUE "]


def write(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        path.write_bytes(content)


def test_the_highest_no_decides_over_every_combination_of_layers(tmp_path: Path) -> None:
    machine, choice = tmp_path / "machine", tmp_path / "choice"
    layers = len(VARIABLES) + 2
    for pattern in itertools.product([True, False], repeat=layers):
        environ = {}
        for (name, says_no, silent), no in zip(VARIABLES, pattern, strict=False):
            value = says_no[0] if no else silent[-1]
            if value is not None:
                environ[name] = value
        for path, no in zip((machine, choice), pattern[-2:], strict=True):
            write(path, b"off" if no else b"on")

        decision = decide("tool", environ, str(choice), str(machine))

        names = [name for name, _, _ in VARIABLES] + [str(machine), str(choice)]
        first = next((name for name, no in zip(names, pattern, strict=True) if no), None)
        expected = (False, first) if first else (True, "TOOL_USAGE_TRACKING")
        assert expected == decision


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        (name, value, allowed)
        for name, says_no, silent in VARIABLES
        for allowed, values in ((False, says_no), (True, silent))
        for value in values
    ],
)
def test_every_spelling_of_a_variable_means_what_it_says(
    tmp_path: Path, name: str, value: str | None, allowed: bool
) -> None:
    environ = {} if value is None else {name: value}

    said, by = decide("tool", environ, str(tmp_path / "choice"), str(tmp_path / "machine"))

    assert allowed == said
    assert allowed or name == by


@pytest.mark.parametrize("layer", ["choice", "machine"])
@pytest.mark.parametrize(
    ("content", "allowed"), [*((c, False) for c in NO), *((c, True) for c in YES)]
)
def test_every_content_of_a_file_means_what_it_says(
    tmp_path: Path, layer: str, content: bytes | None, allowed: bool
) -> None:
    write(tmp_path / layer, content)

    decision = decide("tool", {}, str(tmp_path / "choice"), str(tmp_path / "machine"))

    source = "default" if allowed else str(tmp_path / layer)
    assert (allowed, source) == decision


def a_folder(path: Path) -> None:
    path.mkdir()


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


def a_loop(path: Path) -> None:
    path.symlink_to(path)


def a_link_to_nothing(path: Path) -> None:
    path.symlink_to(path.with_name("gone"))


def a_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_huge_file(path: Path) -> None:
    path.write_bytes(b"on\n" * 1_000_000)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such files")
@pytest.mark.parametrize(
    "make", [a_folder, a_fifo, a_loop, a_link_to_nothing, a_device, a_huge_file]
)
@pytest.mark.parametrize("layer", ["choice", "machine"])
def test_what_cannot_be_read_is_a_no(
    tmp_path: Path, make: Callable[[Path], None], layer: str
) -> None:
    make(tmp_path / layer)

    decision = decide("tool", {}, str(tmp_path / "choice"), str(tmp_path / "machine"))

    assert (False, str(tmp_path / layer)) == decision


@contextmanager
def ordinary_rights() -> Iterator[None]:
    """For root, who may read everything: the rights of nobody in particular."""
    if os.getuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has such rights")
def test_a_file_that_may_not_be_read_is_a_no() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        choice, machine = Path(folder, "choice"), Path(folder, "machine")
        write(choice, b"on")
        for mode, allowed in ((0o644, True), (0, False)):
            choice.chmod(mode)
            with ordinary_rights():
                assert allowed == decide("tool", {}, str(choice), str(machine))[0]


@given(st.text(), st.text(), st.text(), st.binary(), st.binary())
def test_nothing_below_a_no_can_take_it_back(
    tmp_path_factory: pytest.TempPathFactory,
    disabled: str,
    own: str,
    other: str,
    machine: bytes,
    choice: bytes,
) -> None:
    """Whatever the layers below say, and whatever unknown variables do, a no stays a no."""
    folder = tmp_path_factory.getbasetemp()
    write(folder / "choice", choice)
    write(folder / "machine", machine)
    files = str(folder / "choice"), str(folder / "machine")
    environ = {"USAGE_DISABLED": disabled, "TOOL_USAGE_TRACKING": own, "TOOL_USAGE_ENABLED": other}

    assert "DO_NOT_TRACK" == decide("tool", {"DO_NOT_TRACK": "1", **environ}, *files)[1]
    if not decide("tool", environ, str(folder / "none"), str(folder / "none"))[0]:
        assert not decide("tool", environ, *files)[0]
    if not decide("tool", {}, str(folder / "none"), files[1])[0]:
        assert not decide("tool", environ, *files)[0]


# What is seen of a real process from outside.

HOOK = """\
import atexit, os, sys
seen = []
kinds = ("socket.", "subprocess.", "os.posix_spawn", "os.fork", "os.exec", "os.mkdir", "os.rename",
         "os.symlink", "os.link", "os.truncate")
def look(event, arguments):
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (
        os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    if event.startswith(kinds) or writes:
        seen.append((event, *map(repr, arguments[:1])))
sys.addaudithook(look)
atexit.register(lambda: os.write(2, repr(seen).encode()))
"""


@attrs.define
class Watched:
    """A machine on which all is noticed that a command does beyond its own work."""

    machine: Machine
    mark: str

    def traces(self, *words: str, **environ: Any) -> dict[str, object]:
        """What the command left: files, processes, connections, and what it asked the system."""
        before = self.machine.files()
        machine, connections = self.machine, self.machine.collector.connections
        done = machine.run(*words, WATCHED=self.mark, PYTHONPYCACHEPREFIX="", **environ)
        return {
            "files": sorted(set(machine.files()) ^ set(before)),
            "processes": self.processes(),
            "connections": machine.collector.connections - connections,
            "calls": done.stderr,
        }

    def processes(self) -> list[int]:
        """Every process with our mark in its environment, wherever it hid from its parent."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"WATCHED={self.mark}".encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        return found


@pytest.fixture
def watched(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Watched]:
    machine = Machine(tmp_path / "home", collector, auth)
    machine.without()
    (machine.home / "site" / "sitecustomize.py").write_text(HOOK)
    machine.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    yield Watched(machine, tmp_path.name + str(os.getpid()))
    machine.kill_worker()


NOTHING = {"files": [], "processes": [], "connections": 0, "calls": "[]"}


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
@pytest.mark.parametrize("name", ["one", "bad", "login", "logout"])
@pytest.mark.parametrize(
    "no",
    [
        {"DO_NOT_TRACK": "1"},
        {"USAGE_DISABLED": "1"},
        {"TOOLBOX_USAGE_TRACKING": "0"},
        {"TOOLBOX_USAGE_TRACKING": "1", "PYTEST_VERSION": "9"},
        {},
    ],
    ids=lambda no: "-".join(no) or "choice",
)
def test_off_means_no_file_no_process_and_no_socket(
    watched: Watched, no: dict[str, str], name: str
) -> None:
    if not no:
        watched.machine.run("usage", "disable")

    assert NOTHING == watched.traces("do", name, **no)


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_the_watchman_sees_all_of_it_when_it_is_on(watched: Watched) -> None:
    traces = watched.traces("do", "one")
    wait_until(lambda: watched.machine.collector.connections)

    assert ".toolbox" in traces["files"]  # type: ignore[operator]  # a list of them
    assert traces["processes"]
    assert "os.posix_spawn" in str(traces["calls"])
    wait_until(lambda: not watched.processes())
