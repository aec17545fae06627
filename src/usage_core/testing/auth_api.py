"""A local copy of the API that says whose credentials these are.

python -m usage_core.testing.auth_api --key KEY=PRINCIPAL --token TOKEN=ACCOUNT [--port N]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from usage_core.testing.exchange import Reply, Request, json_reply
from usage_core.testing.server import LocalServer

__all__ = ["AuthApi", "main"]


class AuthApi(LocalServer):
    """`GET /api/v1/auth/validate` for API keys, `GET /api/v1/auth/whoami` for OAuth tokens.

    `keys` maps an API key to its principal id; `tokens` maps an access token to what is known
    about it, as `{"account_id": …}` or `{"principal_id": …}`. Both may be changed at any time.
    """

    def __init__(
        self,
        keys: Mapping[str, str] | None = None,
        tokens: Mapping[str, Mapping[str, str]] | None = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__(port, host=host)
        self.keys = dict(keys or {})
        self.tokens = dict(tokens or {})

    def handle(self, request: Request) -> Reply:
        """Answer as the API does; 401 for a secret that it does not know."""
        reply = self._answer(request)
        self.note(f"{request.method} {request.path} {reply.status}")
        return reply

    def _answer(self, request: Request) -> Reply:
        if request.path not in ("/api/v1/auth/validate", "/api/v1/auth/whoami"):
            return json_reply({"error": "not found"}, 404)
        if request.method != "GET":
            return json_reply({"error": "method not allowed"}, 405)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        known: Mapping[str, str] | None = None
        if scheme.lower() == "bearer" and request.path.endswith("whoami"):
            known = self.tokens.get(secret)
        elif scheme.lower() == "bearer" and secret in self.keys:
            known = {"principal_id": self.keys[secret]}
        if known is None:
            return json_reply({"error": "unauthorized"}, 401)
        return json_reply({"data": dict(known)})


def main(argv: Sequence[str] | None = None) -> None:
    """Run the API as a program; its address is the first line it prints."""
    parser = argparse.ArgumentParser(
        prog="python -m usage_core.testing.auth_api", description=__doc__
    )
    parser.add_argument("--key", action="append", default=[], type=_pair, metavar="KEY=PRINCIPAL")
    parser.add_argument("--token", action="append", default=[], type=_pair, metavar="TOKEN=ACCOUNT")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(argv)
    tokens = {token: {"account_id": account} for token, account in options.token}
    AuthApi(dict(options.key), tokens, port=options.port).run()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


if __name__ == "__main__":
    main()
