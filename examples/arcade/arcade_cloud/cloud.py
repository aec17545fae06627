"""ArcadeCloud: what `arcade login` talks to, on top of the framework's local auth API."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlencode

import attrs

from arcade_cloud.login_page import login_page
from usage_core.testing import AuthApi
from usage_core.testing.exchange import Reply, Request, json_reply

PASSWORD = "arcade"
CALLBACK = re.compile(r"http://localhost:[0-9]{1,5}/callback")


@attrs.frozen
class Code:
    """What a code stands for, until it is traded for a key."""

    email: str
    redirect_uri: str
    challenge: str
    expires: float


class ArcadeCloud(AuthApi):
    """The auth API with people who can log in; *people* maps an e-mail address to a principal.

    Everybody's password is `arcade`. A code is good for *code_seconds*, and once.
    """

    def __init__(
        self, people: Mapping[str, str], *, port: int = 0, code_seconds: float = 60
    ) -> None:
        super().__init__(port=port)
        self.people = dict(people)
        self.code_seconds = code_seconds
        self._codes: dict[str, Code] = {}

    def _answer(self, request: Request) -> Reply:
        match request.method, request.path:
            case "GET", "/v1/health":
                return json_reply({"data": {"status": "ok"}})
            case "GET", "/login":
                return self._page(_fields(request.query))
            case "POST", "/login":
                return self._decide(_fields(request.body.decode("utf-8", "replace")))
            case "POST", "/api/v1/auth/token":
                return self._trade(_fields(request.body.decode("utf-8", "replace")))
        return super()._answer(request)

    def _page(self, asked: Mapping[str, str], problem: str = "", status: int = 200) -> Reply:
        if not CALLBACK.fullmatch(asked.get("redirect_uri", "")):
            problem, status = "This page can only be reached from: arcade login", 400
        return login_page(asked, problem, status)

    def _decide(self, form: Mapping[str, str]) -> Reply:
        """Send the browser back with a code, or with the person's no; else show the page again."""
        back, answer = form.get("redirect_uri", ""), {"state": form.get("state", "")}
        if not CALLBACK.fullmatch(back):
            return self._page(form)
        email = form.get("email", "").strip().lower()
        if form.get("decision") == "deny":
            answer["error"] = "access_denied"
        elif email in self.people and form.get("password") == PASSWORD:
            answer["code"] = self._new_code(email, back, form.get("code_challenge", ""))
        else:
            return self._page(form, "This address and password do not belong together.", 401)
        return Reply(303, headers={"Location": f"{back}?{urlencode(answer)}"})

    def _new_code(self, email: str, back: str, challenge: str) -> str:
        name = secrets.token_urlsafe(24)
        with self.changed:
            expires = time.monotonic() + self.code_seconds
            self._codes[name] = Code(email, back, challenge, expires)
        return name

    def _trade(self, form: Mapping[str, str]) -> Reply:
        with self.changed:
            code = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code is None or (proof, form.get("redirect_uri")) != (code.challenge, code.redirect_uri):
            return json_reply({"error": "invalid_grant"}, 400)
        if time.monotonic() >= code.expires:
            return json_reply({"error": "expired_code"}, 400)
        api_key = f"arc_{secrets.token_urlsafe(24)}"
        with self.changed:
            self.keys[api_key] = self.people[code.email]
        return json_reply({"data": {"email": code.email, "api_key": api_key}})


def _fields(encoded: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(encoded).items()}
