"""What goes wrong in a way that a person can do something about."""

from __future__ import annotations


class ArcadeError(Exception):
    """Ends the command with exit code 1; the message is all that the person sees."""


class LoginError(ArcadeError):
    """Raised when a login does not come about."""


class StrayCallbackError(LoginError):
    """Raised for a callback that is not the cloud's answer to this login, which waits on."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
