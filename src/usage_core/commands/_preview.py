"""preview: what this version may ever record."""

from __future__ import annotations

import attrs

from usage_core import Tracker
from usage_core._recorder import FAILED, SUCCEEDED
from usage_core.commands._tracker import recorder_of

__all__ = ["MessageSpec", "Preview", "PropertySpec", "preview"]


@attrs.frozen
class PropertySpec:
    """One property of an event: what it says, and when it is there (empty: always)."""

    name: str
    says: str
    when: str = ""


@attrs.frozen
class MessageSpec:
    """One kind of message: its name, when there is one, and everything that it carries."""

    name: str
    when: str
    properties: tuple[PropertySpec, ...]


@attrs.frozen
class Preview:
    """Every message that may be sent through *transport*, and what holds for all of them."""

    app: str
    version: str
    transport: str
    messages: tuple[MessageSpec, ...]
    notes: tuple[str, ...]


_ENVELOPE = (
    PropertySpec("uuid", "a number for this message, so that one that comes twice counts once"),
    PropertySpec("timestamp", "when it happened"),
    PropertySpec("distinct_id", "your account where you are logged in, else a random id"),
)
_EVERY = (
    *_ENVELOPE,
    PropertySpec("is_anon", "whether distinct_id is a random id"),
    PropertySpec("command_name", "the command, never its arguments"),
    PropertySpec("cli_version", "the version of this tool"),
    PropertySpec("python_version", "the version of Python"),
    PropertySpec("os_type", "the operating system"),
    PropertySpec("os_release", "the version of the operating system's kernel"),
    PropertySpec("session_id", "a number that the commands of one terminal share for a day"),
    PropertySpec("is_ci", "whether it ran in continuous integration"),
    PropertySpec("is_tty", "whether its output went to a terminal"),
    PropertySpec("exit_code", "the exit code"),
    PropertySpec("duration", "how long it took, in milliseconds", "if it was measured"),
    PropertySpec("ci_name", "which one, from a fixed list", "in continuous integration"),
    PropertySpec("agent", "its name, from a fixed list", "if a coding agent ran it"),
)
_MESSAGE = PropertySpec(
    "error_message",
    "what the error said, on one line of at most 300 characters, without paths, addresses, secrets",
)
_KIND = PropertySpec("error_type", "the name of the error's class", "if there was an exception")
_ALIAS = MessageSpec(
    "alias",
    "you log in, or are seen to be: what the random id did counts for your account",
    (*_ENVELOPE, PropertySpec("previous_id", "the random id")),
)


def preview(tracker: Tracker) -> Preview:
    """Return what may be sent; the same whether or not anything may be sent now."""
    own = _declared(tracker)
    return Preview(
        tracker.app,
        tracker.version,
        recorder_of(tracker).transport(),
        (
            MessageSpec(SUCCEEDED, "a command ended with exit code 0", (*_EVERY, *own)),
            MessageSpec(
                FAILED,
                "a command ended in any other way",
                (*_EVERY, _KIND, _MESSAGE, *own),
            ),
            _ALIAS,
        ),
        (
            f"{tracker.app} may add properties of its own to an event: see `show`."
            if tracker.events is None
            else f"{tracker.app} declares the properties that it adds; there are no others.",
            "The transport may add what its service needs, and its service sees your address.",
        ),
    )


def _declared(tracker: Tracker) -> tuple[PropertySpec, ...]:
    declared = tracker.events or {}
    return tuple(
        PropertySpec(name, says, "" if command == "*" else f"with {command}")
        for command, properties in sorted(declared.items())
        for name, says in sorted(properties.items())
    )
