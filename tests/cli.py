"""A tool and the person who runs it, for the tests: real processes in a home of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import attrs

from usage_core.testing import AuthApi
from usage_core.testing.behaviour import answer
from usage_posthog.collector import Collector, Event

TOOLBOX = Path(__file__).with_name("toolbox.py")


def clean_environment(home: Path) -> dict[str, str]:
    """The environment of a person at a terminal: nothing of pytest's, of CI's or of a proxy's."""
    kept = {"PATH", "LANG", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV", "COVERAGE_PROCESS_START"}
    kept |= {name for name in os.environ if name.startswith("COVERAGE_")}
    return {name: os.environ[name] for name in kept & set(os.environ)} | {"HOME": str(home)}


def wait_until(condition: Callable[[], object], what: str = "", timeout: float = 20.0) -> None:
    """Wait until *condition* holds; raises `TimeoutError` that says *what* did not come."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what or "it did not come true")
        time.sleep(0.01)


@attrs.define
class Toolbox:
    """The tool `toolbox` on one person's machine, with a collector and an auth API to talk to."""

    home: Path
    collector: Collector
    auth: AuthApi
    settings: dict[str, object] = attrs.field(factory=dict)
    environ: dict[str, str] = attrs.field(factory=dict)

    def run(
        self, *words: str, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, as a shell would that reads its output through pipes."""
        return subprocess.run(
            self.command(*words),
            env=self.full_environment(**environ),
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
            stdin=subprocess.DEVNULL,
        )

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(TOOLBOX), *words]

    def full_environment(self, **environ: str) -> dict[str, str]:
        settings = {
            "options": {"api_key": "phc_test", "host": self.collector.url},
            "credentials": str(self.credentials),
            "whoami": self.auth.url,
            **self.settings,
        }
        own = {"TOOLBOX": repr(settings)}
        return clean_environment(self.home) | own | self.environ | environ

    @property
    def state(self) -> Path:
        return self.home / ".toolbox"

    @property
    def credentials(self) -> Path:
        return self.state / "credentials.yaml"

    def write_credentials(self, api_key: str) -> None:
        self.state.mkdir(exist_ok=True)
        self.credentials.write_text(f"cloud:\n  api:\n    key: {api_key}\n")

    def identity(self) -> dict[str, object]:
        """What any other program would read in `usage.json`."""
        found: dict[str, object] = json.loads((self.state / "usage.json").read_text())
        return found

    def health(self) -> dict[str, object]:
        path = self.state / "usage" / "health.json"
        found: dict[str, object] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def records(self) -> list[Path]:
        """The facts and messages that wait."""
        usage = self.state / "usage"
        return sorted([*usage.glob("journal/*.json"), *usage.glob("outbox/*/*.json")])

    def worker(self) -> int | None:
        """The process number of the worker that lives, if one does."""
        try:
            process = int((self.state / "usage" / "lease").read_text() or 0)
            os.kill(process, 0)
        except (OSError, ValueError):
            return None
        return process or None

    def settle(self) -> None:
        """Wait until everything was delivered; the worker may linger a moment longer."""
        wait_until(lambda: not self.records(), f"still waiting: {self.records()}")

    def wait_for_failure(self, failures: int = 1) -> None:
        """Wait until a delivery was put off, and its worker is gone."""
        wait_until(lambda: int(str(self.health().get("failures", 0))) >= failures)
        wait_until(lambda: self.worker() is None, "the worker lives on")

    def end_pause(self) -> None:
        """Let the time pass after which a collector that was away is tried again."""
        wait_until(lambda: self.worker() is None, "the worker lives on")
        (self.state / "usage" / "lease").unlink(missing_ok=True)

    def recover(self, name: str) -> None:
        """Let the collector be well again and the pause over: run *name*; all is delivered."""
        self.collector.behave(answer())
        self.end_pause()
        self.run("ok", name)
        self.settle()

    def kill_worker(self) -> None:
        process = self.worker()
        if process is not None:
            os.kill(process, signal.SIGKILL)
            wait_until(lambda: self.worker() is None)

    def captures(self) -> list[Event]:
        """What arrived, without the events that link."""
        return [event for event in self.collector.events if not event["event"].startswith("$")]

    def names(self) -> list[str]:
        return [event["properties"]["command_name"] for event in self.captures()]

    def files(self) -> Sequence[str]:
        """Every file and folder in this home."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))
