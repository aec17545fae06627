"""One app in Typer, click and argparse: tracked, it is what it was, and all three tell the same."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import attrs
import pytest

from cli import clean_environment, wait_until
from usage_core.testing import AuthApi
from usage_posthog.collector import Collector

APPS = Path(__file__).with_name("apps")
FRAMEWORKS = ("typer", "click", "argparse")


@attrs.define
class App:
    """The app with one framework, on a machine where no worker starts: what it records stays."""

    framework: str
    home: Path
    environ: dict[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        transports = self.usage / "transports"
        transports.mkdir(parents=True, exist_ok=True)
        (transports / "posthog").write_text("detached")
        lease = self.usage / "lease"
        lease.touch()
        os.utime(lease, (time.time() + 1800,) * 2)

    def untracked(self) -> App:
        """The same app on the same machine, as it would be without a tracker."""
        return App(self.framework, self.home, {**self.environ, "UNTRACKED": "1"})

    @property
    def usage(self) -> Path:
        return self.home / ".arcade" / "usage"

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, str(APPS / f"with_{self.framework}.py"), *words],
            env=clean_environment(self.home) | {"COLUMNS": "100"} | self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        # Older Typers show local variables: where objects lie differs from run to run.
        err = re.sub(rb"0x[0-9a-f]{8,}", b"0x", err)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def events(self) -> list[dict[str, Any]]:
        """The properties of what was recorded, with the kind of the fact."""
        facts = [json.loads(path.read_text()) for path in sorted(self.usage.glob("journal/*.json"))]
        return [{"kind": fact["kind"], **fact["properties"]} for fact in facts]


@pytest.fixture(params=FRAMEWORKS)
def app(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    return App(request.param, tmp_path / "home")


# What is typed, and how many events it makes.
INVOCATIONS = [
    ("", None),  # click shows its help, the others refuse
    ("--help", 0),
    ("--version", 0),
    ("toolkit", None),
    ("toolkit --help", 0),
    ("toolkit run --help", 0),
    ("login --help", 0),
    ("--verbose toolkit run return", 1),
    ("--quiet logout extra", 1),
    ("toolkit run", 1),
    ("toolkit run return", 1),
    ("toolkit run return --count 3", 1),
    ("toolkit run return --format=json --dry-run", 1),
    ("toolkit run return --count x", 1),
    ("toolkit run return --format x", 1),
    ("toolkit run return --bogus", 1),
    ("toolkit run return --paper a4", 1),
    ("toolkit run nothing", 1),
    ("toolkit walk", 1),
    ("tool", 1),
    ("--bogus", 1),
    ("toolkit run return extra", 1),
    ("toolkit run code", 1),
    ("toolkit run raise", 1),
    ("toolkit run exit", 1),
    ("toolkit run text", 1),
    ("toolkit run zero", 1),
    ("toolkit run interrupt", 1),
    ("toolkit run terminate", 1),
    ("toolkit run catch", 1),
    ("toolkit run fork", 1),
    ("toolkit run usage", 1),
    ("toolkit run abort", 1),
    ("toolkit run leave", 1),
    ("logout", 1),  # fails: nobody is logged in
]


@pytest.mark.parametrize(("line", "events"), INVOCATIONS)
def test_output_and_exit_code_are_those_of_the_untracked_app(
    app: App, line: str, events: int | None
) -> None:
    expected = app.untracked().run(*line.split())
    assert [] == app.events()
    found = app.run(*line.split())

    assert expected.stdout == found.stdout
    assert expected.stderr == found.stderr
    assert expected.returncode == found.returncode
    assert events is None or events == len(app.events())


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        ("TYPER_STANDARD_TRACEBACK", "toolkit run raise"),
        ("TYPER_STANDARD_TRACEBACK", "toolkit run return --paper a4"),
        ("PYTHONDEVMODE", "toolkit run raise"),
    ],
)
def test_a_traceback_shows_nothing_of_the_tracking(app: App, variable: str, line: str) -> None:
    app.environ = {variable: "1"}

    expected = app.untracked().run(*line.split())

    assert b"Traceback" in expected.stderr
    assert expected.stderr == app.run(*line.split()).stderr
    assert 1 == len(app.events())


COMPLETIONS = {
    "typer": {
        "_WITH_TYPER.PY_COMPLETE": "complete_bash",
        "COMP_WORDS": "with_typer.py toolkit r",
        "COMP_CWORD": "2",
    },
    "click": {
        "_WITH_CLICK_PY_COMPLETE": "bash_complete",
        "COMP_WORDS": "with_click.py toolkit r",
        "COMP_CWORD": "2",
    },
    "argparse": {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": "/dev/stdout",
        "COMP_LINE": "with_argparse.py toolkit r",
        "COMP_POINT": "26",
    },
}


def test_completion_completes_and_is_no_event(app: App) -> None:
    app.environ = COMPLETIONS[app.framework]

    expected, found = app.untracked().run(), app.run()

    assert b"run" in expected.stdout
    assert (expected.stdout, expected.stderr) == (found.stdout, found.stderr)
    assert expected.returncode == found.returncode
    assert [] == app.events()


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_the_completion_options_of_typer_are_no_event(tmp_path: Path, option: str) -> None:
    app = App("typer", tmp_path / "home", {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})

    done = app.run(option, "bash")

    assert (0, b"") == (done.returncode, done.stderr)
    assert b"complet" in done.stdout
    assert [] == app.events()


def read_a_line_and_close(app: App) -> tuple[int, bytes]:
    process = app.start("toolkit", "run", "pipe")
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    with process:
        return process.wait(60), process.stderr.read()


def test_a_broken_pipe_is_seen_and_nothing_else_changes(app: App) -> None:
    assert read_a_line_and_close(app.untracked()) == read_a_line_and_close(app)
    assert [("toolkit.run", 1, "BrokenPipeError")] == [
        (event["command_name"], event["exit_code"], event["error_type"]) for event in app.events()
    ]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_from_outside_is_seen_and_ends_the_app_as_it_did(
    app: App, number: signal.Signals, code: int
) -> None:
    ends = []
    for one in (app, app.untracked()):
        with one.start("toolkit", "run", "sleep") as process:
            assert process.stdout
            process.stdout.readline()
            process.send_signal(number)
            ends.append((process.wait(60), process.stdout.read()))

    assert ends[0] == ends[1]
    assert [("toolkit.run", code)] == [
        (event["command_name"], event["exit_code"]) for event in app.events()
    ]


def test_where_tracking_is_off_nothing_is_recorded(app: App) -> None:
    app.environ = {"DO_NOT_TRACK": "1"}

    assert 0 == app.run("toolkit", "run", "return").returncode
    assert -signal.SIGTERM == app.run("toolkit", "run", "terminate").returncode
    assert [] == app.events()


GIVEN = "--count 2 --dry-run --format json --name secret"

# What is typed, and of its event: name, exit code, type of the error, message.
STORY: list[tuple[str, str, int, str | None, str | None]] = [
    (f"toolkit run return {GIVEN}", "toolkit.run", 0, None, None),
    ("login", "login", 0, None, None),
    ("toolkit run return", "toolkit.run", 0, None, None),
    ("toolkit run raise", "toolkit.run", 1, "RuntimeError", "out of paper"),
    ("toolkit run code", "toolkit.run", 3, "SystemExit", "exit code 3"),
    ("toolkit run exit", "toolkit.run", 3, "SystemExit", "exit code 3"),
    ("toolkit run text", "toolkit.run", 1, "SystemExit", "no paper"),
    ("toolkit run zero", "toolkit.run", 0, None, None),
    ("toolkit run interrupt", "toolkit.run", 130, "KeyboardInterrupt", "KeyboardInterrupt"),
    ("toolkit run terminate", "toolkit.run", 143, "Terminated", "terminated"),
    ("toolkit run catch", "toolkit.run", 9, "SystemExit", "exit code 9"),
    ("toolkit run usage", "toolkit.run", 2, "UsageError", "usage error"),
    ("toolkit run secret", "toolkit.run", 2, "UsageError", "usage error"),
    ("toolkit run return --count secret", "toolkit.run", 2, "UsageError", "usage error"),
    ("toolkit run return --secret", "toolkit.run", 2, "UsageError", "usage error"),
    ("toolkit secret", "toolkit.<unknown>", 2, "UsageError", "usage error"),
    ("secret", "<unknown>", 2, "UsageError", "usage error"),
    ("--secret", "arcade", 2, "UsageError", "usage error"),
    ("logout", "logout", 0, None, None),
    ("toolkit run return", "toolkit.run", 0, None, None),
]
ALICE = slice(1, -1)  # from the login to the logout


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_all_frameworks_tell_the_same_story(
    framework: str, tmp_path: Path, collector: Collector, auth: AuthApi
) -> None:
    app = App(framework, tmp_path / "home", {"HOST": collector.url, "WHOAMI": auth.url})
    (app.usage / "lease").unlink()

    for line, *_ in STORY:
        app.run(*line.split())

    wait_until(lambda: len(captures(collector)) == len(STORY), "not all events came")
    events = captures(collector)
    told = [event["properties"] for event in events]
    assert [(name, code, kind, text) for _, name, code, kind, text in STORY] == [
        (one["command_name"], one["exit_code"], one.get("error_type"), one.get("error_message"))
        for one in told
    ]
    assert [f"CLI execution {'failed' if code else 'succeeded'}" for _, _, code, *_ in STORY] == [
        event["event"] for event in events
    ]
    assert ["count", "dry_run", "format", "name"] == told[0]["options"]
    assert {"dry_run": True, "format": "json"} == told[0]["option_values"]
    assert [[]] * (len(STORY) - 1) == [one["options"] for one in told[1:]]
    assert all(one["duration"] > 0 for one in told)
    assert "secret" not in json.dumps(told)

    people = [event["distinct_id"] for event in events]
    assert {"alice"} == set(people[ALICE])
    assert not {"alice"} & {people[0], people[-1]}
    assert people[0] != people[-1]


def captures(collector: Collector) -> list[Any]:
    events = [event for event in collector.events if not event["event"].startswith("$")]
    return sorted(events, key=lambda event: event["timestamp"])


IMPORTING = """
import sys
import {framework}
host = {framework}.{app}()
before = set(sys.modules)
from usage_core import Tracker
Tracker("arcade", version="1.2.3", transport="posthog").instrument(host)
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize(
    ("framework", "app", "adapter"),
    [
        ("typer", "Typer", "_click"),
        ("click", "Group", "_click"),
        ("argparse", "ArgumentParser", "_argparse"),
    ],
)
def test_an_app_makes_us_import_the_adapter_for_it_alone(
    framework: str, app: str, adapter: str
) -> None:
    code = IMPORTING.format(framework=framework, app=app)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.split())
    adapters = {"usage_core.adapters._click", "usage_core.adapters._argparse"}
    assert {f"usage_core.adapters.{adapter}"} == adapters & loaded
    allowed = {"__future__", "_json", "_signal", "atexit"}
    assert set() == {name for name in loaded if not name.startswith("usage_core")} - allowed
