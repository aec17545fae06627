"""Everything in the README is true: its code is run, its names and numbers are the code's."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import run

import pytest

from cli import Toolbox
from usage_core._delivery.delivery import OLDEST_SECONDS
from usage_core._delivery.in_hand import DEADLY
from usage_core._local import ROOM, UNIT

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def block(mark: str) -> str:
    """The code block under the comment *mark*."""
    found = re.search(rf"<!-- {re.escape(mark)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, mark
    return found[1]


@pytest.fixture
def greeter(toolbox: Toolbox, tmp_path: Path) -> Toolbox:
    """The README's tool, pointed at a collector on loopback by nothing but its options."""
    (toolbox.home / ".greeter").mkdir()
    return toolbox


def play(greeter: Toolbox, code: str, *words: str, **environ: str) -> str:
    host = f'"phc_test", "host": {greeter.collector.url!r}'
    script = greeter.home / "greeter.py"
    script.write_text(code.replace('"phc_…"', host))
    done = run(
        [sys.executable, str(script), *words],
        env=greeter.full_environment(**environ),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_the_tool_is_tracked_as_it_stands(greeter: Toolbox) -> None:
    assert "Hello, Ada!\n" == play(greeter, block("runs: cli"), "greet", "Ada")
    greeter.collector.wait_for(lambda: len(greeter.captures()) == 1)

    assert ["greet"] == greeter.names()
    assert "Ada" not in str(greeter.collector.events)


def test_the_tool_can_be_turned_off_and_its_transport_swapped(greeter: Toolbox) -> None:
    code = block("runs: cli")
    (greeter.home / ".greeter").rmdir()
    for variable in ("GREETER_USAGE_TRACKING=0", "USAGE_DISABLED=1", "DO_NOT_TRACK=1"):
        assert f"`{variable}`" in README
        name, _, value = variable.partition("=")
        play(greeter, code, "greet", "Ada", **{name: value})
    assert not (greeter.home / ".greeter").exists()

    assert "GREETER_USAGE_TRANSPORT=stdout" in README
    said = play(greeter, code, "greet", "Ada", GREETER_USAGE_TRANSPORT="stdout")
    assert '"command_name": "greet"' in said
    assert not greeter.collector.requests


def test_a_login_links_and_a_logout_ends_it(greeter: Toolbox) -> None:
    play(greeter, block("runs: login"))
    greeter.collector.wait_for(lambda: len(greeter.captures()) == 2)

    assert ["alice", "alice"] == [event["distinct_id"] for event in greeter.captures()]


def test_the_transport_to_copy_is_the_one_that_is_installed() -> None:
    source = (ROOT / "src" / "usage_stdout" / "__init__.py").read_text()

    assert source == block("is: src/usage_stdout/__init__.py")
    assert 30 > len(source.splitlines())
    assert 'stdout = "usage_stdout"' in (ROOT / "src/usage_stdout/pyproject.toml").read_text()


def test_the_bounds_are_those_of_the_code() -> None:
    assert f"{ROOM:,} records and 4 MiB" in README
    assert 4 * 2**20 >= ROOM * UNIT
    assert f"{OLDEST_SECONDS // 86400} days" in README
    assert 3 == DEADLY


def test_the_files_that_it_names_are_there() -> None:
    for name in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / name).exists(), name
    for session in re.findall(r"noxfile.py -s (\w+)", README):
        assert f"def {session}(" in (ROOT / "noxfile.py").read_text()
