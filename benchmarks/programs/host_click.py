"""A small click command under the system that the environment names."""

import os

import click

SYSTEM = os.environ.get("BENCH_SYSTEM")


@click.command()
@click.option("--name", default="world")
def greet(name: str) -> None:
    click.echo(f"hello {name}")


if SYSTEM:
    __import__(f"system_{SYSTEM}").run(greet)
else:
    greet()
