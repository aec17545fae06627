"""The Arcade CLI of `examples/arcade`, with its cloud: a login through the page, and a logout."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from urllib.request import urlopen

from machine import Machine, title
from rich.console import Console

from arcade_cloud import ArcadeCloud
from arcade_cloud.__main__ import PEOPLE, settings
from arcade_cloud.cloud import PASSWORD
from usage_posthog.collector import Collector

__all__ = ["tell"]

ADA = "ada@example.com"


def tell(console: Console, home: Path) -> None:
    """Tell it; raise if a step of it goes wrong."""
    with ArcadeCloud(PEOPLE) as cloud, Collector() as collector:
        environ = settings(cloud, collector) | {"ARCADE_CALLBACK_PORT": str(free_port())}
        command = [sys.executable, "-m", "arcade_cli"]
        machine = Machine(console, home, "arcade", command, environ, collector)
        title(console, "The Arcade CLI, whole: examples/arcade, with a cloud to log in to")
        machine.step("show")
        console.print("[green]$[/] arcade login --no-browser")
        console.print(log_in(machine))
        machine.show()
        machine.step("toolkit run math")
        machine.step("logout")
        machine.sum_up(PEOPLE[ADA])
        machine.rest()


def log_in(machine: Machine) -> str:
    """Start the login and do what a person does in the browser; return what the tool said last."""
    with subprocess.Popen(
        [*machine.command, "login", "--no-browser"],
        env=machine.environ,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        page = next(line.strip() for line in process.stdout if line.strip().startswith("http"))
        form = dict(parse_qsl(urlsplit(page).query))
        form |= {"email": ADA, "password": PASSWORD, "decision": "allow"}
        # The cloud sends the browser back to the tool, which answers with its page.
        with urlopen(page.split("?")[0], urlencode(form).encode()) as answer:
            assert b"close this window" in answer.read()
        return process.stdout.read().strip()


def free_port() -> int:
    """Return a port that the login can wait on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
