"""Ways to observe an app that it does not notice: a subclass for an object, and `sys.exit`."""

from __future__ import annotations

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["disguise", "forget_exit", "hide", "last_exit", "note_exits"]

_ABOUT = ("__module__", "__qualname__", "__doc__")

_made: dict[tuple[Any, Callable[[Any], dict[str, object]]], Any] = {}
_ours: set[Any] = set()

_exit: Callable[..., Any] = sys.exit
_last_exit: tuple[int, Any] | None = None


# Any: the classes of other people's libraries, which are not imported here.
def disguise(thing: Any, methods: Callable[[Any], dict[str, object]]) -> bool:
    """Let *thing* have the *methods* of a subclass, made for its class; say whether it has them.

    The subclass has its class's name. A copy of *thing* is observed as *thing* is, which wrappers
    in its attributes could not do: they would still call the original.
    """
    kind = thing.__class__
    if kind in _ours:
        return True
    made = _made.get((kind, methods))
    try:
        if made is None:
            about = {name: getattr(kind, name) for name in _ABOUT}
            made = kind.__class__(kind.__name__, (kind,), {**about, **methods(kind)})
            _made[kind, methods] = made
            _ours.add(made)
        thing.__class__ = made
    except Exception:  # noqa: BLE001  # somebody else's metaclass: the run is not observed
        return False
    return True


def hide(error: BaseException) -> None:
    """Take the caller's frame out of the traceback of *error*, which it is about to raise again.

    A traceback is output too: it is to show what it would without us.
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next


def note_exits() -> None:
    """Note what `sys.exit` is called with from now on: argparse apps tell nobody else.

    In `sys.exit(main())`, Python looks `sys.exit` up before it calls `main`: later is too late.
    """
    global _exit
    if sys.exit is not _noting:
        _exit = sys.exit
        sys.exit = _noting


def forget_exit() -> None:
    """Let `last_exit` count from here."""
    global _last_exit
    _last_exit = None


def last_exit(thread: int) -> SystemExit | None:
    """Return what stands for the last call in *thread*, as `_thread.get_ident` names it."""
    return SystemExit(_last_exit[1]) if _last_exit and _last_exit[0] == thread else None


# Any: what the app exits with is its own affair.
def _noting(status: Any = None, /) -> Any:
    global _last_exit
    _last_exit = (_thread.get_ident(), status)
    try:
        return _exit(status)
    except BaseException as error:
        hide(error)
        raise


# A thread that is to call it is named after it.
_noting.__name__ = _noting.__qualname__ = "exit"
_noting.__module__ = "sys"
_noting.__doc__ = sys.exit.__doc__
