"""The pages that end a login in the browser: each is whole in itself and readable offline."""

from __future__ import annotations

from html import escape

# Nothing is loaded, nothing runs, nothing is kept: the address of the page held a code.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}

_LOGO = """<svg viewBox="0 0 96 96" width="72" height="72" role="img" aria-label="Arcade">
<rect x="14" y="62" width="68" height="22" rx="8" fill="#4d586e"/>
<rect x="22" y="56" width="52" height="10" rx="5" fill="#74819b"/>
<path d="M48 58 L56 28" stroke="#c3cbdb" stroke-width="7" stroke-linecap="round"/>
<circle cx="58" cy="21" r="13" fill="#f0598a"/><circle cx="54" cy="17" r="4" fill="#ffc2d6"/>
<circle cx="28" cy="73" r="4" fill="#f0598a"/><circle cx="68" cy="73" r="4" fill="#7fd8c6"/>
</svg>"""

_STYLE = """
* { box-sizing: border-box }
body { align-items: center; background: linear-gradient(150deg, #20242e, #0a0c10) fixed;
  color: #f4f6fa; display: flex; font: 16px/1.5 system-ui, sans-serif; justify-content: center;
  margin: 0; min-height: 100vh; padding: 16px }
main { background: #2a303c; border-radius: 14px; box-shadow: 0 12px 36px #0008;
  max-width: 360px; padding: 36px 32px; text-align: center; width: 100% }
h1 { font-size: 1.3rem; line-height: 1.3; margin: 16px 0 }
.message { background: #171a21; border-radius: 8px; margin: 0; padding: 12px 14px }
.good { color: #8be0b4 }
.bad { color: #ffa3a3 }
form { display: grid; gap: 6px; text-align: left }
.message + form { margin-top: 16px }
input, button { border: 1px solid #7c879c; border-radius: 8px; font: inherit; padding: 9px 12px }
input { background: #171a21; color: #f4f6fa; margin-bottom: 10px }
button { background: #c4245f; border-color: #c4245f; color: #fff; cursor: pointer }
button.plain { background: none; border-color: #7c879c }
:focus-visible { outline: 3px solid #7fd8c6; outline-offset: 2px }
"""


def success(email: str) -> str:
    """The page of a login that is done."""
    told = f"Logged in as {email}. You can close this window."
    return page("Logged in", message(told, "good"))


def failure(reason: str) -> str:
    """The page of a login that did not come about, or of a request that was none."""
    return page(
        "Login failed", message(f"{reason} Close this window and look at the terminal.", "bad")
    )


def page(title: str, content: str) -> str:
    """One card in the middle of a dark window: the logo, *title*, and the HTML of *content*."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - Arcade</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head>
<body><main>{_LOGO}
<h1>{escape(title)}</h1>
{content}
</main></body></html>
"""


def message(text: str, kind: str) -> str:
    """The one message of a page, `good` or `bad`."""
    return f'<p class="message {kind}" role="status">{escape(text)}</p>'
