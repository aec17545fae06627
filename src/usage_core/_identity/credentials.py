"""The built-in second step of the waterfall: a YAML credentials file and an HTTP "who am I"."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import cast

import attrs

from usage_core._local import read_file
from usage_core.hookspecs import hookimpl

__all__ = ["CredentialsResolver"]

_MOST = 1024 * 1024

# Where a token may stand in the file, below `cloud` or at the top; the end of the request's path;
# the keys of the answer's `data` that name the principal.
_WAYS = (
    (("auth", "access_token"), "whoami", ("account_id", "principal_id")),
    (("access_token",), "whoami", ("account_id", "principal_id")),
    (("api", "key"), "validate", ("principal_id",)),
    (("api_key",), "validate", ("principal_id",)),
)


@attrs.frozen
class CredentialsResolver:
    """Asks the auth API at *whoami* who the token in the file *credentials* belongs to.

    An OAuth access token goes to `GET <whoami>/api/v1/auth/whoami`, an API key to
    `GET <whoami>/api/v1/auth/validate`, each as a bearer token, and to no other host: redirects
    are not followed. Whatever is not an answer counts as none.
    """

    credentials: str
    whoami: str

    @hookimpl(trylast=True)
    def usage_principal(self, credential: str | None, timeout: float) -> str | None:
        """Return the principal, or None where there are no credentials.

        Raises `RuntimeError` with what to install where httpx or pyyaml is missing, and whatever
        these raise: the caller notes it.
        """
        if credential is None:
            return None
        try:
            import httpx
            import yaml
        except ImportError as error:
            raise RuntimeError(
                f"{error}; to ask who is logged in: pip install 'usage-core[whoami]'"
            ) from error
        try:
            found: object = yaml.safe_load(read_file(self.credentials, most=_MOST))
        except yaml.YAMLError:  # its message quotes the file
            raise ValueError("the credentials are not YAML") from None
        end = time.monotonic() + timeout
        with httpx.Client(follow_redirects=False) as client:
            for token, way, keys in _tokens(found):
                url = f"{self.whoami.rstrip('/')}/api/v1/auth/{way}"
                headers = {
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",  # what is packed small can be large
                    "Authorization": f"Bearer {token}",
                }
                left = max(end - time.monotonic(), 0.01)
                with client.stream("GET", url, headers=headers, timeout=left) as response:
                    if response.status_code != 200:
                        continue
                    body = _bounded(response.iter_raw())
                principal = _principal(body, keys)
                if principal is not None:
                    return principal
        return None


def _tokens(found: object) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    top = _mapping(found)
    for place in (_mapping(top.get("cloud")), top):
        for path, way, keys in _WAYS:
            value: object = place
            for key in path:
                value = _mapping(value).get(key)
            if isinstance(value, str) and value.isascii() and value.isprintable() and value:
                yield value, way, keys


def _bounded(pieces: Iterator[bytes]) -> bytes:
    body = b""
    for piece in pieces:
        body += piece
        if len(body) > _MOST:
            raise ValueError(f"the auth API answered with more than {_MOST} bytes")
    return body


def _principal(body: bytes, keys: tuple[str, ...]) -> str | None:
    import json

    data = _mapping(_mapping(json.loads(body)).get("data"))
    for key in keys:
        value = data.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, dict) else {}
