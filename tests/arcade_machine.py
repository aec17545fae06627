"""Somebody's machine with the example's `arcade` on it, a local cloud and a collector."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import attrs
import httpx

from arcade_cloud import ArcadeCloud
from cli import clean_environment, wait_until
from usage_core.testing.exchange import Request
from usage_posthog.collector import Collector, Event

EXAMPLE = Path(__file__).parent.parent / "examples" / "arcade"
PEOPLE = {"ada@example.com": "principal-of-ada", "bob@example.com": "principal-of-bob"}


@attrs.define
class Arcade:
    """One home. `run` is a command to its end; `begin_login` one that waits for a browser."""

    home: Path
    cloud: ArcadeCloud
    collector: Collector
    port: int
    environ: dict[str, str] = attrs.field(factory=dict)

    def run(
        self, *words: str, check: bool = True, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "arcade_cli", *words],
            env=self.environment(**environ),
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
            stdin=subprocess.DEVNULL,
        )

    def environment(self, **environ: str) -> dict[str, str]:
        own = {
            "ARCADE_CALLBACK_PORT": str(self.port),
            "ARCADE_CLOUD_HOST": f"localhost:{self.cloud.port}",
            "ARCADE_ENGINE_HOST": f"localhost:{self.cloud.port}",
            "ARCADE_POSTHOG_HOST": self.collector.url,
            "ARCADE_POSTHOG_KEY": "phc_test",
            "TERM": "dumb",
        }
        return clean_environment(self.home) | own | self.environ | environ

    def begin_login(self, *words: str, **environ: str) -> Waiting:
        """Start `arcade login` without a browser, and return when it listens."""
        process = subprocess.Popen(
            [sys.executable, "-m", "arcade_cli", "login", "--no-browser", *words],
            env=self.environment(**environ),
            cwd=self.home,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if line.strip().startswith("http"):
                return Waiting(process, line.strip())
        raise AssertionError(process.stderr.read() if process.stderr else "")

    def login(self, email: str = "ada@example.com") -> httpx.Response:
        """Log in to the end; return the page that the browser was shown."""
        waiting = self.begin_login()
        page = httpx.get(waiting.answer(email))
        waiting.end()
        assert 0 == waiting.process.returncode, waiting.errors
        return page

    @property
    def state(self) -> Path:
        return self.home / ".arcade"

    @property
    def credentials(self) -> Path:
        return self.state / "credentials.yaml"

    def write_credentials(self, api_key: str) -> None:
        """Log in by another way: the key appears in the file."""
        self.state.mkdir(exist_ok=True)
        self.credentials.write_text(f"cloud:\n  api:\n    key: {api_key}\n")

    def identity(self) -> tuple[str, str | None]:
        """The two values of `usage.json` that any program may read, when all is delivered."""
        self.settle()
        found = json.loads((self.state / "usage.json").read_text())
        return found["anon_id"], found["linked_principal_id"]

    def asked(self) -> list[Request]:
        """Every question who somebody is, from the command or from the worker."""
        ways = ("/api/v1/auth/validate", "/api/v1/auth/whoami")
        return [request for request in self.cloud.requests if request.path in ways]

    def settle(self) -> None:
        """Wait until everything was delivered."""
        usage = self.state / "usage"

        def waiting() -> list[Path]:
            return [*usage.glob("journal/*.json"), *usage.glob("outbox/*/*.json")]

        wait_until(lambda: not waiting(), "the events were not delivered")

    def captures(self) -> list[Event]:
        """What arrived, without the events that link."""
        self.settle()
        return [event for event in self.collector.events if not event["event"].startswith("$")]

    def last(self) -> Event:
        return self.captures()[-1]

    def worker(self) -> int | None:
        """The process number of the worker that lives, if one does."""
        try:
            process = int((self.state / "usage" / "lease").read_text() or 0)
            os.kill(process, 0)
        except (OSError, ValueError):
            return None
        return process or None

    def rest(self) -> None:
        """Wait until the worker, who asks nobody twice, has gone."""
        wait_until(lambda: self.worker() is None, "the worker lives on")

    def kill_worker(self) -> None:
        process = self.worker()
        if process is not None:
            os.kill(process, signal.SIGKILL)
            self.rest()


@attrs.define
class Waiting:
    """An `arcade login` that waits for its callback; *url* is the page that it told people of."""

    process: subprocess.Popen[str]
    url: str
    output: str = ""
    errors: str = ""

    @property
    def asked(self) -> dict[str, str]:
        """What the login page is asked for."""
        return dict(parse_qsl(urlsplit(self.url).query))

    def callback(self, **query: str) -> str:
        """The address to bring an answer to."""
        return str(httpx.URL(self.asked["redirect_uri"], params=query))

    def answer(self, email: str = "ada@example.com", decision: str = "allow") -> str:
        """Fill in the form; return the address that the cloud sends the browser to."""
        form = {"email": email, "password": "arcade", "decision": decision}
        return httpx.post(self.url.split("?")[0], data=self.asked | form).headers["location"]

    def stop(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        self.process.kill()
        with self.process:  # closes its pipes
            pass

    def end(self) -> int:
        """Wait for the end; return the exit code."""
        output, self.errors = self.process.communicate(timeout=30)
        self.output += output
        return self.process.returncode


@contextlib.contextmanager
def machine(tmp_path: Path) -> Iterator[Arcade]:
    """A machine on which nobody has used `arcade` yet."""
    home = tmp_path / "machine"
    home.mkdir()
    with ArcadeCloud(PEOPLE) as cloud, Collector() as collector:
        arcade = Arcade(home, cloud, collector, free_port())
        yield arcade
        arcade.kill_worker()


def free_port() -> int:
    """A port that nobody listens on, and none of those that the system gives to whoever asks."""
    while True:
        port = random.randrange(10_000, 30_000)
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def text_of(page: httpx.Response) -> str:
    """The title and the message of a page, on one line."""
    title = re.search(r"<h1>(.*?)</h1>", page.text, re.DOTALL)
    message = re.search(r'role="status">(.*?)</p>', page.text, re.DOTALL)
    assert title, page.text
    assert message, page.text
    return unescape(f"{title[1]}: {message[1]}")
