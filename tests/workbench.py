"""A worker in this process, in a folder of its own, whose every file operation can be its last.

For tests that need thousands of drains: a process for each would take hours. What is patched is
said here and nowhere else: the scan of entry points is remembered, foreign code runs without a
thread, and the environment is one without pytest.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import attrs
from hypothesis import Phase

from usage_core import Message, Transport, Unavailable, hookimpl
from usage_core._delivery import folding, guard
from usage_core._delivery.config import Config
from usage_core._delivery.folder import Folder
from usage_core._delivery.records import as_dict
from usage_core._delivery.worker import Worker
from usage_core._delivery.workplace import Gone
from usage_core._identity.state import Identity
from usage_core._identity.store import IdentityStore
from usage_core._recorder import compose, record_name

__all__ = ["Death", "Disk", "Note", "Workbench", "in_process", "note"]

THOROUGH = int(os.environ.get("THOROUGH", "1"))
"""How many times as many stories are told as in the session `tests`, where each is cheap."""

MORE = max(1, THOROUGH // 5)
"""The same, where a story takes a worker with real files."""

PHASES = [Phase.generate] if "UNSHRUNK" in os.environ else list(Phase)
"""Where nobody reads the story that a test fails with, none need be short."""

MOST = 500
"""No story needs as many requests: one that does goes round in a circle."""

RESOLVER = "workbench_resolver"


class Death(BaseException):
    """Raised where the process is killed; nothing that it does after this has an effect."""


@contextmanager
def in_process(*, threads: bool = False) -> Iterator[None]:
    """Make workers cheap in this process; with *threads*, foreign code keeps its own."""
    resolver: Any = ModuleType(RESOLVER)
    resolver.usage_principal = _usage_principal
    with (
        mock.patch.object(metadata, "entry_points", _entry_points),
        mock.patch.dict(sys.modules, {RESOLVER: resolver}),
        mock.patch.object(folding, "stamp_of", _stamp_of),
        mock.patch.object(guard.Guard, "run", guard.Guard.run if threads else _run),
    ):
        yield


_entry_points = cache(metadata.entry_points)
_current: list[Workbench] = []


def _stamp_of(_: str) -> str | None:
    return _current[0].stamp


def _run(_: guard.Guard, seconds: float, function: Callable[[], object]) -> object:
    return function()


@hookimpl
def _usage_principal(credential: str | None) -> str | None:
    return _current[0].answer()


@attrs.frozen
class Note:
    """A fact as it will lie in the journal, written once so that a story can be told again."""

    name: str
    text: str
    stamp_after: str | None
    """The credentials that are in place when the worker comes."""

    @property
    def uuid(self) -> str:
        return str(json.loads(self.text)["id"])


def note(
    number: int,
    kind: str,
    credential: str | None = None,
    *,
    principal: str | None = None,
    transport: str = "recorder",
    at: int = 1_795_348_800_000_000_000,
    stamp_after: str | None = "",
    **properties: object,
) -> Note:
    """Write a fact of the moment *at*, which was recorded *number*-th."""
    text = compose(
        kind,
        "CLI execution succeeded",
        {"command_name": f"{kind} {number}", **properties},
        time_ns=at + number,
        transport=transport,
        credential=credential,
        principal=principal,
    )
    name = record_name(at + number, number)
    return Note(name, text, credential if stamp_after == "" else stamp_after)


@attrs.define
class Disk:
    """The file operations below *root*, each of which may be the last or fail.

    *dies_at* and *fails_at* count operations from one; those that begin with *dies_on* or with one
    of *fails_on* are concerned too.
    After the death of a process every further operation raises `Death` until `revive`. Death also
    comes before a request, and before its reply is seen: the transport calls `touch`.
    """

    root: str
    dies_at: int = 0
    dies_on: str = ""
    torn: bool = False
    fails_at: int = 0
    fails_for: int = 1
    fails_on: tuple[str, ...] = ()
    fails_with: int = errno.EIO
    counts_reads: bool = False
    count: int = 0
    dead: bool = False
    log: list[str] = attrs.field(factory=list)
    _handles: set[int] = attrs.field(factory=set)

    CHANGES = (
        "write",
        "replace",
        "unlink",
        "fsync",
        "mkdir",
        "chmod",
        "fchmod",
        "utime",
        "ftruncate",
    )
    READS = ("read", "fstat", "stat", "lstat", "listdir", "scandir")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Watch this process's operations."""
        real = {name: getattr(os, name) for name in (*self.CHANGES, *self.READS, "open", "close")}
        real["fsync"] = lambda _: None  # nobody cuts the power, and it is slow
        ours: dict[str, Any] = {}
        for name in (*self.CHANGES, *self.READS):
            ours[name] = self._wrap(name, real[name])
        ours["write"] = self._write(ours["write"], real["write"])
        ours |= {"open": self._open(real["open"]), "close": self._close(real["close"])}
        with mock.patch.multiple(os, **ours):
            yield

    def revive(self) -> None:
        """Start another process."""
        self.dead = False

    def touch(self, what: str, *, reads: bool = False, fails: bool = True) -> None:
        """Count an operation; die or fail here if it is the one."""
        if self.dead:
            raise Death
        if reads and not self.counts_reads:
            return
        self.count += 1
        self.log.append(what)
        if self.count == self.dies_at or (self.dies_on and what.startswith(self.dies_on)):
            self.dead = True
            raise Death
        is_time = self.fails_at <= self.count < self.fails_at + self.fails_for
        if fails and (is_time or what.startswith(self.fails_on or ("never",))):
            raise OSError(self.fails_with, os.strerror(self.fails_with))

    def _is_ours(self, target: object) -> bool:
        if isinstance(target, int):
            return target in self._handles
        return isinstance(target, str) and target.startswith(self.root)

    def _wrap(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def operation(target: object = ".", *arguments: object, **named: object) -> Any:
            if self._is_ours(target):
                self.touch(f"{name} {target}", reads=name in self.READS)
            return real(target, *arguments, **named)

        return operation

    def _open(self, real: Callable[..., int]) -> Callable[..., int]:
        def operation(path: object, flags: int, *arguments: object, **named: object) -> int:
            if not self._is_ours(path):
                return real(path, flags, *arguments, **named)
            self.touch(f"open {path}", reads=not flags & os.O_CREAT)
            handle = real(path, flags, *arguments, **named)
            self._handles.add(handle)
            return handle

        return operation

    def _close(self, real: Callable[[int], None]) -> Callable[[int], None]:
        def operation(handle: int) -> None:
            self._handles.discard(handle)
            real(handle)

        return operation

    def _write(
        self, wrapped: Callable[..., int], real: Callable[..., int]
    ) -> Callable[[int, bytes], int]:
        def operation(handle: int, data: bytes) -> int:
            if self.torn and handle in self._handles and self.count + 1 == self.dies_at:
                real(handle, data[: len(data) // 2])
            return wrapped(handle, data)

        return operation


@attrs.define
class Recorder(Transport):
    """Keeps what it is given; its requests are operations of the disk."""

    disk: Disk
    refuses: Callable[[Sequence[Message]], Exception | None] = lambda _: None
    requests: list[list[Message]] = attrs.field(factory=list)

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        if len(self.requests) > MOST:
            raise Unavailable("this will never end")
        self.disk.touch("request")
        refusal = self.refuses(batch)
        if refusal is not None:
            raise refusal
        self.requests.append(list(batch))
        self.disk.touch("reply")


@attrs.define
class Workbench:
    """A state folder, a transport that remembers, and a person whose credentials have a stamp."""

    root: Path
    answers: dict[str | None, str | None] = attrs.field(factory=dict)
    stamp: str | None = None
    transport_name: str = "recorder"
    ask: Callable[[], str | None] | None = None
    disk: Disk = attrs.field(init=False)
    transport: Recorder = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.disk = Disk(str(self.root))
        self.transport = Recorder(self.disk)

    @property
    def folder(self) -> Folder:
        return Folder(str(self.root))

    @property
    def identity(self) -> Identity | None:
        return IdentityStore(self.folder.identity).read()

    def answer(self) -> str | None:
        """Say who the credentials belong to, as a plug-in's hook."""
        self.disk.touch("ask", fails=False)
        return self.ask() if self.ask else self.answers.get(self.stamp)

    def put(self, one: Note) -> None:
        """Write a fact into the journal, as the command does."""
        self.stamp = one.stamp_after
        self.folder.facts.put(one.name, one.text, always=True)

    def work(self, transport: Transport | None = None) -> bool:
        """Let one worker drain once; return whether it lived to its end."""
        config = Config(
            app="workbench",
            version="1",
            state=str(self.root),
            transport=self.transport_name,
            options={},
            credentials="somewhere",
            whoami=None,
            plugins=(RESOLVER,),
        )
        _current[:] = [self]
        self.disk.revive()
        with mock.patch.dict(os.environ), self.disk.watched():
            for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
                os.environ.pop(name, None)
            try:
                worker = Worker(config, lambda: 10.0)
                worker._delivery._transport = transport or self.transport
                worker.drain(linger=False)
            except (Death, Gone, OSError):
                pass
        return not self.disk.dead

    def work_to_the_end(self, most: int = 50) -> int:
        """Let workers come until nothing is left; return how many came."""
        for workers in range(1, most + 1):
            self.work()
            if self.is_done():
                return workers
        raise AssertionError(f"{most} workers left {self.records()}")

    def is_done(self) -> bool:
        return not self.disk.dead and not self.records()

    def records(self) -> list[str]:
        usage = self.root / "usage"
        found = [*usage.glob("journal/*.json"), *usage.glob("outbox/*/*.json")]
        return sorted(str(path.relative_to(usage)) for path in found)

    def delivered(self) -> list[dict[str, object]]:
        """What arrived, as a back end counts it that drops what it has seen; in order.

        Raises `AssertionError` where a message came again and was not the same.
        """
        seen: dict[str, dict[str, object]] = {}
        for message in [message for batch in self.transport.requests for message in batch]:
            found = as_dict(message)
            first = seen.setdefault(message.uuid, found)
            assert first == found, f"came again, and differs: {first} {found}"
        return list(seen.values())
