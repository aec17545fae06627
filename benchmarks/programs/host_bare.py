"""A program that does nothing, under the system that the environment names."""

import os

SYSTEM = os.environ.get("BENCH_SYSTEM")


def main() -> None:
    pass


if SYSTEM:
    __import__(f"system_{SYSTEM}").run(main)
else:
    main()
