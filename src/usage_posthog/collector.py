"""A local collector that takes events as PostHog's capture does, and keeps them.

python -m usage_posthog.collector [--port N] [--save FILE.jsonl] [--quiet]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, TypeAlias, cast
from uuid import UUID

from usage_core.testing.exchange import Reply, Request, json_reply
from usage_core.testing.server import LocalServer

__all__ = ["Batch", "Collector", "Event", "Refusal", "judge", "main"]

Event: TypeAlias = dict[str, Any]

_CAPTURE = {"/batch", "/i/v0/e", "/capture", "/e", "/track", "/engage"}

_SHOWN = 200
_PAGE = """<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>{count} events</title>
<style>body{{font:14px sans-serif;margin:2em}}td{{padding:.2em 1em .2em 0;vertical-align:top}}
td+td+td+td{{color:#777;word-break:break-all}}</style>
<h1>{count} events, the newest first</h1><table>{rows}</table>"""

# What the official client may ask for beside capture, and an answer that changes nothing.
_FLAGS = b'{"flags": {}, "featureFlags": {}, "featureFlagPayloads": {}}'
_DEFINITIONS = b'{"flags": [], "group_type_mapping": {}, "cohorts": {}}'
_ASIDE = {
    "/api/feature_flag/local_evaluation": _DEFINITIONS,
    "/array": b'{"supportedCompression": ["gzip"]}',
    "/decide": _FLAGS,
    "/flags": _FLAGS,
    "/flags/definitions": _DEFINITIONS,
}


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted request: its events, and how they came."""

    request: Request
    api_key: str
    events: tuple[Event, ...]
    sent_at: str | None
    historical_migration: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused request, with the status and the reason that were answered."""

    request: Request
    status: int
    reason: str


class Collector(LocalServer):
    """PostHog's capture endpoints (V0) on loopback.

    A request is taken whole or refused whole: 400 for what cannot be parsed, holds no event or
    holds a bad one, 401 for an unusable project key, 413 for what is too big. `batch_limit` and
    `event_limit` are in bytes. With *save*, accepted events are appended there as JSON lines
    before they are acknowledged.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        batch_limit: int = 20 * 1024 * 1024,
        event_limit: int = 1_000_000,
        save: Path | None = None,
    ) -> None:
        super().__init__(port, host=host)
        self.batch_limit = batch_limit
        self.event_limit = event_limit
        self._save = save
        self._batches: list[Batch] = []
        self._events: list[Event] = []
        self._refusals: list[Refusal] = []
        self._unwanted: list[tuple[str | Callable[[Event], bool], int]] = []

    @property
    def batches(self) -> tuple[Batch, ...]:
        """Every accepted request, in the order of acceptance."""
        with self.changed:
            return tuple(self._batches)

    @property
    def events(self) -> tuple[Event, ...]:
        """Every accepted event as it came, in the order of acceptance."""
        with self.changed:
            return tuple(self._events)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        """Every refused request, in order, with the reason that was answered."""
        with self.changed:
            return tuple(self._refusals)

    def wait_for_events(self, count: int, timeout: float = 10.0) -> tuple[Event, ...]:
        """Wait until at least *count* events were accepted; raises TimeoutError as `wait_for`."""
        self.wait_for(lambda: len(self._events) >= count, timeout)
        return self.events

    def reject(self, which: str | Callable[[Event], bool], status: int = 400) -> None:
        """From now on refuse each batch that holds the event with this uuid, or such an event."""
        with self.changed:
            self._unwanted.append((which, status))

    def handle(self, request: Request) -> Reply:
        """Take events, show them at `/`, and answer harmlessly what else the client asks."""
        path = request.path.rstrip("/")
        if request.method == "POST" and path in _CAPTURE:
            return self._capture(request)
        if request.method == "GET" and not path:
            return Reply(200, self._page().encode(), {"Content-Type": "text/html; charset=utf-8"})
        harmless = _ASIDE.get("/array" if path.startswith("/array/") else path)
        if harmless is None:
            return json_reply({"error": "not found"}, 404)
        return Reply(200, harmless, {"Content-Type": "application/json"})

    def _capture(self, request: Request) -> Reply:
        verdict = judge(request, batch_limit=self.batch_limit, event_limit=self.event_limit)
        with self.changed:
            if isinstance(verdict, Batch):
                verdict = self._wanted_or_not(verdict)
            if isinstance(verdict, Refusal):
                self._refusals.append(verdict)
                self.note(f"{_now()}  refused with {verdict.status}: {verdict.reason}")
                return Reply(verdict.status, verdict.reason.encode())
            if self._save:
                with self._save.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(event) + "\n" for event in verdict.events)
            self._batches.append(verdict)
            self._events.extend(verdict.events)
            for event in verdict.events:
                self.note("  ".join((_now(), *_summary(event))))
        return json_reply({"status": 1})

    def _wanted_or_not(self, batch: Batch) -> Batch | Refusal:
        for which, status in self._unwanted:
            if any(
                which(event) if callable(which) else event.get("uuid") == which
                for event in batch.events
            ):
                return Refusal(batch.request, status, "an event is unwanted, as scripted")
        return batch

    def _page(self) -> str:
        rows = (
            "".join(f"<td>{escape(cell)}" for cell in (*_summary(event), json.dumps(event)))
            for event in reversed(self.events[-_SHOWN:])
        )
        return _PAGE.format(count=len(self.events), rows="".join(f"<tr>{row}" for row in rows))


def judge(request: Request, *, batch_limit: int, event_limit: int) -> Batch | Refusal:
    """What PostHog makes of *request*: the first thing that is wrong with it refuses the whole."""
    try:
        return _accepted(request, batch_limit, event_limit)
    except _RefusedError as refused:
        return Refusal(request, *refused.args)


class _RefusedError(Exception):
    """Raised while a request is judged, with the status and the reason."""


def _accepted(request: Request, batch_limit: int, event_limit: int) -> Batch:
    if len(request.body) > batch_limit:
        raise _RefusedError(413, f"the request is over {batch_limit} bytes")
    envelope, found = _parse(request.body)
    api_key = _api_key(envelope, found)
    if not found:
        raise _RefusedError(400, "the request holds no event")
    for index, event in enumerate(found):
        if problem := _problem(event):
            raise _RefusedError(400, f"event {index} {problem}")
        if len(_bytes(event)) > event_limit:
            raise _RefusedError(413, f"event {index} is over {event_limit} bytes")
    historical = envelope.get("historical_migration") is True
    return Batch(request, api_key, tuple(found), envelope.get("sent_at"), historical)


def _parse(body: bytes) -> tuple[Event, list[Event]]:
    """The envelope (empty for bare events) and the events of a request."""
    try:
        parsed: object = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _RefusedError(400, f"the body is not JSON: {error}") from None
    envelope: Event = cast("Event", parsed) if isinstance(parsed, dict) else {}
    found: object = envelope.get("batch", [envelope] if envelope else parsed)
    if "batch" not in envelope:
        envelope = {}
    if not isinstance(found, list):
        raise _RefusedError(400, "the body holds no list of events")
    events = cast("list[object]", found)
    if not all(isinstance(event, dict) for event in events):
        raise _RefusedError(400, "an event is not an object")
    return envelope, cast("list[Event]", events)


def _api_key(envelope: Event, events: Sequence[Event]) -> str:
    fields = [envelope] if envelope else events
    names = ("api_key", "token", "$token")
    keys = {str(holder[name]).strip() for holder in fields for name in names if holder.get(name)}
    if len(keys) != 1:
        raise _RefusedError(401, "the request has no api_key, or several")
    key = keys.pop()
    if not key or len(key) > 64 or not key.isascii() or "\0" in key or key.startswith("phx_"):
        raise _RefusedError(401, "the api_key is blank, personal, not ASCII or over 64 characters")
    return key


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _bytes(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _problem(event: Event) -> str | None:
    if not isinstance(event.get("properties", {}), dict):
        return "has properties that are not an object"
    if not isinstance(name := event.get("event"), str) or not name.strip():
        return "has no event name"
    distinct_id = _distinct_id(event)
    if distinct_id is None or not str(distinct_id).strip():
        return "has no distinct_id"
    try:
        UUID(event.get("uuid") or str(UUID(int=0)))
        _bytes(event)
    except (ValueError, AttributeError):
        return "has an invalid uuid, or text that is not Unicode"
    return None


def _distinct_id(event: Event) -> object:
    for holder in (event, cast("Event", event.get("properties", {}))):
        for name in ("distinct_id", "$distinct_id"):
            if holder.get(name) is not None:
                return holder[name]
    return None


def _summary(event: Event) -> tuple[str, str, str]:
    anonymous = event.get("properties", {}).get("$process_person_profile") is False
    kind = "anonymous" if anonymous else "identified"
    return f"{event['event']:<24}", f"{_distinct_id(event)!s:<36}", kind


def _now() -> str:
    return time.strftime("%H:%M:%S")


def main(argv: Sequence[str] | None = None) -> None:
    """Run a collector as a program; its address is the first line it prints."""
    parser = argparse.ArgumentParser(
        prog="python -m usage_posthog.collector",
        description="Take events as PostHog does and print a line for each.",
    )
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--save", type=Path, metavar="FILE", help="append events as JSON lines")
    parser.add_argument("--quiet", action="store_true", help="print the address only")
    options = parser.parse_args(argv)
    if options.save:
        try:
            options.save.open("a").close()
        except OSError as error:
            parser.error(f"cannot write {options.save}: {error.strerror}")
    Collector(options.port, save=options.save).run(quiet=options.quiet)


if __name__ == "__main__":
    main()
