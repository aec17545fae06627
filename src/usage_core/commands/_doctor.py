"""doctor: why nothing arrives, and what to do about it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator

import attrs

from usage_core import Tracker, _notice
from usage_core._delivery.folder import Folder
from usage_core._delivery.health import load
from usage_core._local import machine_file, variable_prefix
from usage_core.commands import _network, _workshop
from usage_core.commands._finding import Finding
from usage_core.commands._folder import known_folder, names_of, outboxes_of
from usage_core.commands._status import Status, status, stored_choice
from usage_core.commands._tracker import recorder_of

__all__ = ["Diagnosis", "Finding", "doctor"]

_LITTLE_ROOM = 1024 * 1024


@attrs.frozen
class Diagnosis:
    """All findings, in the order of an event's way. *healthy* says that none is a problem."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        return all(finding.level != "problem" for finding in self.findings)


def doctor(tracker: Tracker, progress: Callable[[str], None] | None = None) -> Diagnosis:
    """Look at everything that an event needs on its way; *progress* is told what is looked at.

    Asks the endpoint whether it is there, without saying anything of the usage, and starts an
    interpreter as a worker would be; neither while recording is off. Ends within about half a
    minute, whatever hangs.
    """
    now = status(tracker)
    folder = known_folder(tracker)
    findings: list[Finding] = []
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("consent", lambda: _consent(tracker, now, folder)),
        ("folder", lambda: _folder(folder)),
        ("lock", lambda: _workshop.lock(folder)),
        ("interpreter", lambda: _workshop.interpreter(tracker, now.allowed)),
        ("transport", lambda: _workshop.transport(tracker)),
        ("plug-ins", lambda: _workshop.plugins(tracker)),
        ("credentials", lambda: _workshop.credentials(tracker)),
        ("network", lambda: _network.look(_workshop.endpoint(tracker), now.allowed)),
        ("delivery", lambda: _delivery(now, folder)),
    ]
    for about, check in checks:
        if progress is not None:
            progress(about)
        try:
            findings += check()
        except Exception as error:  # noqa: BLE001  # a doctor who faints helps nobody
            findings.append(Finding(about, "problem", f"cannot be looked at: {error!r}"))
    return Diagnosis(tuple(findings))


def _consent(tracker: Tracker, now: Status, folder: Folder | None) -> Iterator[Finding]:
    if now.allowed:
        yield Finding("consent", "ok", f"usage is recorded ({now.source})")
    else:
        yield Finding("consent", "off", f"usage is not recorded: {now.source}", _to_allow(now))
    if folder is not None and stored_choice(folder.consent) == "unreadable":
        yield Finding(
            "consent",
            "problem",
            f"the choice in {folder.consent} cannot be understood, so it is a no",
            "Make it again: `enable` or `disable`.",
        )
    if now.notice_due and folder is not None:
        where = os.path.dirname(folder.notice)
        yield Finding(
            "notice",
            "off",
            "the notice was not shown yet, and nothing is recorded before that",
            f"Run any command of {tracker.app} in a terminal; {where} must be writable.",
        )
    elif folder is not None and recorder_of(tracker).notice:
        known = _notice.is_known(folder.notice, recorder_of(tracker).notice or "")
        yield Finding("notice", "ok", "the notice was shown" if known else "there is none")


def _to_allow(now: Status) -> str:
    if now.source == machine_file(now.app, os.environ):
        return "Whoever runs this machine switched it off for everybody; ask them."
    if os.path.isabs(now.source):
        return "That is your own choice; `enable` takes it back."
    if now.source == "no home folder":
        return f"Set HOME, or {variable_prefix(now.app)}_WORK_DIR, to a folder that exists."
    return f"If that is not what you want, unset the variable {now.source}."


def _folder(folder: Folder | None) -> Iterator[Finding]:
    if folder is None:
        yield Finding("folder", "problem", "there is no home folder to keep anything in")
        return
    if not os.path.isdir(folder.usage):
        above = _first_that_exists(folder.usage)
        if not os.path.isdir(above) or not os.access(above, os.W_OK | os.X_OK):
            advice = f"Make {above} a folder that you may write into."
            yield Finding("folder", "problem", f"{folder.usage} cannot be made", advice)
        else:
            yield Finding("folder", "ok", f"{folder.usage} is not there yet: nothing was recorded")
        return
    troubles = [*_owner(folder.usage), *_rights(folder)]
    if hasattr(os, "statvfs"):
        disk = os.statvfs(folder.usage)
        if disk.f_bavail * disk.f_frsize < _LITTLE_ROOM:
            troubles.append(Finding("folder", "problem", "the disk is full", "Make room on it."))
    yield from troubles or [Finding("folder", "ok", f"{folder.usage} is ours, and writable")]


def _owner(path: str) -> Iterator[Finding]:
    found = os.stat(path)
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        yield Finding(
            "folder",
            "problem",
            f"{path} belongs to another user (number {found.st_uid})",
            f"Give it back: sudo chown -R $(id -u) {path}",
        )
    mode = stat.S_IMODE(found.st_mode)
    if os.name == "posix" and mode & 0o077:
        advice = f"Close it: chmod 700 {path}"
        yield Finding("folder", "note", f"others may look into {path} (mode {mode:03o})", advice)


def _rights(folder: Folder) -> Iterator[Finding]:
    inside = [folder.journal, *(folder.outbox(name).folder for name in outboxes_of(folder))]
    for path in (folder.root, folder.usage, *inside):
        if os.path.lexists(path) and not os.path.isdir(path):
            advice = f"Move it away: what is needed here is a folder. mv {path} {path}.old"
            yield Finding("folder", "problem", f"{path} is not a folder", advice)
        elif os.path.isdir(path) and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            advice = f"Open it for yourself: chmod u+rwx {path}"
            yield Finding("folder", "problem", f"{path} cannot be read and written", advice)


def _first_that_exists(path: str) -> str:
    while not os.path.lexists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path


def _delivery(now: Status, folder: Folder | None) -> Iterator[Finding]:
    if folder is None:
        return
    health = load(folder.health)
    if health.failures:
        yield Finding(
            "delivery",
            "problem",
            f"failed {health.failures} times in a row, last at {health.last_error_at}:"
            f" {health.last_error}",
            "See what the other findings say; `flush` tries again at once.",
        )
    elif health.last_success:
        yield Finding("delivery", "ok", f"last arrived at {health.last_success}")
    else:
        yield Finding("delivery", "note", "nothing was delivered yet")
    if now.paused_until:
        yield Finding("delivery", "note", f"tried again at {now.paused_until}", "Or now: `flush`.")
    for about, note in health.notes.items():
        times = f", {note.count} times" if note.count > 1 else ""
        yield Finding("noted", "note", f"{about}: {note.text} ({note.at}{times})")
    yield from _queues(now, folder)


def _queues(now: Status, folder: Folder) -> Iterator[Finding]:
    ahead = f"{time.time_ns() + 3600 * 10**9:020d}"
    names = names_of(folder.facts)
    if any(name > ahead for name in names):
        yield Finding(
            "clock",
            "problem",
            "something was recorded more than an hour from now",
            "The clock was set back, or was wrong then: check it.",
        )
    others = {name: count for name, count in now.waiting.items() if name != now.transport}
    for name, count in others.items():
        yield Finding(
            "queue",
            "note",
            f"{count} messages wait for the transport {name}, which is not the present one",
            f"They leave when {name} is the transport again; `disable` or `forget` removes them.",
        )
    try:
        aside = len(os.listdir(folder.aside))
    except OSError:
        return
    if aside:
        yield Finding(
            "records",
            "note",
            f"{aside} could not be used and were set aside in {folder.aside}",
            "They are never sent. Look at them, then remove them, or report them.",
        )
