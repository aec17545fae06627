"""The commands mounted in Typer, click and argparse: the same everywhere, and free until used."""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from cli import wait_until
from usage_core import Tracker
from usage_core.commands import argparse_commands, click_group, typer_app
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import status
from usage_machine import Machine
from usage_posthog.collector import Collector

FACES = ["typer", "click", "argparse"]
VERBS = ["status", "enable", "disable", "show", "preview", "reset", "forget", "flush", "doctor"]


@pytest.fixture
def machine(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home", collector, auth)
    yield machine
    machine.kill_worker()


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker("toolbox", version="1", transport="null", state_dir=tmp_path)


def test_all_faces_say_the_same(machine: Machine) -> None:
    machine.do("one", "login")
    machine.settle()
    wait_until(lambda: machine.worker() is None)

    for words in (["status"], ["show", "--json"], ["preview"], ["doctor"], ["disable"], ["forget"]):
        machine.run("usage", *words)  # the first to say it may change what the next ones find
        said = {
            (done.returncode, done.stdout, done.stderr)
            for done in (machine.run("usage", *words, check=False, FACE=face) for face in FACES)
        }
        assert 1 == len(said), said


@pytest.mark.parametrize("face", FACES)
def test_the_exit_code_tells_how_it_went(machine: Machine, face: str) -> None:
    machine.environ["FACE"] = face
    machine.collector.behave(status(503))
    machine.start_no_worker()
    machine.do("one")

    machine.usage("flush", code=1)
    machine.usage("doctor", code=1)
    machine.usage("status", code=0, DO_NOT_TRACK="1")
    for words in (["usage", "no-such-command"], ["usage", "status", "--no-such-option"]):
        assert 2 == machine.run(*words, check=False).returncode


@pytest.mark.parametrize("face", FACES)
def test_help_names_every_command(machine: Machine, face: str) -> None:
    said = machine.run("usage", "--help", FACE=face).stdout
    alone = machine.run("usage", check=False, FACE=face)

    for verb in VERBS:
        assert verb in said
        assert verb in alone.stdout + alone.stderr
    assert 2 == alone.returncode
    assert "--json" in machine.run("usage", "status", "--help", FACE=face).stdout
    assert "FILE" in machine.run("usage", "show", "--help", FACE=face).stdout


@pytest.mark.parametrize("face", FACES)
def test_the_page_is_written_for_its_owner_alone(machine: Machine, face: str) -> None:
    page = machine.home / "page.html"

    machine.usage("show", "--html", str(page), FACE=face)

    assert page.read_text().startswith("<!doctype html>")
    assert 0o600 == page.stat().st_mode & 0o777
    (machine.home / "taken").mkdir()
    done = machine.run("usage", "show", "--html", str(machine.home / "taken"), check=False)
    assert (1, True) == (done.returncode, "taken" in done.stderr)


def test_all_carry_the_mark_that_keeps_them_untracked(tracker: Tracker) -> None:
    app = typer.Typer()
    app.add_typer(typer_app(tracker), name="usage")
    app.command("other")(lambda: None)
    outer = typer.main.get_command(app)
    typer_group = outer.commands["usage"]  # type: ignore[attr-defined]  # it is a group
    groups = [(typer_group, outer.make_context("tool", ["usage", "status"]))]
    group = click_group(tracker)
    groups.append((group, click.Context(group)))  # type: ignore[arg-type]  # of click's, or Typer's

    for marked, context in groups:
        assert marked.usage_untracked
        assert VERBS == marked.list_commands(context)
        assert all(marked.get_command(context, verb).usage_untracked for verb in VERBS)

    parser = argparse.ArgumentParser()
    argparse_commands(parser.add_subparsers(), tracker, "telemetry")
    for verb in VERBS:
        assert parser.parse_args(["telemetry", verb]).usage_untracked


@pytest.mark.parametrize("face", FACES)
def test_a_command_pays_for_none_of_them(face: str, tmp_path: Path) -> None:
    mount = {
        "typer": """
            import typer
            from usage_core.commands import typer_app
            app = typer.Typer()
            app.command("other")(lambda: None)
            app.add_typer(typer_app(tracker), name="usage")
            typer.main.get_command(app)""",
        "click": """
            import click
            from usage_core.commands import click_group
            click.Group().add_command(click_group(tracker), "usage")""",
        "argparse": """
            import argparse
            from usage_core.commands import argparse_commands
            argparse_commands(argparse.ArgumentParser().add_subparsers(), tracker)""",
    }
    script = f"""
            import sys
            from usage_core import Tracker
            tracker = Tracker("toolbox", version="1", transport="null", state_dir={str(tmp_path)!r})
            {mount[face]}
            print(*sorted(sys.modules))"""

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True
    )

    imported = set(done.stdout.split())
    assert "usage_core.commands._verbs" in imported
    assert not imported & {"attrs", "attr", "filelock", "pluggy", "json", "usage_core._delivery"}


def on_a_terminal(machine: Machine, *words: str) -> str:
    """What a person sees: standard output is a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    environ = machine.full_environment(TERM="xterm-256color", COLUMNS="200")
    process = subprocess.Popen(machine.command(*words), env=environ, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:  # how Linux says that nobody has the other end any more
        pass
    os.close(ours)
    process.wait(30)
    return said.decode()


@pytest.mark.parametrize("verb", ["status", "show", "preview", "doctor", "flush"])
def test_a_terminal_gets_colours_where_rich_is_installed(machine: Machine, verb: str) -> None:
    machine.do("one")
    machine.settle()
    wait_until(lambda: machine.worker() is None)

    rich = on_a_terminal(machine, "usage", verb)
    machine.without("rich")
    plain = on_a_terminal(machine, "usage", verb)

    assert "\x1b[" in rich or verb == "flush"
    assert "\x1b" not in plain
    for word in plain.split():
        assert word in rich


def test_nothing_can_steer_a_terminal_with_rich_either(machine: Machine) -> None:
    machine.do("\x1b]0;owned\x07\x9b0;owned[bold]not markup[/bold]")
    machine.settle()

    said = on_a_terminal(machine, "usage", "show")

    assert "\x1b]0;" not in said
    assert "\x9b" not in said
    assert "[bold]not markup[/bold]" in said
