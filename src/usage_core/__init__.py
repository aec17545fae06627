"""Usage tracking that the people who run a command-line tool would be glad of.

The way an event takes, and where to read about it:

1. `_tracker`      the author's one object; a command that ends becomes a *fact*
2. `_recording`    may it be recorded; if so, `recorder` writes it down and starts the worker
3. `_delivery`     the worker, a process of its own, takes each fact from the journal,
4. `_identity`     learns whose it is (waterfall), folds (lifecycle), writes `usage.json`,
5. `_messages`     puts an `Alias` and a `Capture` into the outbox of the fact's transport,
6. `_delivery`     and hands them to that `Transport`, oldest first, until it says they arrived.

Everything before step 3 happens in the user's command and imports the standard library only;
everything after it happens where nobody waits.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from usage_core._delivery.transport import (
        Rejected,
        Runs,
        Transport,
        TransportError,
        TransportNotFoundError,
        Unavailable,
    )
    from usage_core._messages import Alias, Capture, Message
    from usage_core._tracker import Tracker
    from usage_core.hookspecs import hookimpl

__all__ = [
    "Alias",
    "Capture",
    "Message",
    "Rejected",
    "Runs",
    "Tracker",
    "Transport",
    "TransportError",
    "TransportNotFoundError",
    "Unavailable",
    "hookimpl",
]

_HOMES = {
    "Tracker": "_tracker",
    "Alias": "_messages",
    "Capture": "_messages",
    "Message": "_messages",
    "hookimpl": "hookspecs",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use: a command pays for `Tracker` alone (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("usage-core")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "_delivery.transport")
    value: object = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return [*__all__, "__version__"]
