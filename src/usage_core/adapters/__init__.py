"""Adapters: one line records every command of an app written with Typer, click or argparse.

What `Tracker.instrument` does, for all three:

- **One event for each run**, named by the path of the command as the app declares it, joined with
  dots and without the program's name: `toolkit.run`. A run that reaches no command of a group, and
  every run of an app that is a single command, has the name of the tracker's app. An alias counts
  as the command that it stands for. What a person typed never becomes a name: a word that is no
  command is `<unknown>`.
- **Every way out**: return, exception, `sys.exit(n)`, `typer.Exit`, `click.Abort`, Ctrl-C
  (exit code 130, whatever the framework makes of it), SIGTERM (143), SIGHUP (129), a broken pipe.
  What the parser refuses is a failure with the type `UsageError`, without its message, which would
  quote what was typed. `os._exit`, `exec` and SIGKILL leave nothing.
- **No event** for `--help`, `--version` and whatever else ends the parsing with exit code 0, for
  help that is shown since nothing was typed, and for shell completion.
- **The app stays as it was**: its output, its exit codes, its tracebacks, also when it is called
  many times or from a test. Where nothing may be recorded (consent), no run is observed.
- **`login` and `logout`** name the commands that are one. A login that succeeds is recorded with
  the credentials as they are after it and waits for the link, two seconds at most; a logout with
  those from before it.
- **Options**: with `options="names"` the event lists the `options` that were typed, under their
  declared names. With `"values"` it also has `option_values`, for options that are switches or
  have declared choices, and only values that are among those. Arguments are never recorded.
- **Exceptions to all this** carry a mark: a command, a group, its function or a parser with a true
  attribute `usage_untracked` (for a parser, a default of that name does too) is not recorded, nor
  is anything below it. A Typer group gets it from its callback or its `cls`.

SIGTERM and SIGHUP: where they have their default action, they would end the process before anything
could be written. While a command runs each therefore has a handler, which records the command and
then lets the signal have its default action: the process dies of it, as before. As with Ctrl-C, a
handler has to wait for an extension module that computes without returning. An app with a handler
of its own keeps it, and its children, forked or started, have the default action.

`_click` observes what click does anyway. argparse knows nothing of the command that its caller then
runs: see `_argparse` for what follows from that. What both of them need is here, as each module
more would cost a command as much as 150 lines.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable, Iterable
    from typing import Any

    from usage_core import Command
else:
    import _signal  # what `signal` has, without what makes its constants members of enums

__all__ = ["MARK", "UNKNOWN", "Run", "Watch", "disguise", "finish", "hide", "instrument"]

MARK = "usage_untracked"
UNKNOWN = "<unknown>"

_SIGHUP, _SIGTERM = 1, 15
_SIG_DFL = 0

_on_end: "Callable[[BaseException | None], None] | None" = None
_forks_are_seen = False

_ABOUT = ("__module__", "__qualname__", "__doc__")
_MADE = "_usage_made"

_KINDS = {
    ("typer", "Typer"): "typer",
    ("typer", "Command"): "click",  # Typer's own copy of click
    ("click", "Command"): "click",
    ("click", "BaseCommand"): "click",
    ("argparse", "ArgumentParser"): "argparse",
}


def instrument(app: object, watch: "Watch") -> None:
    """Have every run of *app* recorded as *watch* says; raises `TypeError` for any other object.

    Which framework it is of, its classes tell: nothing is imported that the app did not import.
    """
    match _kind(app):
        case "typer":
            from usage_core.adapters import _click

            _click.instrument_typer(app, watch)
        case "click":
            from usage_core.adapters import _click

            _click.instrument(app, watch)
        case "argparse":
            from usage_core.adapters import _argparse

            _argparse.instrument(app, watch)
        case _:
            raise TypeError(
                f"cannot instrument a {type(app).__name__}: it is neither a Typer app, nor a click"
                " command, nor an argparse parser"
            )


def finish() -> None:
    """End the runs of argparse apps that are still open: they end with the process, or here.

    For whoever calls such an app within a process that goes on, like a test.
    """
    import sys

    loaded = sys.modules.get("usage_core.adapters._argparse")
    if loaded is not None:
        loaded.finish()


class Watch:
    """What the author asked for: what to call the runs, and what to keep of them.

    *command* makes the context that records one, *wanted* says whether that may be at all.
    """

    def __init__(
        self,
        app: str,
        command: "Callable[[str], Command]",
        wanted: "Callable[[], bool]",
        *,
        login: "str | None",
        logout: "str | None",
        options: str,
    ) -> None:
        if options not in ("none", "names", "values"):
            raise ValueError(f"options is {options!r}, neither 'none' nor 'names' nor 'values'")
        self.app = app
        self.command = command
        self.wanted = wanted
        self.kinds = {login: "login", logout: "logout"}
        self.options = options

    def begin(self) -> "Run | None":
        """Return a run that begins now; None where nothing may be recorded."""
        return Run(self) if self.wanted() else None


class Run:
    """One run. Whoever observes it says what was reached, and calls `end` however it ended."""

    def __init__(self, watch: "Watch") -> None:
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
    def use(self, options: "Iterable[tuple[str, Any, Any]]") -> None:
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

    def end(self, error: "BaseException | None" = None) -> None:
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


# Any: the classes of other people's libraries, which are not imported here.
def disguise(thing: "Any", methods: "Callable[[Any], dict[str, object]]") -> bool:
    """Let *thing* have the *methods* of a subclass, made for its class; say whether it has them.

    The subclass has its class's name. A copy of *thing* is observed as *thing* is, which wrappers
    in its attributes could not do: they would still call the original.
    """
    kind = thing.__class__
    try:
        if _MADE in kind.__dict__:
            return True
        # Asked of the class, and not kept here: what this module holds stays to the very end, and
        # with it the whole app would, for the last garbage collection to go through.
        made = next(
            (sub for sub in kind.__subclasses__() if sub.__dict__.get(_MADE) is methods), None
        )
        if made is None:
            about = {name: getattr(kind, name) for name in _ABOUT}
            made = kind.__class__(
                kind.__name__, (kind,), {**about, **methods(kind), _MADE: methods}
            )
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


class Terminated(BaseException):
    """The process got SIGTERM, or SIGHUP."""

    def __init__(self, signum: int) -> None:
        super().__init__()
        self.exit_code = 128 + signum
        self.usage_label = "terminated" if signum == _SIGTERM else "hung up"


def _kind(app: object) -> "str | None":
    for kind in type(app).__mro__:
        found = _KINDS.get((kind.__module__.partition(".")[0], kind.__name__))
        if found:
            return found
    return None


def _watch_signals(end: "Callable[[BaseException | None], None]") -> None:
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


def _unwatch_signals(end: "Callable[[BaseException | None], None]") -> None:
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
def _exchange(old: "Any", new: "Any") -> bool:
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


def _declared(value: "Any", choices: "Any") -> "Any":
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


def _plain(value: "Any") -> "Any":
    """Return what a person types for *value*: that of a member, where the choices are an enum."""
    inner = getattr(value, "value", value)
    return inner if isinstance(inner, str) else getattr(value, "name", value)


def _is_help(error: "BaseException | None") -> bool:
    # Since click 8.2 the help that comes when nothing was typed is an error.
    from usage_core._recorder import exit_code_of

    return exit_code_of(error) == 0 or type(error).__name__ == "NoArgsIsHelpError"
