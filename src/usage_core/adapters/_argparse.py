"""The adapter for argparse, which knows what was typed and nothing of what its caller does then.

A run begins with the parsing. What the parser refuses, and help, end it there. Otherwise it ends
with the process, whose end shows how: an exception that nobody caught is in `sys`, and the exit
code is what `sys.exit` was last called with in the thread that parsed. `sys.exit` is observed since
the `Tracker` was made, if argparse was imported then, else since `instrument`: make the tracker
where the module is imported, not in the function of `sys.exit(main())`.

What remains unseen: `raise SystemExit(n)` instead of `sys.exit(n)`, which counts as success (what
an installer writes into a script is `sys.exit`), and a standard output that turns out to be closed
when the interpreter flushes it at the very end.

A program that parses again has ended the command before, except after `parse_known_args`, which is
how a program looks at its arguments ahead. Completion by argcomplete is no run.
"""

import _thread
import atexit
import os
import sys

from usage_core._exits import forget_exit, last_exit, note_exits
from usage_core.adapters import MARK, UNKNOWN, disguise, hide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from usage_core.adapters import Run, Watch

__all__ = ["finish", "instrument"]

_WATCH = "_usage_watch"
_PARSE = "_usage_parse"

_open: "list[_Parse]" = []


class UsageError(Exception):
    """The parser refused what was typed. Its message would quote that, so there is none."""

    usage_label = "usage error"

    def __init__(self, exit_code: int = 2) -> None:
        super().__init__()
        self.exit_code = exit_code


class _Parse:
    """A run, and what its end is found out from."""

    def __init__(self, run: "Run", parser: "Any", method: str) -> None:
        self.run = run
        self.parser = parser
        self.preliminary = "known" in method
        self.level = 0
        self.used: list[Any] = []
        self.refused = False
        self.thread = _thread.get_ident()
        self.before = _uncaught()
        forget_exit()

    def end(self) -> None:
        error = _uncaught()
        if error is None or error is self.before:
            error = last_exit(self.thread)
        self.run.end(self.refusal(error) if self.refused else error)

    def refusal(self, error: "BaseException | None") -> "UsageError":
        """Return what stands for *error* when `error()` of a parser was called: exit code 2."""
        code = error.code if isinstance(error, SystemExit) else 2
        return UsageError(code if isinstance(code, int) and code else 2)


# Any: argparse is not imported here.
def instrument(parser: "Any", watch: "Watch") -> None:
    """Have every run of the program that *parser* parses for recorded."""
    note_exits()
    if disguise(parser, _parser_methods):
        setattr(parser, _WATCH, watch)


def finish() -> None:
    """End the runs that are still open."""
    while _open:
        _open.pop().end()


atexit.register(finish)


def _parser_methods(base: "Any") -> "dict[str, object]":
    def _get_values(self: "Any", action: "Any", arg_strings: "list[str]") -> "Any":
        parse: _Parse | None = getattr(self, _PARSE, None)
        if parse is not None:
            _consumed(parse, action, arg_strings)
        try:
            return base._get_values(self, action, arg_strings)  # noqa: SLF001  # one for all kinds of actions
        except BaseException as error:
            hide(error)
            raise

    def error(self: "Any", message: str) -> "Any":
        parse: _Parse | None = getattr(self, _PARSE, None)
        if parse is not None:
            parse.refused = True
        try:
            return base.error(self, message)
        except BaseException as error:
            hide(error)
            raise

    methods: dict[str, object] = {"_get_values": _get_values, "error": error}
    for way in ("args", "known_args", "intermixed_args", "known_intermixed_args"):
        methods[f"parse_{way}"] = _parse_method(base, f"parse_{way}")
    return methods


def _parse_method(base: "Any", name: str) -> "Any":
    original = getattr(base, name)

    def method(self: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        parse = _begin(self, name)
        try:
            found: Any = original(self, *args, **kwargs)
        except BaseException as error:
            hide(error)
            if parse is not None:
                refused = parse.refused and not _is_zero(error)
                parse.run.end(parse.refusal(error) if refused else error)
            raise
        if parse is not None:
            _parsed(parse, found[0] if "known" in name else found)
        return found

    return method


def _begin(parser: "Any", method: str) -> "_Parse | None":
    """Return a new parse, if it is not one within another nor only asked for completions."""
    watch: Watch | None = getattr(parser, _WATCH, None)
    if watch is None or "_ARGCOMPLETE" in os.environ:
        return None
    before: _Parse | None = getattr(parser, _PARSE, None)
    if before is not None and before.run.parsing:
        return None
    if before is not None and before in _open:
        _open.remove(before)
        if before.preliminary:
            before.run.untracked = True
        before.end()
    run = watch.begin()
    if run is None:
        return None
    run.untracked = _is_marked(parser)
    parse = _Parse(run, parser, method)
    setattr(parser, _PARSE, parse)
    return parse


def _consumed(parse: "_Parse", action: "Any", words: "list[str]") -> None:
    """Note that the parser took *words* for *action*: an option, or the choice of a subparser."""
    if not parse.run.parsing:
        return
    if action.option_strings:
        parse.used.append(action)
    parsers = getattr(action, "_name_parser_map", None)
    if parsers is None or not words:
        return
    chosen = parsers.get(words[0])
    # An alias is a later name of the same parser.
    name = next((name for name, parser in parsers.items() if parser is chosen), UNKNOWN)
    parse.run.reach(parse.level, name if chosen is not None else UNKNOWN)
    parse.level += 1
    if chosen is not None:
        parse.run.untracked = parse.run.untracked or _is_marked(chosen)
        if disguise(chosen, _parser_methods):
            setattr(chosen, _PARSE, parse)


def _parsed(parse: "_Parse", namespace: "Any") -> None:
    parse.run.parsing = False
    parse.run.use(_options(parse, namespace))
    _open.append(parse)


def _options(parse: "_Parse", namespace: "Any") -> "Iterator[tuple[str, Any, Any]]":
    for action in parse.used:
        value = getattr(namespace, action.dest, None)
        # What takes no value and leaves a bool is a switch, however it is called.
        is_switch = action.nargs == 0 and isinstance(value, bool)
        yield action.dest, value, True if is_switch else action.choices


def _uncaught() -> "BaseException | None":
    found: object = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    return found if isinstance(found, BaseException) else None


def _is_zero(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and not error.code


def _is_marked(parser: "Any") -> bool:
    return bool(getattr(parser, MARK, False) or parser.get_default(MARK))
