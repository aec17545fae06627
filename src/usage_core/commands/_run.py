"""Run one command for a face: do it, print what it returns, give the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

import attrs

from usage_core import Tracker
from usage_core.commands import _text
from usage_core.commands._choice import disable, enable
from usage_core.commands._doctor import doctor
from usage_core.commands._erase import forget, reset
from usage_core.commands._flush import flush
from usage_core.commands._page import page
from usage_core.commands._preview import Preview, preview
from usage_core.commands._screen import Block, Screen
from usage_core.commands._show import Shown, show
from usage_core.commands._status import Status, status
from usage_core.commands._verbs import FAILED

__all__ = ["run"]

Found = TypeVar("Found", Preview, Shown, Status)


def run(tracker: Tracker, verb: str, **options: object) -> int:
    """Do what *verb* says with its *options*, print what came of it, and return the exit code.

    What keeps it from being done goes to standard error.
    """
    try:
        code = _run(tracker, verb, Screen(), options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read it has seen enough
        # Else the interpreter would complain on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        sys.stderr.write(f"{tracker.app}: {error}\n")
        return FAILED
    return code


def _run(tracker: Tracker, verb: str, screen: Screen, options: Mapping[str, object]) -> int:
    as_json = bool(options.get("json"))
    match verb:
        case "enable" | "disable" | "reset" | "forget":
            screen.show(_change(tracker, verb))
        case "flush":
            with screen.progress("Sending") as progress:
                flushed = flush(tracker, progress=progress)
            screen.show(_text.flushed(flushed))
            return FAILED if flushed.errors else 0
        case "doctor":
            with screen.waiting() as waiting:
                diagnosis = doctor(tracker, waiting)
            if as_json:
                screen.json({"healthy": diagnosis.healthy, **attrs.asdict(diagnosis)})
            else:
                screen.show(_text.doctor(diagnosis))
            return 0 if diagnosis.healthy else FAILED
        case "status":
            _say(screen, as_json, status(tracker), _text.status)
        case "preview":
            _say(screen, as_json, preview(tracker), _text.preview)
        case _ if options.get("html"):
            path = str(options["html"])
            html = page(status(tracker), show(tracker), datetime.now(UTC))
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(handle, "w", encoding="utf-8", errors="replace") as file:
                file.write(html)
            screen.show([f"Written: {path}"])
        case _:
            _say(screen, as_json, show(tracker), _text.show)
    return 0


def _change(tracker: Tracker, verb: str) -> Iterator[Block]:
    match verb:
        case "enable":
            return _text.enabled(enable(tracker))
        case "disable":
            return _text.disabled(disable(tracker))
        case "reset":
            return _text.reset(reset(tracker))
        case _:
            return _text.forgotten(forget(tracker))


def _say(
    screen: Screen, as_json: bool, found: Found, blocks: Callable[[Found], Iterable[Block]]
) -> None:
    if as_json:
        screen.json(attrs.asdict(found))
    else:
        screen.show(blocks(found))
