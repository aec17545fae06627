"""UsageRecorder: what a test's commands would have sent, in memory; `assert_silent`: nothing."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager

import attrs

from usage_core import Tracker, _local
from usage_core._delivery.records import load_fact
from usage_core._identity.lifecycle import step
from usage_core._identity.state import Identity
from usage_core._local import StateFolder
from usage_core._messages import Alias, Capture, Message
from usage_core._recorder import Recorder, compose
from usage_core.adapters import finish

__all__ = ["UsageRecorder", "assert_documented", "assert_silent", "recording"]


@attrs.define
class UsageRecorder:
    """The messages that trackers of this process would have delivered, oldest first.

    Nobody is asked who somebody is: a `login` is linked if it brings its principal along.
    """

    messages: list[Message] = attrs.field(factory=list[Message])
    undeclared: list[str] = attrs.field(factory=list[str])
    _identity: Identity | None = None

    @property
    def events(self) -> list[Capture]:
        """The events, without the links; the runs of argparse apps that are still open end here."""
        finish()
        return [message for message in self.messages if isinstance(message, Capture)]

    @property
    def links(self) -> list[Alias]:
        """The links between an anonymous id and a principal."""
        return [message for message in self.messages if isinstance(message, Alias)]

    @property
    def commands(self) -> list[object]:
        """The names of the commands, in order."""
        return [event.properties["command_name"] for event in self.events]

    def only(self) -> Capture:
        """Return the one event that there is. Raises `AssertionError` if there are others."""
        if len(self.events) != 1:
            raise AssertionError(f"not one event but {len(self.events)}: {self.commands}")
        return self.events[0]

    def take(self, text: str) -> None:
        """Fold the text of a fact, as a worker would."""
        taken = load_fact(text.encode("ascii"))
        self._identity, messages = step(self._identity, taken, taken.principal)
        self.messages += messages


@contextmanager
def recording() -> Generator[UsageRecorder]:
    """Record within what trackers of this process would send, whatever switches tracking off.

    Nothing is written, started or sent. Raises `AssertionError` at the end if a property was
    recorded that its tool declares to record never.
    """
    recorder = UsageRecorder()

    def record(
        self: Recorder,
        kind: str,
        event: str,
        properties: Mapping[str, object],
        *,
        credential: str | None,
        principal: str | None = None,
    ) -> None:
        recorder.take(
            compose(
                kind,
                event,
                properties,
                time_ns=time.time_ns(),
                transport=self.transport(),
                credential=credential,
                principal=principal,
            )
        )

    def may_record(app: str, folder: StateFolder | None) -> tuple[bool, str]:
        del app, folder
        return True, "usage_recorder"

    def drop(_: Recorder, command: str, name: str) -> None:
        recorder.undeclared.append(f"{name!r} of {command!r}")

    kept = Recorder.record, Recorder.drop, _local.may_record
    setattr(Recorder, "record", record)  # noqa: B010  # a method, for now
    setattr(Recorder, "drop", drop)  # noqa: B010  # as above
    _local.may_record = may_record
    try:
        yield recorder
    finally:
        Recorder.record, Recorder.drop, _local.may_record = kept  # type: ignore[method-assign]  # back
    if recorder.undeclared:
        raise AssertionError(f"recorded, but not declared: {', '.join(recorder.undeclared)}")


def assert_documented(tracker: Tracker, path: str | os.PathLike[str]) -> None:
    """Check that the file at *path* says what *tracker* declares.

    Raises `AssertionError` that says how to make it anew if the two have drifted apart.
    """
    from usage_core.commands import document

    try:
        with open(path, encoding="utf-8") as file:
            found = file.read()
    except FileNotFoundError:
        found = ""
    if found != document(tracker):
        raise AssertionError(
            f"{os.fspath(path)} is not what the tracker declares: write"
            " usage_core.commands.document(tracker) there"
        )


# What a process does to the world, by the names of its audit events. Reading is not among it.
_DEEDS = frozenset(
    {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.utime", "os.chmod"}
    | {"os.link", "os.symlink", "os.fork", "os.posix_spawn", "subprocess.Popen"}
    | {"socket.__new__", "socket.connect", "socket.getaddrinfo"}
)
_WRITES = frozenset("wax+")


@attrs.define
class _Witness:
    """An audit hook, which cannot be removed: it looks away unless it is asked to look."""

    thread: int = 0
    seen: list[str] = attrs.field(factory=list[str])

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.thread != threading.get_ident():
            return
        if event in _DEEDS or (event == "open" and _writes(*arguments)):
            self.seen.append(f"{event} {arguments[0]!r}" if arguments else event)


_witness: list[_Witness] = []


@contextmanager
def assert_silent() -> Generator[None]:
    """Prove that what runs within, in this thread, leaves no trace.

    Raises `AssertionError` that names every file written, process started and socket opened.
    """
    if not _witness:
        _witness.append(_Witness())
        sys.addaudithook(_witness[0])
    witness = _witness[0]
    witness.thread, witness.seen = threading.get_ident(), []
    try:
        yield
    finally:
        witness.thread = 0
    if witness.seen:
        raise AssertionError(f"not silent: {', '.join(witness.seen)}")


def _writes(_: object, mode: object = None, flags: object = None) -> bool:
    if isinstance(mode, str):
        return bool(_WRITES & set(mode))
    return isinstance(flags, int) and flags & 3 != 0  # O_WRONLY or O_RDWR
