"""SIGTERM while a command runs: record it, then let the signal have its default action."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
else:
    import _signal  # what `signal` has, without what makes its constants members of enums

__all__ = ["Terminated", "unwatch", "watch"]

_SIGTERM = 15
_SIG_DFL = 0

_end: Callable[[BaseException | None], None] | None = None
_forks_are_seen = False


class Terminated(BaseException):
    """The process got SIGTERM."""

    exit_code = 128 + _SIGTERM
    usage_label = "terminated"


def watch(end: Callable[[BaseException | None], None]) -> None:
    """Call *end* when SIGTERM comes, if its action is the default, and then let it act.

    Not on Windows, where it ends a process without notice, and not as the first process of a
    container, which the default action does not end.
    """
    global _end, _forks_are_seen
    try:
        if os.name == "nt" or os.getpid() == 1 or _signal.getsignal(_SIGTERM) != _SIG_DFL:
            return
        _signal.signal(_SIGTERM, _on_sigterm)
    except ValueError:  # not in the main thread
        return
    _end = end
    if not _forks_are_seen:
        os.register_at_fork(after_in_child=_restore)
        _forks_are_seen = True


def unwatch(end: Callable[[BaseException | None], None]) -> None:
    """Give SIGTERM its default action back, if it was *end* that it would call."""
    if _end == end:
        _restore()


def _restore() -> None:
    global _end
    _end = None
    try:
        if _signal.getsignal(_SIGTERM) is _on_sigterm:
            _signal.signal(_SIGTERM, _SIG_DFL)
    except ValueError:  # not in the main thread
        pass


def _on_sigterm(signum: int, _frame: object) -> None:
    end = _end
    if _signal.getsignal(signum) is not _on_sigterm:
        return  # a handler of the app's own calls the one that was there before
    _signal.signal(signum, _SIG_DFL)
    try:
        if end is not None:
            end(Terminated())
    finally:
        os.kill(os.getpid(), signum)
