"""A small argparse command under the system that the environment names."""

import argparse
import os

SYSTEM = os.environ.get("BENCH_SYSTEM")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", default="world")
    print(f"hello {parser.parse_args().name}")


if SYSTEM:
    __import__(f"system_{SYSTEM}").run(main)
else:
    main()
