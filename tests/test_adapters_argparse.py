"""The adapter for argparse within a process: its run ends when the process does, or is told to."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Iterator

import pytest

from usage_core import Tracker, _exits
from usage_core.adapters import finish
from usage_core.commands import argparse_commands
from usage_core.testing.recorder import UsageRecorder, recording


@pytest.fixture
def seen() -> Iterator[UsageRecorder]:
    with recording() as recorder:
        yield recorder
        finish()


@pytest.fixture
def tracker() -> Tracker:
    return Tracker("arcade", version="1.2.3", transport="null")


@pytest.fixture
def parser(tracker: Tracker) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("prog")
    parser.add_argument("--config", "-c")
    tracker.instrument(parser, options="values")
    groups = parser.add_subparsers()
    paint = groups.add_parser("paint", aliases=["draw"])
    paint.add_argument("--colour", choices=["red", "blue"])
    paint.add_argument("--many", choices=["red", "blue"], nargs="*")
    paint.add_argument("--port", choices=range(100), type=int)
    paint.add_argument("--switch", action="store_true")
    paint.add_argument("--paper", action=argparse.BooleanOptionalAction)
    paint.add_argument("--verbose", "-v", action="count")
    paint.add_argument("--text", "-t")
    paint.add_argument("rest", nargs=argparse.REMAINDER)
    usage = groups.add_parser("usage")
    usage.set_defaults(usage_untracked=True)
    usage.add_subparsers().add_parser("status")
    return parser


def properties(seen: UsageRecorder, name: str) -> list[object]:
    return [event.properties.get(name) for event in seen.events]


def test_an_alias_counts_as_the_command_it_stands_for(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    parser.parse_args(["draw"])

    assert ["paint"] == properties(seen, "command_name")


def test_without_a_subparser_the_name_is_that_of_the_tracker(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    parser.parse_args([])

    assert ["arcade"] == properties(seen, "command_name")


def test_values_are_those_of_switches_and_declared_choices_only(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    line = (
        "--config secret paint --col red --many red blue --port 80 --switch --no-paper -vt secret"
    )
    parser.parse_args([*line.split(), "--", "secret", "--colour"])

    names = ["colour", "config", "many", "paper", "port", "switch", "text", "verbose"]
    assert [names] == properties(seen, "options")
    values = {"colour": "red", "many": ["red", "blue"], "port": 80, "switch": True, "paper": False}
    assert [values] == properties(seen, "option_values")


def test_a_marked_parser_and_what_is_below_it_are_not_recorded(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    parser.parse_args(["usage", "status"])
    with pytest.raises(SystemExit):
        parser.parse_args(["usage", "nothing"])

    assert [] == properties(seen, "command_name")


def test_looking_ahead_is_no_run(parser: argparse.ArgumentParser, seen: UsageRecorder) -> None:
    parser.parse_known_args(["--config", "x"])
    parser.parse_args(["paint"])

    assert ["paint"] == properties(seen, "command_name")


def test_each_call_of_a_program_within_a_process_is_a_run(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    parser.parse_args(["paint"])
    with pytest.raises(SystemExit):
        sys.exit(3)
    parser.parse_args(["paint"])
    with pytest.raises(SystemExit):
        parser.error("that was my-secret")
    parser.parse_args([])

    assert [3, 2, 0] == properties(seen, "exit_code")
    assert ["exit code 3", "usage error", None] == properties(seen, "error_message")


def test_the_exit_of_another_thread_is_not_that_of_the_program(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    def leave() -> None:
        with pytest.raises(SystemExit):
            sys.exit(3)

    parser.parse_args(["paint"])
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()

    assert [0] == properties(seen, "exit_code")


class Raising(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # as many do
        raise LookupError(message)


@pytest.mark.parametrize(
    ("parser", "error"),
    [
        (Raising("prog"), LookupError),
        (argparse.ArgumentParser("prog", exit_on_error=False), argparse.ArgumentError),
    ],
    ids=["raising", "exit_on_error"],
)
def test_a_refusal_that_does_not_exit_is_recorded_without_its_text(
    parser: argparse.ArgumentParser,
    error: type[Exception],
    tracker: Tracker,
    seen: UsageRecorder,
) -> None:
    tracker.instrument(parser)
    parser.add_argument("--count", type=int)

    with pytest.raises(error, match="secret"):
        parser.parse_args(["--count", "secret"])

    assert ["UsageError"] == properties(seen, "error_type")
    assert ["usage error"] == properties(seen, "error_message")


def test_help_is_no_event(
    parser: argparse.ArgumentParser, seen: UsageRecorder, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["--help"], ["paint", "--help"]):
        with pytest.raises(SystemExit):
            parser.parse_args(words)

    assert "usage: prog" in capsys.readouterr().out
    assert [] == properties(seen, "command_name")


def test_the_observed_exit_looks_like_the_original(parser: argparse.ArgumentParser) -> None:
    assert ("exit", "sys") == (sys.exit.__name__, sys.exit.__module__)
    with pytest.raises(SystemExit) as raised:
        sys.exit()
    assert () == raised.value.args
    assert [__file__] == [str(entry.path) for entry in raised.traceback]


def test_a_tracker_made_before_argparse_was_imported_sees_exits_since_it_instruments(
    monkeypatch: pytest.MonkeyPatch, tracker: Tracker, seen: UsageRecorder
) -> None:
    monkeypatch.setattr(sys, "exit", _exits._exit)
    parser = argparse.ArgumentParser("prog")
    tracker.instrument(parser)

    parser.parse_args([])
    with pytest.raises(SystemExit):
        sys.exit(3)

    assert [3] == properties(seen, "exit_code")


def test_the_commands_that_come_with_it_are_not_recorded(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    parser = argparse.ArgumentParser("prog")
    tracker.instrument(parser)
    argparse_commands(parser.add_subparsers(), tracker)

    parser.parse_args(["usage", "status"])
    with pytest.raises(SystemExit):
        parser.parse_args(["usage", "status", "--bogus"])

    assert [] == properties(seen, "command_name")


def test_a_parser_that_nobody_instrumented_is_left_alone(
    parser: argparse.ArgumentParser, seen: UsageRecorder
) -> None:
    other = argparse.ArgumentParser("other")
    other.add_argument("word")

    assert "x" == other.parse_args(["x"]).word
    assert type(other) is argparse.ArgumentParser
    assert [] == properties(seen, "command_name")
