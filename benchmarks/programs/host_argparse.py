"""A small argparse command under the system that the environment names."""

import argparse
import os

SYSTEM = os.environ.get("BENCH_SYSTEM", "none")
BALLAST: list[list[object]] = [[] for _ in range(int(os.environ.get("BENCH_BALLAST", "0")))]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="world")
    print(f"hello {parser.parse_args().name}")


__import__(f"system_{SYSTEM}").run(main)
