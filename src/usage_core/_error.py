"""What an event tells of an error: only what is safe to leave the machine."""

from __future__ import annotations

from usage_core._recorder import exit_code_of

__all__ = ["describe_error"]

_REFUSALS = frozenset({"ArgumentError", "UsageError"})  # of argparse; of click and Typer


def describe_error(error: BaseException | str, errors: str) -> dict[str, object]:
    """Return `error_type` and `error_message` of *error*, safe to leave the machine.

    With *errors* `"message"` it is the scrubbed text, one line of at most 300 characters; with
    `"type"` only the type's name. An exception's `usage_label`, a string, replaces either. What a
    parser refuses is a `UsageError` without its text, which quotes what was typed.
    """
    if isinstance(error, str):
        return {"error_message": _scrubbed(error) if errors == "message" else "error"}
    kind = type(error).__name__
    label = getattr(error, "usage_label", None)
    if isinstance(label, str):
        return {"error_type": kind, "error_message": " ".join(label.split())[:300]}
    if any(base.__name__ in _REFUSALS for base in type(error).__mro__):
        return {"error_type": "UsageError", "error_message": "usage error"}
    return {"error_type": kind, "error_message": _text(error, errors) or kind}


def _text(error: BaseException, errors: str) -> str:
    if errors != "message":
        return ""
    is_exit = type(error).__name__ == "Exit"  # of click and Typer
    if is_exit or (isinstance(error, SystemExit) and not isinstance(error.code, str)):
        return f"exit code {exit_code_of(error)}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return ""
    return _scrubbed(text)


def _scrubbed(text: str) -> str:
    from usage_core._scrub import scrub  # compiles patterns: only when something failed

    return scrub(text)
