"""How delivery goes: what `status` and `doctor` tell, and the failures that the back-off counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import attrs

from usage_core._local import read_file, write_file

__all__ = ["Health", "Note", "load", "save"]

_MOST = 512 * 1024
_NOTES = 40
_LONGEST = 300
_FAILURES = 999


@attrs.frozen
class Note:
    """Something that went wrong: what was said last, when, and how often it happened."""

    at: str
    text: str
    count: int = 1


@attrs.frozen
class Health:
    """*failures* in a row; the last success and the last error; notes by who they are about."""

    failures: int = 0
    last_success: str | None = None
    last_error: str | None = None
    last_error_at: str | None = None
    notes: Mapping[str, Note] = attrs.field(factory=dict[str, Note])

    def succeeded(self, at: str) -> Health:
        """Return it after a delivery."""
        return attrs.evolve(self, failures=0, last_success=at)

    def failed(self, at: str, reason: str) -> Health:
        """Return it after a delivery that was put off."""
        return attrs.evolve(
            self,
            failures=min(self.failures + 1, _FAILURES),
            last_error=_clean(reason),
            last_error_at=at,
        )

    def noted(self, at: str, about: str, text: str) -> Health:
        """Return it with one more note; the longest unheard of makes room."""
        about = _clean(about)
        count = self.notes[about].count + 1 if about in self.notes else 1
        others = {name: note for name, note in self.notes.items() if name != about}
        kept = dict(list(others.items())[-(_NOTES - 1) :])
        return attrs.evolve(self, notes={**kept, about: Note(at, _clean(text), count)})


def load(path: str) -> Health:
    """Return what is written at *path*; a blank health where it cannot be read."""
    try:
        found: object = json.loads(read_file(path, most=_MOST))
        if not isinstance(found, dict):
            return Health()
        record = cast(dict[str, object], found)
        failures, notes = record.get("failures"), record.get("notes")
        return Health(
            failures if type(failures) is int and 0 <= failures <= _FAILURES else 0,
            _text(record.get("last_success")),
            _text(record.get("last_error")),
            _text(record.get("last_error_at")),
            _notes(cast(dict[str, object], notes)) if isinstance(notes, dict) else {},
        )
    except (OSError, ValueError, RecursionError):
        return Health()


def save(path: str, health: Health) -> None:
    """Replace what is written at *path*. Raises `OSError`."""
    write_file(path, json.dumps(attrs.asdict(health), indent=1).encode("ascii"))


def _clean(text: str) -> str:
    # Some of it is what a server said, and a terminal obeys more than letters.
    return "".join(c if c.isprintable() else " " for c in text[:_LONGEST])


def _notes(found: dict[str, object]) -> dict[str, Note]:
    notes: dict[str, Note] = {}
    for about, value in list(found.items())[:_NOTES]:
        if isinstance(value, dict):
            record = cast(dict[str, object], value)
            count = record.get("count")
            notes[about[:_LONGEST]] = Note(
                _text(record.get("at")) or "",
                _text(record.get("text")) or "",
                count if type(count) is int else 1,
            )
    return notes


def _text(value: object) -> str | None:
    return value[:_LONGEST] if isinstance(value, str) else None
