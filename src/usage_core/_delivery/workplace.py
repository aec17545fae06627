"""Workplace: what both halves of a worker share while they hold the lock."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from usage_core._delivery.config import Config
from usage_core._delivery.folder import Folder, Queue
from usage_core._delivery.guard import Guard
from usage_core._delivery.health import Health, load, save
from usage_core._delivery.in_hand import DEADLY, InHand
from usage_core._delivery.plugins import Plugins
from usage_core._identity.credentials import CredentialsResolver
from usage_core._local import decide, make_folder, remove_file

__all__ = ["Gone", "Workplace"]

_ASIDE = 50


class Gone(Exception):
    """Raised when there is nothing more to do: consent was withdrawn, or the folder deleted."""


@attrs.define
class Workplace:
    """The configuration, files and plug-ins of one drain. Make it only while holding the lock.

    *left* returns the seconds that remain to the worker.
    """

    config: Config
    left: Callable[[], float]
    guard: Guard = attrs.field(factory=Guard)
    folder: Folder = attrs.field(init=False)
    in_hand: InHand = attrs.field(init=False)
    plugins: Plugins = attrs.field(init=False)
    health: Health = attrs.field(init=False)
    _saved: Health = attrs.field(init=False)
    _inode: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder = Folder(self.config.state)
        self._inode = os.stat(self.folder.usage).st_ino
        self.in_hand = InHand(self.folder.in_hand)
        self.health = self._saved = load(self.folder.health)
        self.plugins = Plugins(self.guard, self.note)
        credentials, whoami = self.config.credentials, self.config.whoami
        builtin: dict[str, object] = {}
        if credentials and whoami:
            builtin["credentials"] = CredentialsResolver(credentials, whoami)
        self.plugins.load(self.config.plugins, builtin)

    def check(self) -> None:
        """Raise `Gone` unless consent still stands and the folder is the one that was locked."""
        try:
            inode = os.stat(self.folder.usage).st_ino
        except FileNotFoundError:
            raise Gone("the folder was deleted") from None
        if inode != self._inode:
            raise Gone("the folder was replaced")
        allowed, source = decide(self.config.app, os.environ, self.folder.consent)
        if not allowed:
            raise Gone(f"switched off by {source}")

    def note(self, about: str, text: str) -> None:
        """Keep in mind what went wrong, for whoever asks."""
        self.health = self.health.noted(now(), about, text)

    def cannot_read(self, spool: Queue, name: str, error: OSError | ValueError) -> None:
        """Set a record aside that cannot be read; where the system refused, at its third refusal.

        Raises *error* again before that: it may be the disk, not the record.
        """
        if isinstance(error, OSError) and error.errno is not None:
            self.note(f"record {name}", str(error))
            if self.health.notes[f"record {name}"].count < DEADLY:
                raise error
        self.set_aside(spool, name, str(error))

    def set_aside(self, spool: Queue, name: str, reason: str) -> None:
        """Move a record that cannot be used out of the way, so that what is behind it flows."""
        self.note("records", f"{name} was set aside: {reason}")
        aside = self.folder.aside
        make_folder(aside)
        os.replace(spool.path(name), os.path.join(aside, f"{name}.json"))
        for old in sorted(os.listdir(aside))[:-_ASIDE]:
            remove_file(os.path.join(aside, old))

    def save(self) -> None:
        """Write the health down if it changed. What cannot be written is let go."""
        if self.health != self._saved:
            try:
                save(self.folder.health, self.health)
                self._saved = self.health
            except OSError:
                pass

    def close(self) -> None:
        """Let go of the plug-ins' thread."""
        self.save()
        self.guard.close()


def now() -> str:
    """Return this moment as the health file has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
