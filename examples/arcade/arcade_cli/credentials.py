"""`credentials.yaml`: an API key and whose it is, for the eyes of its owner alone."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import Any

import attrs

from arcade_cli import places
from arcade_cli.errors import ArcadeError


@attrs.frozen
class Credentials:
    """What a login brings. *api_key* is a secret, so it is not shown with the rest.

    *access_token* is what newer Arcade tools keep in the same file instead of a key.
    """

    email: str
    api_key: str = attrs.field(default="", repr=False)
    access_token: str = attrs.field(default="", repr=False)


def load() -> Credentials:
    """Return what the file holds; raises `ArcadeError` when nobody is logged in."""
    import yaml

    path = places.credentials_file()
    try:
        with open(path, encoding="utf-8") as file:
            cloud = _mapping(_mapping(yaml.safe_load(file)).get("cloud"))
    except FileNotFoundError:
        raise ArcadeError("Nobody is logged in. Run: arcade login") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ArcadeError(f"Cannot read {path}: {error}") from None
    api_key = _mapping(cloud.get("api")).get("key")
    access_token = _mapping(cloud.get("auth")).get("access_token")
    if not api_key and not access_token:
        raise ArcadeError(f"There is no API key in {path}. Run: arcade login")
    email = _mapping(cloud.get("user")).get("email")
    return Credentials(str(email or "somebody"), str(api_key or ""), str(access_token or ""))


def save(credentials: Credentials) -> None:
    """Replace the file in one step, readable by its owner alone; raises `ArcadeError`."""
    import yaml

    content = {
        "cloud": {
            "coordinator_url": places.cloud_url(),
            "api": {"key": credentials.api_key},
            "user": {"email": credentials.email},
        }
    }
    path = os.path.realpath(places.credentials_file())
    try:
        folder = os.path.dirname(path)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, passing = tempfile.mkstemp(dir=folder, prefix=".credentials-")  # made 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                yaml.safe_dump(content, file, sort_keys=False)
                file.flush()
                os.fsync(handle)
            os.replace(passing, path)
        finally:  # after Ctrl-C too: no secret is left lying about
            with contextlib.suppress(FileNotFoundError):
                os.unlink(passing)
    except OSError as error:
        raise ArcadeError(f"Cannot write {path}: {error.strerror}") from None


def remove() -> bool:
    """Forget the credentials; return whether there were any."""
    path = os.path.realpath(places.credentials_file())
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise ArcadeError(f"Cannot remove {path}: {error.strerror}") from None
    return True


def _mapping(value: object) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
