"""A small click command under the system that the environment names."""

import os

import click

SYSTEM = os.environ.get("BENCH_SYSTEM", "none")
BALLAST: list[list[object]] = [[] for _ in range(int(os.environ.get("BENCH_BALLAST", "0")))]


@click.command()
@click.option("--name", default="world")
def greet(name: str) -> None:
    click.echo(f"hello {name}")


__import__(f"system_{SYSTEM}").run(greet)
