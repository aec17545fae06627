"""Where everything is: the hosts that the tool talks to, its port, its files.

The hosts and the port can be set in the environment, for an Arcade of one's own and for tests.
"""

from __future__ import annotations

import os
import re

from arcade_cli.errors import ArcadeError

PROD_CLOUD_HOST = "cloud.arcade.dev"
PROD_ENGINE_HOST = "api.arcade.dev"
LOCALHOST = "localhost"
LOCAL_AUTH_CALLBACK_PORT = 9905


def config_folder() -> str:
    """`~/.arcade`, or `$ARCADE_WORK_DIR/.arcade`."""
    return os.path.join(os.path.expanduser(os.environ.get("ARCADE_WORK_DIR") or "~"), ".arcade")


def credentials_file() -> str:
    """What a login brought: an API key and whose it is."""
    return os.path.join(config_folder(), "credentials.yaml")


def usage_file() -> str:
    """Who the usage events belong to. The framework writes it; the name is here to be read."""
    return os.path.join(config_folder(), "usage.json")


def cloud_url() -> str:
    """Where people log in and keys are checked; `ARCADE_CLOUD_HOST` replaces the host."""
    return _url(os.environ.get("ARCADE_CLOUD_HOST") or PROD_CLOUD_HOST)


def engine_url() -> str:
    """Where tools run; `ARCADE_ENGINE_HOST` replaces the host."""
    return _url(os.environ.get("ARCADE_ENGINE_HOST") or PROD_ENGINE_HOST)


def callback_port() -> int:
    """Where the browser brings the answer of a login; `ARCADE_CALLBACK_PORT` replaces the port."""
    found = os.environ.get("ARCADE_CALLBACK_PORT") or str(LOCAL_AUTH_CALLBACK_PORT)
    if not (found.isascii() and found.isdigit() and 0 < int(found) < 65536):
        raise ArcadeError(f"ARCADE_CALLBACK_PORT is {found!r}, which is no port.")
    return int(found)


def callback_url() -> str:
    """The address that the cloud sends the browser back to."""
    return f"http://{LOCALHOST}:{callback_port()}/callback"


def _url(host: str) -> str:
    """Make a URL of *host*: https, but for this very machine, or what it says itself."""
    if "://" in host:
        return host.rstrip("/")
    local = re.fullmatch(rf"({LOCALHOST}|127\.0\.0\.1|\[::1\])(:[0-9]+)?", host)
    return f"{'http' if local else 'https'}://{host}"
