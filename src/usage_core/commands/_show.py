"""show: exactly what was sent, and what waits to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal, cast

import attrs

from usage_core import Tracker
from usage_core._delivery import records
from usage_core._delivery.folder import Folder, Queue
from usage_core._delivery.ledger import Ledger
from usage_core._messages import Alias, Capture, Message
from usage_core.commands._folder import known_folder, names_of, outboxes_of

__all__ = ["Entry", "Shown", "show"]


@attrs.frozen
class Entry:
    """One message: sent, queued (made, to be sent), or recorded (whose it is, is not settled yet).

    *kind* is `"capture"` or `"alias"`, which joins *previous_id* to *distinct_id*. *timestamp* is
    when it happened, *sent_at* when it was accepted. *distinct_id* is None for what is recorded.
    """

    state: Literal["sent", "queued", "recorded"]
    transport: str
    kind: Literal["capture", "alias"]
    uuid: str
    timestamp: datetime
    sent_at: datetime | None
    event: str | None
    distinct_id: str | None
    previous_id: str | None
    is_anon: bool | None
    properties: Mapping[str, object]


@attrs.frozen
class Shown:
    """All entries as they happened; *unreadable* counts the records that could not be read.

    The oldest of what was sent make room in the ledger after 256 KiB. What plug-ins take out on the
    way is gone from what was sent, and still there in what waits.
    """

    entries: tuple[Entry, ...]
    unreadable: int


def show(tracker: Tracker) -> Shown:
    """Return what was sent and what waits; a message that was sent twice stands there once."""
    folder = known_folder(tracker)
    if folder is None:
        return Shown((), 0)
    found: dict[str, Entry] = {}
    unreadable = 0
    # What waits is read first: what is sent meanwhile is then found in the ledger, and counts so.
    for entry in [*_recorded(folder.facts), *_queued(folder), *_sent(folder)]:
        if entry is None:
            unreadable += 1
        elif entry.uuid not in found or found[entry.uuid].state != "sent":
            found[entry.uuid] = entry
    entries = sorted(found.values(), key=lambda one: (one.timestamp, one.kind))
    return Shown(tuple(entries), unreadable)


def _recorded(journal: Queue) -> Iterator[Entry | None]:
    for name in names_of(journal):
        try:
            fact = records.load_fact(journal.read(name))
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            yield None
            continue
        yield Entry(
            "recorded",
            fact.transport,
            "capture",
            fact.id,
            fact.at,
            sent_at=None,
            event=fact.event,
            distinct_id=None,
            previous_id=None,
            is_anon=None,
            properties={key: value for key, value in fact.properties.items() if key != "session"},
        )


def _queued(folder: Folder) -> Iterator[Entry | None]:
    for transport in outboxes_of(folder):
        outbox = folder.outbox(transport)
        for name in names_of(outbox):
            try:
                message = records.load_message(outbox.read(name))
            except FileNotFoundError:
                continue
            except (OSError, ValueError):
                yield None
                continue
            yield _entry("queued", transport, message, None)


def _sent(folder: Folder) -> Iterator[Entry | None]:
    for line in Ledger(folder.ledger).read():
        try:
            message = records.message_of(line)
            at = datetime.fromisoformat(cast(str, line["sent_at"]))
            yield _entry("sent", str(line["transport"]), message, at)
        except (KeyError, TypeError, ValueError):
            yield None


def _entry(
    state: Literal["sent", "queued"], transport: str, message: Message, sent_at: datetime | None
) -> Entry:
    previous_id: str | None
    match message:
        case Alias(uuid, previous_id, distinct_id, timestamp):
            kind: Literal["alias", "capture"] = "alias"
            event, is_anon, properties = None, None, dict[str, object]()
        case Capture(uuid, event, distinct_id, timestamp, properties, is_anon):
            kind, previous_id = "capture", None
    return Entry(
        state,
        transport,
        kind,
        uuid,
        timestamp,
        sent_at=sent_at,
        event=event,
        distinct_id=distinct_id,
        previous_id=previous_id,
        is_anon=is_anon,
        properties=properties,
    )
