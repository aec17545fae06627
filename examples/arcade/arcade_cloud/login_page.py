"""The page on which a person logs in, in the style of the pages that the tool shows."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from arcade_cli import pages
from usage_core.testing.exchange import Reply

ASKED = ("redirect_uri", "state", "code_challenge", "code_challenge_method")


def login_page(asked: Mapping[str, str], problem: str, status: int) -> Reply:
    """Return the form, with *problem* above it; a 400 has no form to fill in."""
    content = pages.message(problem, "bad") if problem else ""
    if status != 400:
        content += _form(asked)
    body = pages.page("Log in to Arcade", content).encode()
    headers = {name: value for name, value in pages.HEADERS.items() if name != "Connection"}
    return Reply(status, body, headers)


def _form(asked: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(asked.get(name, ""))}">'
        for name in ASKED
    )
    email = escape(asked.get("email", ""))
    return f"""<form method="post" action="/login">{hidden}
<label for="email">E-mail</label>
<input id="email" name="email" type="email" value="{email}" autocomplete="username" autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password">
<button name="decision" value="allow">Log in</button>
<button class="plain" name="decision" value="deny">Cancel</button>
</form>"""
