"""Note what `sys.exit` is called with: argparse apps tell nobody else how they end."""

import _thread
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["forget_exit", "last_exit", "note_exits"]

_exit: "Callable[..., Any]" = sys.exit
_last_exit: "tuple[int, Any] | None" = None


def note_exits() -> None:
    """Note what `sys.exit` is called with from now on.

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


def last_exit(thread: int) -> "SystemExit | None":
    """Return what stands for the last call in *thread*, as `_thread.get_ident` names it."""
    return SystemExit(_last_exit[1]) if _last_exit and _last_exit[0] == thread else None


# Any: what the app exits with is its own affair.
def _noting(status: "Any" = None, /) -> "Any":
    global _last_exit
    _last_exit = (_thread.get_ident(), status)
    try:
        return _exit(status)
    except BaseException as error:
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next  # our own frame: see `adapters.hide`
        raise


# A thread that is to call it is named after it.
_noting.__name__ = _noting.__qualname__ = "exit"
_noting.__module__ = "sys"
_noting.__doc__ = sys.exit.__doc__
