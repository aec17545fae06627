"""A program that does nothing, under the system that the environment names."""

import os

SYSTEM = os.environ.get("BENCH_SYSTEM", "none")
BALLAST: list[list[object]] = [[] for _ in range(int(os.environ.get("BENCH_BALLAST", "0")))]


def main() -> None:
    pass


__import__(f"system_{SYSTEM}").run(main)
