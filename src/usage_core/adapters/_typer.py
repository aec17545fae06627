"""The adapter for Typer: whatever copy of click it uses, it makes a new command for each call.

So it is `typer.main.get_command` that is observed, through which the app's call, `CliRunner` and
everybody else gets such a command. A module that imported that function by name before the app was
instrumented has it as it was: it instruments the command that it makes.
"""

from __future__ import annotations

import functools
import sys

from usage_core.adapters import _click
from usage_core.adapters._disguise import hide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from usage_core.adapters._run import Watch

__all__ = ["instrument"]

_WATCH = "_usage_watch"


# Any: Typer's classes, of whichever version.
def instrument(app: Any, watch: Watch) -> None:
    """Have every run of the Typer *app* recorded; its commands may be added before and after."""
    setattr(app, _WATCH, watch)
    main: Any = sys.modules.get("typer.main")
    original = getattr(main, "get_command", None)
    if original is None or hasattr(original, _WATCH):
        return

    @functools.wraps(original)
    def get_command(typer_instance: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            command = original(typer_instance, *args, **kwargs)
        except BaseException as error:
            hide(error)
            raise
        watch: Watch | None = getattr(typer_instance, _WATCH, None)
        if watch is not None:
            _click.instrument(command, watch)
        return command

    setattr(get_command, _WATCH, None)
    main.get_command = get_command
    testing: Any = sys.modules.get("typer.testing")
    if getattr(testing, "_get_command", None) is original:
        testing._get_command = get_command  # noqa: SLF001  # its own name for it
