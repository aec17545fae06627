"""Bad input: a clear error at construction where the author is wrong, silence everywhere else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import run

import pytest

from cli import Toolbox, wait_until
from usage_core import Tracker


@pytest.mark.parametrize(
    "app", ["", ".", "..", "a/b", "a b", "-a", ".hidden", "ü", "a\x00", "x" * 65]
)
def test_an_app_name_that_can_name_no_folder_is_refused(app: str) -> None:
    with pytest.raises(ValueError, match="cannot name an app"):
        Tracker(app, version="1", transport="null")


@pytest.mark.parametrize("transport", ["", "../x", "a/b", "a b"])
def test_a_transport_name_that_can_name_no_folder_is_refused(transport: str) -> None:
    with pytest.raises(ValueError, match="cannot name a transport"):
        Tracker("app", version="1", transport=transport)


@pytest.mark.parametrize(
    "options",
    [{"a": object()}, {"a": float("nan")}, {"a": {1: 2}}, {"a": {1, 2}}, {"a": b"x"}],
    ids=["object", "nan", "key", "set", "bytes"],
)
def test_an_option_that_json_cannot_carry_is_named(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"JSON.*\['options'\]\['a'\]"):
        Tracker("app", version="1", transport="null", options=options)


def test_an_unknown_way_to_treat_errors_is_refused() -> None:
    with pytest.raises(ValueError, match="neither 'message' nor 'type'"):
        Tracker("app", version="1", transport="null", errors="all")


@pytest.mark.fault("output", "a transport named `../../etc`", "TOOLBOX_USAGE_TRANSPORT")
def test_an_environment_that_names_an_unusable_transport_records_nothing(toolbox: Toolbox) -> None:
    done = toolbox.run("ok", "one", TOOLBOX_USAGE_TRANSPORT="../../etc")

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert [] == toolbox.files()


@pytest.mark.fault("files", "a home that is `{home}`", "HOME; empty, missing or relative")
@pytest.mark.parametrize("home", ["", "nowhere", "relative"])
def test_without_a_home_there_is_no_file_anywhere(
    toolbox: Toolbox, tmp_path: Path, home: str
) -> None:
    place = {"": "", "nowhere": str(tmp_path / "nowhere"), "relative": "here"}[home]
    folder = tmp_path / "work"
    folder.mkdir()
    before = sorted(path.name for path in Path("/").iterdir())
    here = Path.cwd()
    try:
        os.chdir(folder)
        done = toolbox.run(
            "ok",
            "one",
            HOME=place,
            TOOLBOX_WORK_DIR="",
            TOOLBOX_USAGE_TRANSPORT="null" if not place else "posthog",
        )
    finally:
        os.chdir(here)

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert [] == list(folder.iterdir())
    assert not (tmp_path / "nowhere").exists()
    assert before == sorted(path.name for path in Path("/").iterdir())


@pytest.mark.fault("files", "{what} is a file", "written before the command")
@pytest.mark.parametrize("what", ["~/.toolbox", "the journal"])
def test_a_state_folder_that_cannot_be_written_is_silence(toolbox: Toolbox, what: str) -> None:
    if what == "~/.toolbox":
        toolbox.state.write_text("not a folder")
    else:
        (toolbox.state / "usage").mkdir(parents=True)
        (toolbox.state / "usage" / "journal").write_text("not a folder")
    done = toolbox.run("ok", "one")

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)


def test_properties_of_any_kind_arrive_as_well_as_they_can(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    script = tmp_path / "odd.py"
    script.write_text(
        "import ast, os, decimal, pathlib\n"
        "from usage_core import Tracker\n"
        "t = Tracker('toolbox', version='1', transport='posthog', "
        "**{k: v for k, v in ast.literal_eval(os.environ['TOOLBOX']).items()})\n"
        "deep = []\n"
        "for _ in range(1000): deep = [deep]\n"
        "class Odd:\n"
        "    def __str__(self): raise RuntimeError\n"
        "t.track('odd', properties={'nan': float('nan'), 'path': pathlib.PurePosixPath('a/b'), "
        "'set': {1}, 'deep': deep, 'long': 'x' * 131_000, 'odd': Odd(), 'bytes': b'x', 3: 'three', "
        "'surrogate': 'a\\udcffb', 'emoji': '\\U0001f600', 'none': None, "
        "'command_name': 'forged'})\n"
    )
    run([sys.executable, str(script)], env=toolbox.full_environment(), check=True)
    toolbox.settle()

    (event,) = toolbox.captures()
    properties = event["properties"]
    assert ("odd", "nan", "a/b", "{1}") == tuple(
        properties[name] for name in ("command_name", "nan", "path", "set")
    )
    assert ("Odd", "b'x'", "three", None) == tuple(
        properties[name] for name in ("odd", "bytes", "3", "none")
    )
    assert ("\U0001f600", "a?b") == (properties["emoji"], properties["surrogate"])
    assert "deep" not in properties
    assert 1000 <= len(properties["long"]) < 32 * 1024


def test_an_unreadable_identity_loses_nothing(toolbox: Toolbox) -> None:
    toolbox.state.mkdir()
    (toolbox.state / "usage.json").mkdir()
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()
    assert json.loads((toolbox.state / "usage.json").read_text())["anon_id"]
    wait_until(lambda: "usage.json" in str(toolbox.health()))
