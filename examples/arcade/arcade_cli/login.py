"""`arcade login`: a page in the browser, an answer on `localhost`, and then the credentials.

What comes through the browser is a code, useless without a secret that never leaves this process
(PKCE, RFC 7636); `state` proves that the answer belongs to this very login.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode

import attrs

from arcade_cli import api, credentials, pages, places
from arcade_cli.callback import Callback, Visit
from arcade_cli.credentials import Credentials
from arcade_cli.errors import ArcadeError, LoginError, StrayCallbackError


@attrs.frozen
class Attempt:
    """The two secrets of one login."""

    state: str = attrs.field(factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: str = attrs.field(factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def url(self) -> str:
        """The page on which the person logs in."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "redirect_uri": places.callback_url(),
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{places.cloud_url()}/login?{urlencode(asked)}"

    def code(self, visit: Visit) -> str:
        """Return the code that *visit* brings.

        Raises `StrayCallbackError` for what is not the answer to this login, and `LoginError` for
        an answer that says no.
        """
        if visit.problem:
            raise StrayCallbackError(visit.problem, visit.status)
        path, _, encoded = visit.target.partition("?")
        if path != "/callback":
            raise StrayCallbackError("There is nothing at this address.", 404)
        query = parse_qs(encoded)
        state, code, error = (query.get(name, []) for name in ("state", "code", "error"))
        if len(state) != 1 or not hmac.compare_digest(state[0].encode(), self.state.encode()):
            raise StrayCallbackError("This answer does not belong to the login that waits.", 403)
        if error:
            raise LoginError("The login was refused.")
        if len(code) != 1:
            raise LoginError("The cloud's answer holds no code.")
        return code[0]


def login(*, browser: bool, seconds: float, say: Callable[[str], None]) -> Credentials:
    """Log in, and return the credentials when they are saved.

    Raises `ArcadeError` when it does not come about; then nothing was written. What can be told
    on the way goes to *say*.
    """
    attempt = Attempt()
    with Callback(places.callback_port()) as door:
        say(f"To log in, open this address in a browser on this machine:\n\n  {attempt.url}\n")
        if browser:
            threading.Thread(target=_open, args=(attempt.url, say), daemon=True).start()
        for visit in door.visits(time.monotonic() + seconds):
            try:
                found = _settle(attempt, visit)
            except StrayCallbackError as stray:
                say(f"Ignored a request. {stray}")
                continue
            visit.answer(pages.success(found.email))
            return found
    raise LoginError(f"No answer came within {seconds:g} seconds. Run: arcade login")


def _settle(attempt: Attempt, visit: Visit) -> Credentials:
    """Make credentials of the answer that *visit* brings, or show why not and raise that."""
    try:
        found = api.exchange(attempt.code(visit), attempt.verifier)
        credentials.save(found)
    except StrayCallbackError as stray:
        visit.answer(pages.failure(str(stray)), stray.status)
        raise
    except ArcadeError as error:
        visit.answer(pages.failure(str(error)), 400)
        raise
    except KeyboardInterrupt:
        visit.answer(pages.failure("The login was cancelled in the terminal."), 400)
        raise
    return found


def _open(url: str, say: Callable[[str], None]) -> None:
    """Open the browser. Some hold whoever opens them, so this is called where nobody waits."""
    import webbrowser

    try:
        opened = webbrowser.open(url)
    except (OSError, webbrowser.Error):
        opened = False
    if not opened:
        say("No browser could be opened here: please open the address yourself.")
