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

`_click` observes what click does anyway. argparse knows nothing of the command that
its caller then runs: see `_argparse` for what follows from that.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from usage_core.adapters._run import Watch

__all__ = ["finish", "instrument"]

_KINDS = {
    ("typer", "Typer"): "typer",
    ("typer", "Command"): "click",  # Typer's own copy of click
    ("click", "Command"): "click",
    ("click", "BaseCommand"): "click",
    ("argparse", "ArgumentParser"): "argparse",
}


def instrument(app: object, watch: Watch) -> None:
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


def _kind(app: object) -> str | None:
    for kind in type(app).__mro__:
        found = _KINDS.get((kind.__module__.partition(".")[0], kind.__name__))
        if found:
            return found
    return None
