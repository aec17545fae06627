"""IdentityStore: `usage.json`, which other programs may read at any time and may have written."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import cast

import attrs

from usage_core._identity.state import Anonymous, Identity, Linked, is_anon_id, is_principal
from usage_core._local import is_foreign, make_folder, read_file, write_file

__all__ = ["IdentityStore", "UnusableIdentityError"]

_MOST = 1024 * 1024


class UnusableIdentityError(ValueError):
    """Raised when `usage.json` holds something that is no identity; the message says what."""


@attrs.define
class IdentityStore:
    """Reads and replaces the identity. Who changes it holds the lock from reading to writing.

    A reader needs no lock: the file is replaced in one step, so it is the old one or the new.
    Keys that are not ours survive, and a symbolic link stays one.
    """

    path: str

    def read(self) -> Identity | None:
        """Return the identity; None where there is none yet.

        Raises `UnusableIdentityError` for a file that holds none, and `OSError` where it cannot be
        read at all.
        """
        found = self._read()
        return None if found is None else _identity(found)

    def write(self, identity: Identity) -> None:
        """Replace the identity, on the disk before the name is. Raises `OSError`."""
        try:
            kept = self._read() or {}
        except UnusableIdentityError:
            kept = {}
        match identity:
            case Anonymous(anon_id, credential):
                ours: dict[str, object] = {
                    "anon_id": anon_id,
                    "linked_principal_id": None,
                    "credential": credential,
                    "told": [],
                }
            case Linked(anon_id, principal_id, credential, told):
                ours = {
                    "anon_id": anon_id,
                    "linked_principal_id": principal_id,
                    "credential": credential,
                    "told": sorted(told),
                }
        text = json.dumps({**kept, **ours}, indent=2) + "\n"
        if len(text) > _MOST:  # then nobody could read it again
            text = json.dumps(ours, indent=2) + "\n"
        write_file(os.path.realpath(self.path), text.encode("ascii"), sync=True)

    def set_aside(self, folder: str, now_ns: int) -> None:
        """Move an unusable file into *folder*, so that the next identity can be written."""
        make_folder(folder)
        os.replace(self.path, os.path.join(folder, f"{now_ns:020d}-usage.json"))

    def _read(self) -> dict[str, object] | None:
        if os.path.lexists(self.path) and is_foreign(self.path):
            raise UnusableIdentityError("it belongs to somebody else")
        try:
            data = read_file(self.path, most=_MOST)
        except FileNotFoundError:
            return None
        except OSError as error:
            if _can_never_hold_one(self.path):
                raise UnusableIdentityError(str(error)) from error
            raise
        try:
            found: object = json.loads(data.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise UnusableIdentityError(f"not JSON: {error}"[:200]) from error
        if not isinstance(found, dict):
            raise UnusableIdentityError(f"a JSON {type(found).__name__}, not an object")
        return cast(dict[str, object], found)


def _identity(found: dict[str, object]) -> Identity:
    anon_id = found.get("anon_id")
    if not isinstance(anon_id, str) or not is_anon_id(anon_id):
        raise UnusableIdentityError("its anon_id is not a UUID")
    principal_id, stamp = found.get("linked_principal_id"), found.get("credential")
    credential = stamp if isinstance(stamp, str) else None
    if principal_id is None:
        return Anonymous(anon_id, credential)
    if not isinstance(principal_id, str) or not is_principal(principal_id):
        raise UnusableIdentityError("its linked_principal_id cannot name a person")
    told = found.get("told")
    names = cast(list[object], told) if isinstance(told, list) else []
    return Linked(
        anon_id,
        principal_id,
        credential,
        frozenset(name for name in names if isinstance(name, str)),
    )


def _can_never_hold_one(path: str) -> bool:
    """Say whether what lies there is the trouble; where nobody can look, it may be the disk."""
    try:
        found = os.stat(path)
    except OSError as error:
        return error.errno == errno.ELOOP
    return not stat.S_ISREG(found.st_mode) or found.st_size > _MOST
