"""What each command says, as blocks for the screen. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

from usage_core.commands._choice import Disabled, Enabled
from usage_core.commands._doctor import Diagnosis
from usage_core.commands._erase import Forgotten, Reset
from usage_core.commands._flush import Flushed
from usage_core.commands._preview import MessageSpec, Preview
from usage_core.commands._screen import Block, Item, Table
from usage_core.commands._show import Entry, Shown
from usage_core.commands._status import Status

__all__ = [
    "disabled",
    "doctor",
    "enabled",
    "flushed",
    "forgotten",
    "preview",
    "reset",
    "show",
    "status",
]


def status(now: Status) -> Iterator[Block]:
    """Say what holds, and all that belongs to it."""
    if not now.allowed:
        yield f"Usage of {now.app} is not recorded: {now.source} forbids it."
    elif now.notice_due:
        yield f"Usage of {now.app} is recorded once its notice was shown."
    else:
        yield f"Usage of {now.app} is recorded ({now.source})."
    waiting = [f"{count} for {name}" for name, count in now.waiting.items()]
    error = f"{now.last_error_at}: {now.last_error}" if now.last_error else "none"
    rows = [
        ("your choice", now.choice),
        ("transport", f"{now.transport} (chosen by {now.transport_source})"),
        ("endpoint", now.endpoint or "the transport's own"),
        ("anonymous id", now.anon_id or now.identity_error or "none yet"),
        ("logged in as", now.principal_id or "nobody"),
        ("recorded", f"{now.unfolded} whose owner is not settled yet"),
        ("waiting", ", ".join(waiting) or "0"),
        ("last success", now.last_success or "none"),
        ("last error", error),
        ("failures", f"{now.failures} in a row"),
    ]
    if now.paused_until:
        rows.append(("next attempt", now.paused_until))
    if now.worker:
        rows.append(("worker", f"process {now.worker}"))
    yield Table("Now", rows)
    if now.notes:
        notes = [
            (note.at, about, f"{note.text} ({note.count})") for about, note in now.notes.items()
        ]
        yield Table("What went wrong", notes)
    there = [(file.what, file.path, "" if file.exists else "(none)") for file in now.files]
    yield Table("Files", there)
    yield Table("To stop it", [("for good", "disable"), ("by variable", ", ".join(now.switches))])


def enabled(result: Enabled) -> Iterator[Block]:
    """Say whether it is on now."""
    if result.overridden_by is None:
        yield "Usage is recorded from now on."
    else:
        yield f"Your choice is stored, but {result.overridden_by} still forbids it."


def disabled(result: Disabled) -> Iterator[Block]:
    """Say that it is off now."""
    yield "Nothing is recorded or sent from now on, and nobody is told."
    if result.removed:
        yield f"Thrown away unsent: {_count(result.removed, 'record')}."
    if result.unfinished:
        yield "A worker still has a record in hand; it is thrown away before you allow it again."


def reset(result: Reset) -> Iterator[Block]:
    """Say which id it is now."""
    if result.after is None:
        yield "There is no anonymous id; a new one is made when something is recorded."
    else:
        yield f"The anonymous id is now {result.after}; {result.before} is not used again."
    if result.was_linked:
        yield "If you are still logged in, the next command links the new id to your account."
    if result.dropped:
        yield f"Thrown away unsent: {_count(result.dropped, 'record')}."


def forgotten(result: Forgotten) -> Iterator[Block]:
    """Say what was erased, and what not."""
    if result.erased:
        yield Table("Erased", [(path,) for path in result.erased])
    else:
        yield "There is nothing to erase."
    if result.kept:
        yield f"Kept: {result.kept}, your no."


def flushed(result: Flushed) -> Iterator[Block]:
    """Say what arrived, what waits, and what went wrong."""
    if result.off is not None:
        yield f"Nothing is sent: {result.off} forbids it."
        return
    yield f"Sent: {_count(result.delivered, 'message')}. Still waiting: {result.left}."
    for error in result.errors:
        yield f"Error: {error}"


def show(shown: Shown) -> Iterator[Block]:
    """Show every message with all that it carries, as it happened."""
    for entry in shown.entries:
        details = (json.dumps(dict(entry.properties), ensure_ascii=False),)
        yield Item(_head(entry), details if entry.kind == "capture" else ())
    if not shown.entries:
        yield "Nothing was sent, and nothing waits."
    if shown.unreadable:
        yield f"Unreadable: {_count(shown.unreadable, 'record')}."


def preview(coming: Preview) -> Iterator[Block]:
    """Show every message with its properties."""
    yield f"What {coming.app} {coming.version} may send through {coming.transport}:"
    for message in coming.messages:
        yield Table(f"{message.name}: when {message.when}", _properties(message))
    yield ""
    yield from coming.notes


def doctor(diagnosis: Diagnosis) -> Iterator[Block]:
    """Show every finding, and what to do."""
    for finding in diagnosis.findings:
        advice = (finding.advice,) if finding.advice else ()
        yield Item((finding.level, f"{finding.about}: {finding.text}"), advice)


def _head(entry: Entry) -> tuple[str, ...]:
    at = entry.timestamp.isoformat(timespec="seconds")
    through = f"through {entry.transport}"
    if entry.kind == "alias":
        return at, entry.state, f"link {entry.previous_id} to {entry.distinct_id}", through
    return at, entry.state, str(entry.event), f"as {entry.distinct_id or '(not settled)'}", through


def _properties(message: MessageSpec) -> list[tuple[str, ...]]:
    return [
        (one.name, f"{one.says} ({one.when})" if one.when else one.says)
        for one in message.properties
    ]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
