"""acme: a small command-line tool whose author wants to know how it is used."""

import os
from pathlib import Path

import typer

from usage_core import Tracker

app = typer.Typer(help="A tool with toolkits.", no_args_is_help=True)
toolkit = typer.Typer(help="Run what others wrote.")
app.add_typer(toolkit, name="toolkit")

CREDENTIALS = Path("~/.acme/credentials.yaml").expanduser()

tracker = Tracker(
    "acme",  # names ACME_USAGE_TRACKING and the folder ~/.acme
    version="1.2.3",
    transport="posthog",
    options={
        "api_key": "phc_demo",
        "host": os.environ.get("ACME_COLLECTOR", "https://us.i.posthog.com"),
    },
    credentials=CREDENTIALS,
    whoami=os.environ.get("ACME_CLOUD", "https://cloud.acme.example"),
)


@app.command()
def hello(name: str = "world") -> None:
    """Greet somebody."""
    print(f"Hello, {name}!")


@toolkit.command()
def run(name: str) -> None:
    """Run a toolkit."""
    if name != "github":
        raise FileNotFoundError(f"no toolkit {name!r} in {Path.home() / 'toolkits'}")
    print(f"{name}: 3 issues are open")


@app.command()
def login(key: str) -> None:
    """Keep an API key."""
    CREDENTIALS.parent.mkdir(exist_ok=True)
    CREDENTIALS.write_text(f"cloud:\n  api:\n    key: {key}\n")
    print("Logged in.")


@app.command()
def logout() -> None:
    """Forget the API key."""
    CREDENTIALS.unlink(missing_ok=True)
    print("Logged out.")


tracker.instrument(app, login="login", logout="logout")

if __name__ == "__main__":
    app(prog_name="acme")
