"""The transport `posthog`: PostHog's capture API, through its official client, in the worker.

Options: `api_key`, the project's key; `host`, by default PostHog's cloud in the US; `link`,
`"identify"` or `"alias"`: how an anonymous id is joined to a principal.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import attrs

from usage_core import Message, Rejected, Transport, hookimpl
from usage_posthog import _wire

__all__ = ["PostHogTransport", "usage_transport"]

US_CLOUD = "https://us.i.posthog.com"
LINKS = ("identify", "alias")


@attrs.define
class PostHogTransport(Transport):
    """Delivers batches to PostHog, and takes one apart when a message in it is the trouble.

    PostHog judges a request as a whole: one event that it cannot take costs all the others, so a
    batch that comes back with 400 or 413 is halved until the culprit stands alone.
    """

    api_key: str
    host: str = US_CLOUD
    link: str = "identify"

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        """Deliver *batch*; the time-out holds for all its requests together."""
        rejected: list[Message] = []
        reasons: list[str] = []
        self._send(list(batch), time.monotonic() + timeout, rejected, reasons)
        if rejected:
            raise Rejected(rejected, reasons[0])

    def _send(
        self, batch: list[Message], end: float, rejected: list[Message], reasons: list[str]
    ) -> None:
        from usage_posthog import _client  # imports the official client: hundreds of milliseconds

        events = [event for message in batch for event in _wire.events(message, self.link)]
        try:
            _client.post(self.api_key, self.host, events, end - time.monotonic())
        except _client.RefusedError as refusal:
            if len(batch) == 1 or refusal.whole:
                rejected.extend(batch)
                reasons.append(str(refusal))
                return
            middle = len(batch) // 2
            self._send(batch[:middle], end, rejected, reasons)
            self._send(batch[middle:], end, rejected, reasons)


@hookimpl
def usage_transport(options: Mapping[str, object]) -> Transport:
    """Make the transport. Raises `ValueError` for options that could never work."""
    api_key, host = options.get("api_key"), options.get("host") or US_CLOUD
    link = options.get("link") or "identify"
    if not isinstance(api_key, str) or not api_key.strip():
        raise ValueError("the transport posthog needs the option api_key: your project's, phc_…")
    if not isinstance(host, str) or not host.startswith(("https://", "http://")):
        raise ValueError(f"the transport posthog was given the host {host!r}, which is no URL")
    if not isinstance(link, str) or link not in LINKS:
        raise ValueError(f"the transport posthog was given link={link!r}, not one of {LINKS}")
    return PostHogTransport(api_key.strip(), host, link)
