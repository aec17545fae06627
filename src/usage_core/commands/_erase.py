"""reset and forget: a new anonymous id, and no trace at all."""

from __future__ import annotations

import os
import time

import attrs

from usage_core import Tracker
from usage_core._delivery.config import Config
from usage_core._delivery.folder import Folder
from usage_core._delivery.folding import Folding
from usage_core._delivery.process import locked
from usage_core._delivery.workplace import Workplace
from usage_core._identity.state import Anonymous
from usage_core._identity.store import IdentityStore, UnusableIdentityError
from usage_core._local import file_allows, make_folder
from usage_core._recorder import uuid4
from usage_core.commands._folder import erase_tree, folder_of
from usage_core.commands._tracker import decision_of, recorder_of

__all__ = ["Forgotten", "Reset", "forget", "reset"]

WORKER_LASTS = 11.0
"""Whatever a worker does, it is gone within this many seconds."""
FOLDING_SECONDS = 5.0


@attrs.frozen
class Reset:
    """The ids before and after; both None where there is no identity yet, or no usable one.

    *was_linked* says that somebody was logged in, whom the next command will find again. *dropped*
    counts what was recorded, but not yet given to anybody, while recording is switched off.
    """

    before: str | None
    after: str | None
    was_linked: bool
    dropped: int


@attrs.frozen
class Forgotten:
    """What was erased; *kept* names the choice that stays, a no."""

    erased: tuple[str, ...]
    kept: str | None


def reset(tracker: Tracker) -> Reset:
    """Begin a new anonymous id. What is queued stays whose it is.

    Raises `OSError` where the lock cannot be had or a file cannot be written.
    """
    folder = folder_of(tracker)
    store = IdentityStore(folder.identity)
    if not os.path.isdir(folder.usage) and not os.path.lexists(folder.identity):
        return Reset(None, None, was_linked=False, dropped=0)
    make_folder(folder.usage)
    with locked(folder, WORKER_LASTS) as held:
        if not held:
            raise OSError(f"cannot lock {folder.lock}")
        dropped = _settle(tracker, folder)
        try:
            identity = store.read()
        except UnusableIdentityError:
            store.set_aside(folder.aside, time.time_ns())
            identity = None
        if identity is None:
            return Reset(None, None, was_linked=False, dropped=dropped)
        after = Anonymous(uuid4())
        store.write(after)
    return Reset(identity.anon_id, after.anon_id, not isinstance(identity, Anonymous), dropped)


def forget(tracker: Tracker) -> Forgotten:
    """Erase the identity, the queues, the ledger and all else that is stored here.

    Only a choice that says no stays, or cannot be read, which is a no: who said no did not ask to
    be recorded again. What was sent before is not called back. Raises `OSError` where the lock
    cannot be had or something cannot be erased.
    """
    folder = folder_of(tracker)
    kept = None if file_allows(folder.consent) else folder.consent
    erased = [folder.identity] if _erase(folder.identity) else []
    if os.path.isdir(folder.usage):
        with locked(folder, WORKER_LASTS) as held:
            if not held:
                raise OSError(f"cannot lock {folder.lock}")
            # A worker may have been folding: what it wrote goes too. The lock goes last.
            names = sorted(os.listdir(folder.usage), key=lambda name: name == "lock")
            inside = [os.path.join(folder.usage, name) for name in names]
            doomed = [folder.identity, *(path for path in inside if path != kept)]
            erased += [path for path in doomed if _erase(path) and path != folder.lock]
        _remove_empty(folder.usage)
    return Forgotten(tuple(dict.fromkeys(erased)), kept)


def _settle(tracker: Tracker, folder: Folder) -> int:
    """Give what is in the journal to whoever it belongs to; drop it while recording is off."""
    names = folder.facts.names()
    if not names:
        return 0
    if not decision_of(tracker)[0]:
        for name in names:
            folder.facts.remove(name)
        return len(names)
    end = time.monotonic() + FOLDING_SECONDS
    recorder = recorder_of(tracker)
    config = Config.from_json(recorder.worker_config(recorder.transport()))
    place = Workplace(config, lambda: end - time.monotonic())
    try:
        Folding(place).fold_all()
    finally:
        place.close()
    return 0


def _erase(path: str) -> bool:
    if os.path.isdir(path) and not os.path.islink(path):
        return erase_tree(path)
    try:
        if os.path.islink(path) and os.path.isfile(path):
            os.unlink(os.path.realpath(path))
        os.unlink(path)
    except FileNotFoundError:
        return False
    except PermissionError:
        if os.name != "nt" or os.path.basename(path) != "lock":
            raise
        return False  # it is held open, by us
    return True


def _remove_empty(folder: str) -> None:
    try:
        os.rmdir(folder)
    except OSError:  # a command that ended just now was recorded again
        pass
