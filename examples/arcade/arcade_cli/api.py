"""What the tool asks of Arcade's cloud and engine, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from arcade_cli import places
from arcade_cli.credentials import Credentials
from arcade_cli.errors import ArcadeError, LoginError

if TYPE_CHECKING:
    import httpx

SECONDS = 10.0


def exchange(code: str, verifier: str) -> Credentials:
    """Trade the code that came through the browser for credentials, which never go through it.

    Raises `LoginError` when the cloud refuses: the code is good once, for a minute, and only
    together with the *verifier* that this process alone knows.
    """
    form = {"code": code, "code_verifier": verifier, "redirect_uri": places.callback_url()}
    response = _ask("POST", f"{places.cloud_url()}/api/v1/auth/token", data=form)
    data = _data(response)
    if response.status_code == 400 and data.get("error") == "expired_code":
        raise LoginError("The answer came too late: it is good for one minute.")
    if response.status_code != 200:
        raise LoginError(f"The cloud refused the login ({response.status_code}).")
    email, api_key = data.get("email"), data.get("api_key")
    if not isinstance(email, str) or not isinstance(api_key, str) or not api_key:
        raise LoginError("The cloud's answer holds no API key.")
    return Credentials(email, api_key)


def principal(credentials: Credentials) -> str:
    """Return the id of whom the credentials belong to; raises `ArcadeError` if they are no good."""
    way = "whoami" if credentials.access_token else "validate"
    headers = {"Authorization": f"Bearer {credentials.access_token or credentials.api_key}"}
    response = _ask("GET", f"{places.cloud_url()}/api/v1/auth/{way}", headers=headers)
    if response.status_code == 401:
        raise ArcadeError("The API key is no longer valid. Run: arcade login")
    data = _data(response)
    found = data.get("account_id") or data.get("principal_id")
    if response.status_code != 200 or not found:
        raise ArcadeError(f"The cloud did not say who this is ({response.status_code}).")
    return str(found)


def engine_health() -> str:
    """Return what the engine says of itself; raises `ArcadeError` when it is not well."""
    response = _ask("GET", f"{places.engine_url()}/v1/health")
    if response.status_code != 200:
        raise ArcadeError(f"The engine is not well ({response.status_code}).")
    return "healthy"


def _ask(method: str, url: str, **what: Any) -> httpx.Response:
    import httpx  # 160 ms that most commands need not pay

    try:
        # A key goes to the host that was meant, and to none that it names instead.
        return httpx.request(method, url, timeout=SECONDS, follow_redirects=False, **what)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ArcadeError(f"Cannot reach {url}: {error}") from None


def _data(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        return {}
    data = found.get("data", found) if isinstance(found, dict) else {}
    return data if isinstance(data, dict) else {}
