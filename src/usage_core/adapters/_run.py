"""Run: one run of an instrumented app, from its first argument to whatever ends it."""

from __future__ import annotations

import os

from usage_core._recording import context

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Iterable
    from typing import Any

    from usage_core._tracker import Command
else:
    import _signal  # what `signal` has, without what makes its constants members of enums

__all__ = ["MARK", "UNKNOWN", "Run", "UsageError", "Watch"]

MARK = "usage_untracked"
UNKNOWN = "<unknown>"

_SIGHUP, _SIGTERM = 1, 15
_SIG_DFL = 0

_on_end: Callable[[BaseException | None], None] | None = None
_forks_are_seen = False


class UsageError(Exception):
    """The parser refused what was typed. Its message would quote that, so there is none."""

    usage_label = "usage error"

    def __init__(self, exit_code: int = 2) -> None:
        super().__init__()
        self.exit_code = exit_code


class Terminated(BaseException):
    """The process got SIGTERM, or SIGHUP."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_code = 128 + signum
        self.usage_label = "terminated" if signum == _SIGTERM else "hung up"


class Watch:
    """What the author asked for: what to call the runs, and what to keep of them.

    *command* makes the context that records one, *wanted* says whether that may be at all.
    """

    def __init__(
        self,
        app: str,
        command: Callable[[str], Command],
        wanted: Callable[[], bool],
        *,
        login: str | None,
        logout: str | None,
        options: str,
    ) -> None:
        if options not in ("none", "names", "values"):
            raise ValueError(f"options is {options!r}, neither 'none' nor 'names' nor 'values'")
        self.app = app
        self.command = command
        self.wanted = wanted
        self.kinds = {login: "login", logout: "logout"}
        self.options = options

    def begin(self) -> Run | None:
        """Return a run that begins now; None where nothing may be recorded."""
        return Run(self) if self.wanted() else None


class Run:
    """One run. Whoever observes it says what was reached, and calls `end` however it ended."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._process = os.getpid()
        self._path: list[str] = []
        self._options: dict[str, object] = {}
        self._over = False
        self.untracked = False
        self.parsing = True
        self._command = watch.command(watch.app)
        self._command.__enter__()
        _watch_signals(self.end)

    def reach(self, level: int, name: str, *, beside: bool = False) -> None:
        """Note that the command at *level* (0 is below the program) is *name*.

        Several that are *beside* each other, as click chains them, are joined with a plus.
        """
        if beside and len(self._path) > level:
            name = f"{self._path[level]}+{name}"
        self._path[level:] = [name]

    # Any: values and choices of whatever types the app declares.
    def use(self, options: Iterable[tuple[str, Any, Any]]) -> None:
        """Note the *options* that were typed: name, value and declared choices of each.

        The choices are None for an option that declares none, and True for a switch.
        """
        if self._watch.options == "none":
            return
        try:
            for name, value, choices in options:
                self._options[name] = _declared(value, choices)
        except Exception:  # noqa: BLE001  # somebody else's parameters and values
            pass

    def end(self, error: BaseException | None = None) -> None:
        """Record how the run ended: the first time, and in the process that began it."""
        if self._over or os.getpid() != self._process:
            return
        self._over = True
        _unwatch_signals(self.end)
        if self.untracked or (self.parsing and _is_help(error)):
            return
        command = self._command
        command.name = ".".join(self._path) or self._watch.app
        command.kind = self._watch.kinds.get(command.name, "command")
        if self._watch.options != "none":
            command.set(options=sorted(self._options))
        if self._watch.options == "values":
            known = {name: value for name, value in self._options.items() if value is not None}
            command.set(option_values=known)
        command.end(error)


def _watch_signals(end: Callable[[BaseException | None], None]) -> None:
    """Call *end* when SIGTERM or SIGHUP comes, if its action is the default, then let it act.

    Not on Windows, where SIGTERM ends a process without notice, and not as the first process of a
    container, which the default action does not end.
    """
    global _on_end, _forks_are_seen
    if os.name == "nt" or os.getpid() == 1:
        return
    try:
        if not _exchange(_SIG_DFL, _on_signal):
            return  # handlers of the app's own, or of a run that this one is within
    except ValueError:  # not in the main thread
        return
    _on_end = end
    if not _forks_are_seen:
        os.register_at_fork(after_in_child=_restore_signals)
        _forks_are_seen = True


def _unwatch_signals(end: Callable[[BaseException | None], None]) -> None:
    """Give both their default action back, if it was *end* that they would call."""
    if _on_end == end:
        _restore_signals()


def _restore_signals() -> None:
    global _on_end
    _on_end = None
    try:
        _exchange(_on_signal, _SIG_DFL)
    except ValueError:  # not in the main thread
        pass


# Any: what a signal's action is, for which the standard library has no name of its own.
def _exchange(old: Any, new: Any) -> bool:
    found = [signum for signum in (_SIGHUP, _SIGTERM) if _signal.getsignal(signum) == old]
    for signum in found:
        _signal.signal(signum, new)
    return bool(found)


def _on_signal(signum: int, _frame: object) -> None:
    end = _on_end
    if _signal.getsignal(signum) is not _on_signal:
        return  # a handler of the app's own calls the one that was there before
    _signal.signal(signum, _SIG_DFL)
    try:
        if end is not None:
            end(Terminated(signum))
    finally:
        os.kill(os.getpid(), signum)


def _declared(value: Any, choices: Any) -> Any:
    """Return *value* as far as it is one of the declared *choices*, else None."""
    if choices is True:
        return value if isinstance(value, bool) else None
    # Only what can be listed: anything may have a `__contains__`, which then accepts anything.
    known: Any = ()
    if isinstance(choices, range):
        known = choices
    elif isinstance(choices, list | tuple | set | frozenset | dict | type):
        known = [_plain(choice) for choice in choices]  # type: ignore[union-attr]  # an enum
    if type(value) in (list, tuple):
        return [_plain(one) for one in value if _plain(one) in known] or None
    return _plain(value) if _plain(value) in known else None


def _plain(value: Any) -> Any:
    """Return what a person types for *value*: that of a member, where the choices are an enum."""
    inner = getattr(value, "value", value)
    return inner if isinstance(inner, str) else getattr(value, "name", value)


def _is_help(error: BaseException | None) -> bool:
    # Since click 8.2 the help that comes when nothing was typed is an error.
    return context.exit_code(error) == 0 or type(error).__name__ == "NoArgsIsHelpError"
