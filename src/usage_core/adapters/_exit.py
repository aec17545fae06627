"""What `sys.exit` was last called with: an argparse app tells nobody else its exit code."""

from __future__ import annotations

import _thread
import sys

from usage_core.adapters._disguise import hide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["forget", "last", "observe"]

_original: Callable[..., Any] = sys.exit
_last: tuple[int, Any] | None = None


def observe() -> None:
    """Note the calls from now on; they do what they did.

    In `sys.exit(main())`, Python looks `sys.exit` up before it calls `main`: later is too late.
    """
    global _original
    if sys.exit is not _noting:
        _original = sys.exit
        sys.exit = _noting


def forget() -> None:
    """Let `last` count from here."""
    global _last
    _last = None


def last(thread: int) -> SystemExit | None:
    """Return what stands for the last call in *thread*, as `_thread.get_ident` names it."""
    return SystemExit(_last[1]) if _last and _last[0] == thread else None


# Any: what the app exits with is its own affair.
def _noting(status: Any = None, /) -> Any:
    global _last
    _last = (_thread.get_ident(), status)
    try:
        return _original(status)
    except BaseException as error:
        hide(error)
        raise


# A thread that is to call it is named after it.
_noting.__name__ = _noting.__qualname__ = "exit"
_noting.__module__ = "sys"
_noting.__doc__ = sys.exit.__doc__
