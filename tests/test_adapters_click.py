"""The adapter for click and Typer within a process: names, marks, options, groups of all kinds."""

from __future__ import annotations

import copy
import signal
from collections.abc import Callable, Iterator
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any

import click
import pytest
import typer
from click.testing import CliRunner
from typer.testing import CliRunner as TyperRunner

from usage_core import Tracker
from usage_core.commands import click_group, typer_app
from usage_core.testing.recorder import UsageRecorder, recording


@pytest.fixture
def seen() -> Iterator[UsageRecorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def tracker() -> Tracker:
    return Tracker("arcade", version="1.2.3", transport="null")


def properties(seen: UsageRecorder, name: str) -> list[object]:
    return [event.properties.get(name) for event in seen.events]


def run(app: click.Command, line: str, **settings: Any) -> Any:
    return CliRunner().invoke(app, line.split(), **settings)


@pytest.fixture
def cli(tracker: Tracker) -> click.Group:
    """A group with a command `status`, instrumented."""
    group = click.Group("cli")
    group.add_command(click.Command("status", callback=lambda: None))
    tracker.instrument(group, options="values")
    return group


def test_what_is_no_app_is_refused(tracker: Tracker) -> None:
    with pytest.raises(TypeError, match="neither a Typer app"):
        tracker.instrument(print)
    with pytest.raises(ValueError, match="options"):
        tracker.instrument(click.Group(), options="all")  # type: ignore[arg-type]  # the point


def test_an_app_of_one_command_has_the_name_of_the_tracker(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    command = click.Command("hello", callback=lambda: None)
    tracker.instrument(command)

    run(command, "")
    run(command, "")

    assert ["arcade", "arcade"] == seen.commands


def test_nested_groups_give_the_whole_path(cli: click.Group, seen: UsageRecorder) -> None:
    inner = click.Group("inner")
    inner.add_command(click.Command("deep", callback=lambda: None))
    outer = click.Group("outer")
    outer.add_command(inner)
    cli.add_command(outer, "renamed")

    assert 0 == run(cli, "renamed inner deep").exit_code
    assert "Usage" in run(cli, "renamed inner").output  # help: no event
    assert 2 == run(cli, "renamed inner deeper").exit_code

    assert ["renamed.inner.deep", "renamed.inner.<unknown>"] == seen.commands


def test_an_abbreviation_counts_as_the_command_it_stands_for(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    class Prefixes(click.Group):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            found = [name for name in self.commands if name.startswith(cmd_name)]
            return self.commands[found[0]] if found else None

    group = Prefixes()
    group.add_command(click.Command("status", callback=lambda: None))
    tracker.instrument(group)

    run(group, "st")

    assert ["status"] == seen.commands


def test_a_group_that_takes_any_word_gives_away_none(tracker: Tracker, seen: UsageRecorder) -> None:
    class Anything(click.Group):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return click.Command(cmd_name, callback=lambda: None)

    group = Anything()
    tracker.instrument(group)

    assert 0 == run(group, "my-secret-project").exit_code

    assert ["<unknown>"] == seen.commands


def test_a_lazy_command_that_cannot_be_loaded_is_a_failure_under_its_name(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    class Broken(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return ["plugin"]

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            raise ImportError("no module")

    group = Broken()
    tracker.instrument(group)

    error = run(group, "plugin").exception

    assert isinstance(error, ImportError)
    assert ["plugin"] == seen.commands
    assert ["ImportError"] == properties(seen, "error_type")


def test_chained_commands_are_one_run(tracker: Tracker, seen: UsageRecorder) -> None:
    group = click.Group(chain=True)
    for name in ("build", "test"):
        group.add_command(click.Command(name, callback=lambda: None))
    tracker.instrument(group)

    run(group, "build test")

    assert ["build+test"] == seen.commands


def test_a_group_that_runs_without_a_command_has_its_own_name(
    cli: click.Group, seen: UsageRecorder
) -> None:
    cli.add_command(click.Group("sub", invoke_without_command=True, callback=lambda: None))

    run(cli, "sub")

    assert ["sub"] == seen.commands


def test_a_group_that_leaves_before_its_command_is_no_help(
    cli: click.Group, seen: UsageRecorder
) -> None:
    group = click.Group("group", callback=leave("zero"))
    group.add_command(click.Command("inner", callback=lambda: None))
    cli.add_command(group)

    assert 0 == run(cli, "group inner").exit_code

    assert ["group.inner"] == seen.commands


def leave(how: str) -> Callable[[], None]:
    def callback() -> None:
        context = click.get_current_context()
        match how:
            case "exit":
                context.exit(4)
            case "zero":
                context.exit()
            case "fail":
                context.fail("that was my-secret")
            case "parameter":
                raise click.BadParameter("my-secret")
            case "error":
                raise click.ClickException("no paper")
            case "eof":
                raise EOFError
            case "abort":
                context.abort()

    return callback


@pytest.mark.parametrize(
    ("how", "code", "kind", "text"),
    [
        ("return", 0, None, None),
        ("zero", 0, None, None),
        ("exit", 4, "Exit", "exit code 4"),
        ("fail", 2, "UsageError", "usage error"),
        ("parameter", 2, "UsageError", "usage error"),
        ("error", 1, "ClickException", "no paper"),
        ("eof", 1, "EOFError", "EOFError"),
        ("abort", 1, "Abort", "Abort"),
    ],
)
@pytest.mark.parametrize("nested", [False, True])
def test_the_ways_out_of_click(
    nested: bool,
    how: str,
    code: int,
    kind: str | None,
    text: str | None,
    tracker: Tracker,
    seen: UsageRecorder,
) -> None:
    command: click.Command = click.Command("hello", callback=leave(how))
    app = click.Group(commands=[command]) if nested else command
    tracker.instrument(app)

    assert code == run(app, "hello" if nested else "").exit_code

    (event,) = seen.events
    assert ("hello" if nested else "arcade") == event.properties["command_name"]
    assert code == event.properties["exit_code"]
    assert kind == event.properties.get("error_type")
    assert text == event.properties.get("error_message")


def test_without_standalone_mode_the_caller_gets_what_it_got(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    command = click.Command("hello", callback=lambda: 42)
    tracker.instrument(command)
    failing = click.Command("hello", callback=leave("fail"))
    tracker.instrument(failing)

    assert 42 == command.main([], standalone_mode=False)
    try:
        int("an error around the next call")
    except ValueError:
        assert 42 == command.main([], standalone_mode=False)
    with pytest.raises(click.UsageError):
        failing.main([], standalone_mode=False)

    assert [0, 0, 2] == properties(seen, "exit_code")


def test_an_error_while_cleaning_up_is_how_it_ended(tracker: Tracker, seen: UsageRecorder) -> None:
    def callback() -> None:
        click.get_current_context().call_on_close(lambda: 1 / 0)

    command = click.Command("hello", callback=callback)
    tracker.instrument(command)

    run(command, "")

    assert ["ZeroDivisionError"] == properties(seen, "error_type")


def test_an_app_within_an_app_is_a_run_of_its_own(cli: click.Group, seen: UsageRecorder) -> None:
    again = click.Command("again", callback=lambda: cli.main(["status"], standalone_mode=False))
    cli.add_command(again)

    run(cli, "again")

    assert ["status", "again"] == seen.commands


def test_a_copy_runs_its_own_commands(cli: click.Group, seen: UsageRecorder) -> None:
    run(cli, "status")
    other = copy.copy(cli)
    other.commands = {"other": click.Command("other", callback=lambda: click.echo("mine"))}

    assert "mine\n" == run(other, "other").output
    assert ["status", "other"] == seen.commands


def test_an_instrumented_command_looks_like_any_other(cli: click.Group) -> None:
    assert isinstance(cli, click.Group)
    assert repr(click.Group("cli")) == repr(cli)
    assert ("Group", "click.core") == (type(cli).__name__, type(cli).__module__)


def mark(thing: Any) -> Any:
    thing.usage_untracked = True
    return thing


def test_marked_commands_and_what_is_below_them_are_not_recorded(
    cli: click.Group, seen: UsageRecorder
) -> None:
    group = mark(click.Group("group"))
    group.add_command(click.Command("inner", callback=lambda: None))
    cli.add_command(group)
    cli.add_command(click.Command("function", callback=mark(lambda: None)))

    for line in ("group inner", "group inner --bogus", "group nothing", "function", "status"):
        run(cli, line)

    assert ["status"] == seen.commands


def test_values_are_those_of_switches_and_declared_choices_only(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    options = [
        click.Option(["--switch/--no-switch"]),
        click.Option(["--format"], type=click.Choice(["json", "table"])),
        click.Option(["--colours"], type=click.Choice(["red", "blue"]), multiple=True),
        click.Option(["--upper"], type=click.Choice(["a"]), callback=lambda *_: "secret"),
        click.Option(["--text"]),
        click.Option(["-v", "--verbose"], count=True),
        click.Option(["--from-environment"], envvar="FROM_ENVIRONMENT"),
        click.Option(["--default"], default="x"),
    ]
    command = click.Command("hello", params=[*options, click.Argument(["word"])])
    line = "--no-switch --format json --colours red --colours blue --upper a --text secret -vv word"
    for wish in ("none", "names", "values"):
        tracker.instrument(command, options=wish)
        assert 0 == run(command, line, env={"FROM_ENVIRONMENT": "secret"}).exit_code

    names = ["colours", "format", "switch", "text", "upper", "verbose"]
    assert [None, names, names] == properties(seen, "options")
    values = {"switch": False, "format": "json", "colours": ["red", "blue"]}
    assert [None, None, values] == properties(seen, "option_values")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_has_its_default_action_before_and_after(
    tracker: Tracker, seen: UsageRecorder, number: signal.Signals
) -> None:
    within = []
    command = click.Command("hello", callback=lambda: within.append(signal.getsignal(number)))
    tracker.instrument(command)

    run(command, "")

    assert callable(within[0])
    assert signal.SIG_DFL == signal.getsignal(number)


def test_a_run_within_a_run_leaves_the_signals_to_the_outer_one(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    inner = click.Command("inner", callback=lambda: None)
    tracker.instrument(inner)
    actions = []

    def call_inner() -> None:
        actions.append(signal.getsignal(signal.SIGTERM))
        inner.main([], standalone_mode=False)
        actions.append(signal.getsignal(signal.SIGTERM))

    outer = click.Command("outer", callback=call_inner)
    tracker.instrument(outer)
    run(outer, "")

    assert callable(actions[0])
    assert actions[0] is actions[1]


def test_a_handler_of_the_app_stays(tracker: Tracker, seen: UsageRecorder) -> None:
    def mine(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGTERM, mine)
    try:
        command = click.Command(
            "hello", callback=lambda: signal.getsignal(signal.SIGTERM) is not mine or 1
        )
        tracker.instrument(command)
        assert 1 == command.main([], standalone_mode=False)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_where_nothing_may_be_recorded_the_command_is_left_alone(tracker: Tracker) -> None:
    within = SimpleNamespace(handler=None)

    def callback() -> None:
        within.handler = signal.getsignal(signal.SIGTERM)

    command = click.Command("hello", callback=callback)
    tracker.instrument(command)

    run(command, "")

    assert signal.SIG_DFL == within.handler


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def test_typer_gives_names_and_values_as_click_does(tracker: Tracker, seen: UsageRecorder) -> None:
    app = typer.Typer()
    tracker.instrument(app, options="values")

    @app.command()
    def paint(
        word: str,
        colour: Colour = Colour.BLUE,
        many: Annotated[list[Colour] | None, typer.Option()] = None,
        text: str = "",
        switch: bool = False,
        unused: bool = False,
    ) -> None:
        raise typer.Exit(5)

    line = "secret --colour red --many red --many blue --text secret --switch"
    done = TyperRunner().invoke(app, line.split())

    assert 5 == done.exit_code
    event = seen.only()
    assert "arcade" == event.properties["command_name"]
    assert ["colour", "many", "switch", "text"] == event.properties["options"]
    values = {"colour": "red", "many": ["red", "blue"], "switch": True}
    assert values == event.properties["option_values"]


def test_a_typer_group_is_marked_by_its_callback(tracker: Tracker, seen: UsageRecorder) -> None:
    app, hidden, shown = typer.Typer(), typer.Typer(), typer.Typer()
    tracker.instrument(app)
    hidden.callback()(mark(lambda: None))
    for name, group in (("hidden", hidden), ("shown", shown)):
        group.command("one")(lambda: None)
        group.command("two")(lambda: None)
        app.add_typer(group, name=name)

    for line in ("hidden one", "hidden three", "shown one"):
        TyperRunner().invoke(app, line.split())

    assert ["shown.one"] == seen.commands


def test_typers_help_for_who_types_nothing_is_no_event(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    app = typer.Typer(no_args_is_help=True)
    tracker.instrument(app)
    app.command("one")(lambda: None)
    app.command("two")(lambda: None)

    assert "Usage" in TyperRunner().invoke(app, []).output
    assert "Usage" in TyperRunner().invoke(app, ["one", "--help"]).output

    assert [] == seen.commands


@pytest.mark.parametrize("line", ["usage", "usage status", "usage nothing", "usage status --bogus"])
def test_the_commands_that_come_with_it_are_not_recorded(
    tracker: Tracker, seen: UsageRecorder, cli: click.Group, line: str
) -> None:
    app = typer.Typer()
    tracker.instrument(app)
    app.command("one")(lambda: None)
    app.add_typer(typer_app(tracker), name="usage")
    cli.add_command(click_group(tracker), "usage")

    TyperRunner().invoke(app, line.split())
    run(cli, line)

    assert [] == seen.commands
    TyperRunner().invoke(app, ["one"])
    assert ["one"] == seen.commands


def test_another_typer_app_in_the_process_is_not_recorded(
    tracker: Tracker, seen: UsageRecorder
) -> None:
    app, other = typer.Typer(), typer.Typer()
    tracker.instrument(app)
    other.command()(lambda: None)

    assert 0 == TyperRunner().invoke(other, []).exit_code

    assert [] == seen.commands
