"""Receiver: the collector of every system, and the auth API, on loopback in one server."""

from __future__ import annotations

import json

from usage_core.testing.exchange import Reply, Request, json_reply
from usage_core.testing.server import LocalServer

__all__ = ["Receiver", "count_events"]


class Receiver(LocalServer):
    """Accepts whatever it is sent and counts the events in it; knows who every secret belongs to.

    `auth` is the server that answers for the auth API, so that the two can be treated differently.
    """

    def handle(self, request: Request) -> Reply:
        """Accept events; answer a question for the owner of credentials with `person`."""
        if "/auth/" in request.path:
            return json_reply({"data": {"principal_id": "person", "account_id": "person"}})
        return json_reply({"status": 1, "success": True})

    def events(self) -> int:
        """Return how many events were read whole."""
        return sum(count_events(request) for request in self.requests)


def count_events(request: Request) -> int:
    """Return how many events this request carries, in the form of any of the systems."""
    if request.method != "POST":
        return 0
    try:
        body = json.loads(request.body)
    except ValueError:
        return 0
    if isinstance(body, dict):
        return len(body.get("batch", [body]))
    return len(body)
