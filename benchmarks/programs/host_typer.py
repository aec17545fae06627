"""A small Typer command under the system that the environment names."""

import os

import typer

SYSTEM = os.environ.get("BENCH_SYSTEM", "none")
BALLAST: list[list[object]] = [[] for _ in range(int(os.environ.get("BENCH_BALLAST", "0")))]
app = typer.Typer()


@app.command()
def greet(name: str = "world") -> None:
    print(f"hello {name}")


__import__(f"system_{SYSTEM}").run(app)
