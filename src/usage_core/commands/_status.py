"""status: whether usage is recorded, who decided that, and how delivery goes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

import attrs

from usage_core import Tracker, _notice
from usage_core._delivery.folder import Folder
from usage_core._delivery.health import Note, load
from usage_core._identity.state import Linked
from usage_core._identity.store import IdentityStore, UnusableIdentityError
from usage_core._local import file_allows, machine_file, read_file, variable_prefix
from usage_core._recorder import lease_holder, lease_stands
from usage_core.commands._folder import known_folder, names_of, outboxes_of
from usage_core.commands._tracker import decision_of, recorder_of

__all__ = ["File", "Status", "status", "stored_choice"]


@attrs.frozen
class File:
    """One of the files or folders that the tracker may use, and whether it is there."""

    what: str
    path: str
    exists: bool


@attrs.frozen
class Status:
    """All that can be told without asking anybody.

    *allowed* is what holds now and *source* the variable or file that decided it; *choice* is the
    person's own: `"on"`, `"off"`, `"none"`, or `"unreadable"`, which counts as no. *notice_due*
    says that nothing is recorded before the notice was shown. *endpoint* is the option `host`; None
    where the transport has its own. *unfolded* counts facts whose owner is not settled yet,
    *waiting* the messages for each transport. *paused_until* is when delivery is tried again.
    """

    app: str
    version: str
    allowed: bool
    source: str
    choice: str
    notice_due: bool
    transport: str
    transport_source: str
    runs: str | None
    endpoint: str | None
    anon_id: str | None
    principal_id: str | None
    identity_error: str | None
    unfolded: int
    waiting: Mapping[str, int]
    worker: int | None
    paused_until: str | None
    failures: int
    last_success: str | None
    last_error: str | None
    last_error_at: str | None
    notes: Mapping[str, Note]
    files: tuple[File, ...]
    switches: tuple[str, ...]


def status(tracker: Tracker) -> Status:
    """Return the status; touches no file, starts nothing and asks nobody."""
    recorder = recorder_of(tracker)
    folder, transport = known_folder(tracker), recorder.transport()
    allowed, source = decision_of(tracker)
    host = cast(Mapping[str, object], recorder.config["options"]).get("host")
    prefix = variable_prefix(tracker.app)
    swapped = transport != recorder.config["transport"]
    anon_id, principal_id, identity_error = _identity(folder)
    health = load(folder.health if folder else os.devnull)
    return Status(
        app=tracker.app,
        version=tracker.version,
        allowed=allowed,
        source=source,
        choice=stored_choice(folder.consent) if folder else "none",
        notice_due=bool(
            folder and recorder.notice and not _notice.is_known(folder.notice, recorder.notice)
        ),
        transport=transport,
        transport_source=f"{prefix}_USAGE_TRANSPORT" if swapped else tracker.app,
        runs=_remembered(folder, transport) if folder else None,
        endpoint=str(host) if host and not swapped else None,
        anon_id=anon_id,
        principal_id=principal_id,
        identity_error=identity_error,
        unfolded=len(names_of(folder.facts)) if folder else 0,
        waiting=_waiting(folder) if folder else {},
        worker=_worker(folder) if folder else None,
        paused_until=_paused_until(folder) if folder else None,
        failures=health.failures,
        last_success=health.last_success,
        last_error=health.last_error,
        last_error_at=health.last_error_at,
        notes=health.notes,
        files=_files(tracker.app, folder),
        switches=("DO_NOT_TRACK=1", "USAGE_DISABLED=1", f"{prefix}_USAGE_TRACKING=0"),
    )


def stored_choice(path: str) -> str:
    """Return the person's own choice: `"on"`, `"off"`, `"none"` or `"unreadable"`."""
    if not os.path.lexists(path):
        return "none"
    if file_allows(path):
        return "on"
    try:
        said = read_file(path, most=64).strip().lower()
    except OSError:
        return "unreadable"
    return "off" if said in (b"0", b"false", b"no", b"off") else "unreadable"


def _identity(folder: Folder | None) -> tuple[str | None, str | None, str | None]:
    try:
        identity = IdentityStore(folder.identity).read() if folder else None
    except (UnusableIdentityError, OSError) as error:
        return None, None, str(error)
    if identity is None:
        return None, None, None
    return identity.anon_id, identity.principal_id if isinstance(identity, Linked) else None, None


def _remembered(folder: Folder, transport: str) -> str | None:
    try:
        return read_file(folder.remembered(transport), most=20).decode("ascii")
    except (OSError, ValueError):
        return None


def _waiting(folder: Folder) -> dict[str, int]:
    counts = {name: len(names_of(folder.outbox(name))) for name in outboxes_of(folder)}
    return {name: count for name, count in counts.items() if count}


def _worker(folder: Folder) -> int | None:
    return lease_holder(folder.lease) if lease_stands(folder.lease, time.time()) else None


def _paused_until(folder: Folder) -> str | None:
    if not lease_stands(folder.lease, time.time()) or lease_holder(folder.lease) is not None:
        return None
    end = os.stat(folder.lease).st_mtime
    return datetime.fromtimestamp(end, UTC).isoformat(timespec="seconds")


def _files(app: str, folder: Folder | None) -> tuple[File, ...]:
    known = [("the machine's choice", machine_file(app, os.environ))]
    if folder is not None:
        known += [
            ("your choice", folder.consent),
            ("who you are", folder.identity),
            ("recorded", folder.journal),
            ("waiting to be sent", folder.outboxes),
            ("sent", folder.ledger),
            ("the notice you saw", folder.notice),
            ("how delivery goes", folder.health),
            ("the worker's lease", folder.lease),
            ("the lock", folder.lock),
            ("what could not be used", folder.aside),
        ]
    return tuple(File(what, path, os.path.lexists(path)) for what, path in known)
