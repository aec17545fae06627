"""What a login waits for."""

from __future__ import annotations

import os
import time

from usage_core._local import StateFolder, record_path
from usage_core._recorder import lease_holder, lease_stands

__all__ = ["wait_for_link"]

LOGIN_WAITS = 2.0


def wait_for_link(folder: StateFolder, transport: str, name: str) -> None:
    """Wait until the login is folded and its alias acknowledged, or safe and put off."""
    fact = record_path(folder.journal, name)
    alias = record_path(os.path.join(folder.outboxes, transport), f"{name}-0-alias")
    end = time.monotonic() + LOGIN_WAITS
    while time.monotonic() < end:
        if not os.path.exists(fact):
            if not os.path.exists(alias):
                return
            if lease_stands(folder.lease, time.time()) and lease_holder(folder.lease) is None:
                return  # the collector is away: the alias waits ahead of everything else
        time.sleep(0.005)
