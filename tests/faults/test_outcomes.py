"""Every way in which a command ends: as it would without tracking, and told as what it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from faults.machine import Machine
from faults.programs import START
from faults.table import saw, told

PROGRAM = f"""{START}
import signal, typer
app = typer.Typer(add_completion=False)
@app.callback()
def main(): pass
@app.command()
def leave(way: str):
    print("at work", flush=True)
    match way:
        case "typer.Exit(0)": raise typer.Exit(0)
        case "typer.Exit(3)": raise typer.Exit(3)
        case "typer.Abort": raise typer.Abort
        case "BadParameter": raise typer.BadParameter("no such way")
        case "sys.exit(0)": sys.exit(0)
        case "sys.exit(3)": sys.exit(3)
        case "sys.exit(text)": sys.exit("out of paper")
        case "RuntimeError": raise RuntimeError("out of paper")
        case "flood":
            while True: print("x" * 80, flush=True)
        case _: signal.raise_signal(signal.Signals[way])
tracker.instrument(app)
app()
"""
# What is typed; the event's exit code and type of error.
WAYS = {
    "a command that ends by typer.Exit(0)": ("leave typer.Exit(0)", 0, None),
    "a command that ends by typer.Exit(3)": ("leave typer.Exit(3)", 3, "Exit"),
    "a command that ends by typer.Abort": ("leave typer.Abort", 1, "Abort"),
    "a command that ends by sys.exit(0)": ("leave sys.exit(0)", 0, None),
    "a command that ends by sys.exit(3)": ("leave sys.exit(3)", 3, "SystemExit"),
    "a command that ends by sys.exit(text)": ("leave sys.exit(text)", 1, "SystemExit"),
    "a command that ends by an exception": ("leave RuntimeError", 1, "RuntimeError"),
    "a command that ends by SIGINT": ("leave SIGINT", 130, "KeyboardInterrupt"),
    "a command that ends by SIGTERM": ("leave SIGTERM", 143, "Terminated"),
    "a command that ends by SIGHUP": ("leave SIGHUP", 129, "Terminated"),
    "an argument that the command refuses": ("leave BadParameter", 2, "UsageError"),
    "an argument that is missing": ("leave", 2, "UsageError"),
    "an option that there is not": ("leave --no-such-option", 2, "UsageError"),
}
UNTRACKED = {"DO_NOT_TRACK": "1"}


@pytest.fixture
def program(tmp_path: Path) -> Path:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    return script


def start(toolbox: Machine, program: Path, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(program), *words],
        env=toolbox.full_environment(COLUMNS="100", **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(toolbox: Machine, program: Path, *words: str) -> None:
    """Run the program with these words, and once more with tracking off."""
    ends: list[subprocess.CompletedProcess[str]] = []
    for environ in ({}, UNTRACKED):
        process = start(toolbox, program, *words, **environ)
        said = process.communicate(timeout=60)
        ends.append(subprocess.CompletedProcess([], process.returncode, *said))
    saw(words, *ends)


@pytest.mark.fault("output", "{what}", "a Typer app that is instrumented")
@pytest.mark.parametrize("what", WAYS)
def test_a_command_is_told_as_what_it_was(toolbox: Machine, program: Path, what: str) -> None:
    typed, code, error = WAYS[what]
    run(toolbox, program, *typed.split())
    toolbox.settle()
    (event,) = toolbox.captures()
    about = event["properties"]
    assert (code, error) == (about["exit_code"], about.get("error_type"))
    assert ("succeeded" if code == 0 else "failed") in event["event"]
    told(f"exit code {code}" + (f", {error}" if error else ""))


@pytest.mark.fault("output", "nobody reads on while a command writes", "a pipe, closed meanwhile")
def test_a_broken_pipe_is_told_apart(toolbox: Machine, program: Path) -> None:
    ends: list[subprocess.CompletedProcess[str]] = []
    for environ in ({}, UNTRACKED):
        process = start(toolbox, program, "leave", "flood", **environ)
        assert process.stdout
        assert process.stderr
        while process.stdout.readline() != "at work\n":
            pass
        process.stdout.close()
        with process:
            code = process.wait(60)
            ends.append(subprocess.CompletedProcess([], code, "", process.stderr.read()))
    saw(("leave", "flood"), *ends)
    toolbox.settle()
    (event,) = toolbox.captures()
    assert "BrokenPipeError" == event["properties"]["error_type"]
    told("BrokenPipeError")


@pytest.mark.fault("output", "a command that ends by SIGKILL", "a Typer app, a command after it")
def test_a_command_that_cannot_tell_its_end_leaves_nothing_behind(
    toolbox: Machine, program: Path
) -> None:
    run(toolbox, program, "leave", "SIGKILL")
    assert not toolbox.records()
    assert not [name for name in toolbox.files() if name.endswith(".tmp")]
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["two"] == toolbox.names()
