"""python -m arcade_cloud [--port N] [--collector-port N]: a cloud and a collector, until Ctrl-C."""

from __future__ import annotations

import argparse

from arcade_cloud.cloud import PASSWORD, ArcadeCloud
from usage_posthog.collector import Collector

PEOPLE = {"ada@example.com": "principal-of-ada", "bob@example.com": "principal-of-bob"}


def main() -> None:
    """Start both servers and say what the tool must be told to find them."""
    parser = argparse.ArgumentParser(prog="python -m arcade_cloud", description=__doc__)
    parser.add_argument("--port", type=int, default=8900)
    parser.add_argument("--collector-port", type=int, default=8901)
    options = parser.parse_args()
    cloud = ArcadeCloud(PEOPLE, port=options.port)
    collector = TalkingCollector(cloud, options.collector_port)
    try:
        collector.start()
    except OSError as error:
        raise SystemExit(f"cannot listen on port {collector.port}: {error.strerror}") from None
    cloud.note("")
    for name, value in settings(cloud, collector).items():
        cloud.note(f"export {name}={value}")
    cloud.note("")
    cloud.note(f"{' and '.join(PEOPLE)} can log in; the password is {PASSWORD}.")
    cloud.note(f"What was collected: {collector.url}")
    cloud.note("")
    cloud.run()
    collector.stop()


def settings(cloud: ArcadeCloud, collector: Collector) -> dict[str, str]:
    """The environment in which `arcade` talks to these two."""
    return {
        "ARCADE_CLOUD_HOST": f"localhost:{cloud.port}",
        "ARCADE_ENGINE_HOST": f"localhost:{cloud.port}",
        "ARCADE_POSTHOG_HOST": collector.url,
        "ARCADE_POSTHOG_KEY": "phc_local",
    }


class TalkingCollector(Collector):
    """A collector whose lines appear among the cloud's."""

    def __init__(self, cloud: ArcadeCloud, port: int) -> None:
        super().__init__(port)
        self._cloud = cloud

    def note(self, line: str) -> None:
        self._cloud.note(line)


if __name__ == "__main__":
    main()
