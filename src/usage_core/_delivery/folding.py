"""Folding: facts out of the journal, identity into `usage.json`, messages into the outboxes."""

from __future__ import annotations

import platform
import time
from uuid import NAMESPACE_OID, uuid5

import attrs

from usage_core._delivery import records
from usage_core._delivery.in_hand import DEADLY
from usage_core._delivery.workplace import Workplace
from usage_core._identity.lifecycle import Fact, step
from usage_core._identity.state import Identity
from usage_core._identity.store import IdentityStore, UnusableIdentityError
from usage_core._identity.waterfall import Waterfall
from usage_core._local import LARGEST, stamp_of, write_file
from usage_core._messages import Alias, Capture, Message

__all__ = ["Folding"]

ASKING_SECONDS = 2.0


@attrs.define
class Folding:
    """Folds facts, oldest first and each to its end before the next.

    The order of the writes makes every crash harmless: answer → messages → identity → the fact is
    removed. Whatever was done of this, doing it again from the start gives the same files.
    """

    place: Workplace
    folded: int = attrs.field(init=False, default=0)
    is_awaited: bool = attrs.field(init=False, default=False)
    """Whether a fact was another transport's: its own drain may be waiting for the lock."""
    _waterfall: Waterfall = attrs.field(init=False)
    _store: IdentityStore = attrs.field(init=False)
    _asking: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        credentials = self.place.config.credentials
        stamp_now = None if credentials is None else lambda: stamp_of(credentials)
        self._waterfall = Waterfall(self._ask, stamp_now)
        self._store = IdentityStore(self.place.folder.identity)

    def fold_all(self) -> bool:
        """Fold what the journal holds; return whether a link was among it, which is urgent.

        Raises `OSError` where a file cannot be written or read: that fact and all behind it stay,
        for they must be folded in order. Raises `Gone` where there is nothing more to do.
        """
        journal = self.place.folder.facts
        urgent = False
        for name in journal.names():
            self.place.check()
            try:
                records.check_name(name)
                data = journal.read(name)
                fact = records.load_fact(data)
            except FileNotFoundError:
                journal.remove(name)  # a link that leads nowhere
                continue
            except (OSError, ValueError) as error:
                self.place.cannot_read(journal, name, error)
                continue
            if self.place.in_hand.deaths(name) >= DEADLY:
                self.place.set_aside(journal, name, "three workers died of it")
                continue
            urgent = self._fold(name, data, fact) or urgent
            self.folded += 1
        journal.recount()  # there is room again for commands that come while this worker lives
        return urgent

    def _fold(self, name: str, data: bytes, fact: Fact) -> bool:
        before = self._identity()
        principal = self._principal(name, data, fact, before)
        after, messages = step(before, fact, principal)
        outbox = self.place.folder.outbox(fact.transport)
        for message in messages:
            text = records.dump_message(_complete(message))
            if isinstance(message, Capture) and len(text) > LARGEST:  # of a fact that is not ours
                text = records.dump_message(attrs.evolve(message, properties={}))
            if isinstance(message, Alias):
                outbox.put(f"{name}-0-alias", text, always=True, sync=True)
            elif not outbox.put(f"{name}-1-capture", text):
                self.place.note("outbox", "full: an event was dropped")
        if fact.transport != self.place.config.transport:
            self.is_awaited = True
        if after != before:
            self._store.write(after)
        self.place.folder.facts.remove(name)
        if _person(after) != _person(before):
            self.place.plugins.tell("usage_identity_changed", before=before, after=after, fact=fact)
        return any(isinstance(message, Alias) for message in messages)

    def _identity(self) -> Identity | None:
        try:
            return self._store.read()
        except UnusableIdentityError as error:
            self.place.note("usage.json", f"set aside, and a new identity begun: {error}")
            self._store.set_aside(self.place.folder.aside, time.time_ns())
            return None

    def _principal(
        self, name: str, data: bytes, fact: Fact, identity: Identity | None
    ) -> str | None:
        # What is asked is held: a plug-in that kills the worker is found by its record.
        self._asking = name
        principal = self._waterfall.principal(identity, fact)
        if principal is not None and principal != fact.principal:
            # Before it is acted on, so that after a crash nobody has to be asked again.
            path = self.place.folder.facts.path(name)
            write_file(path, records.with_principal(data, principal), sync=True)
        return principal

    def _ask(self, credential: str | None) -> str | None:
        if not self.place.plugins.have("usage_principal"):
            return None
        with self.place.in_hand.hold(self._asking, self._asking):
            return self.place.plugins.principal(credential, ASKING_SECONDS)


def _person(identity: Identity | None) -> tuple[str, str | None] | None:
    if identity is None:
        return None
    return identity.anon_id, getattr(identity, "principal_id", None)


def _complete(message: Message) -> Message:
    """Add what the machine knows, and make of the terminal's number an id that tells nothing."""
    if not isinstance(message, Capture):
        return message
    properties = dict(message.properties)
    session = f"{message.distinct_id} {properties.pop('session', '')} {message.timestamp.date()}"
    return attrs.evolve(
        message,
        properties={
            **properties,
            "os_type": platform.system(),
            "os_release": platform.release(),
            "session_id": str(uuid5(NAMESPACE_OID, session)),
        },
    )
