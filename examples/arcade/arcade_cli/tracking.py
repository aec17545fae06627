"""All that it takes to track the tool's usage: one object, and two lines in `app`."""

from __future__ import annotations

import os

from arcade_cli import places
from usage_core import Tracker

VERSION = "1.2.3"


def make_tracker() -> Tracker:
    """Describe the tool to the framework.

    Events go to the PostHog project whose key is in `ARCADE_POSTHOG_KEY`. An example has none of
    its own: without that variable nothing is recorded and nothing is sent.
    """
    api_key = os.environ.get("ARCADE_POSTHOG_KEY", "")
    host = os.environ.get("ARCADE_POSTHOG_HOST", "https://us.i.posthog.com")
    return Tracker(
        "arcade",
        version=VERSION,
        transport="posthog" if api_key else "null",
        options={"api_key": api_key, "host": host},
        credentials=places.credentials_file(),
        whoami=places.cloud_url(),
    )
