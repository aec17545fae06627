"""The adapter for click, and for the copy of it that Typer carries.

Observed are, by subclasses that add nothing else: the making of a context (what was typed is
parsed; `--help` and refusals end here), the choice of a command within a group (its name, whoever
loads it and when), and the end of the outermost context. No frame of this module is on the stack
while the app's own functions run, and it hides from the tracebacks of what the parsing raises.

Typer makes a new command for each call, so it is `typer.main.get_command` that is observed, through
which the app's call, `CliRunner` and everybody else gets such a command. A module that imported
that function by name before the app was instrumented has it as it was: it instruments the command
that it makes.
"""

import functools
import sys

from usage_core.adapters import MARK, UNKNOWN, disguise, hide

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from usage_core.adapters import Run, Watch

__all__ = ["instrument", "instrument_typer"]

_WATCH = "_usage_watch"
_RUN = "_usage_run"


# Any: click's classes, of whichever copy.
def instrument(command: "Any", watch: "Watch") -> None:
    """Have every run of *command* as a program recorded."""
    if disguise(command, _command_methods):
        setattr(command, _WATCH, watch)


# Any: Typer's classes, of whichever version.
def instrument_typer(app: "Any", watch: "Watch") -> None:
    """Have every run of the Typer *app* recorded; its commands may be added before and after."""
    setattr(app, _WATCH, watch)
    main: Any = sys.modules.get("typer.main")
    original = getattr(main, "get_command", None)
    if original is None or hasattr(original, _WATCH):
        return

    @functools.wraps(original)
    def get_command(typer_instance: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        try:
            command = original(typer_instance, *args, **kwargs)
        except BaseException as error:
            hide(error)
            raise
        watch: Watch | None = getattr(typer_instance, _WATCH, None)
        if watch is not None:
            instrument(command, watch)
        return command

    setattr(get_command, _WATCH, None)
    main.get_command = get_command
    testing: Any = sys.modules.get("typer.testing")
    if getattr(testing, "_get_command", None) is original:
        testing._get_command = get_command  # noqa: SLF001  # its own name for it


def _command_methods(base: "Any") -> "dict[str, object]":
    def make_context(
        self: "Any",
        info_name: "str | None",
        args: "list[str]",
        parent: "Any" = None,
        **extra: "Any",
    ) -> "Any":
        if parent is not None:
            extra["parent"] = parent
            run = _run_of(parent)
        else:
            run = _begin(self, extra)
        if run is not None:
            run.parsing = True
        try:
            context = base.make_context(self, info_name, args, **extra)
        except BaseException as error:
            hide(error)
            if run is not None and parent is None:
                run.end(error)
            raise
        if run is not None:
            if parent is None and disguise(context, _context_methods):
                setattr(context, _RUN, run)
            run.parsing = False
            run.use(_options(context))
        return context

    methods: dict[str, object] = {"make_context": make_context}
    if hasattr(base, "resolve_command"):
        methods["resolve_command"] = _resolve_command(base)
    return methods


def _resolve_command(base: "Any") -> "Any":
    def resolve_command(self: "Any", ctx: "Any", args: "list[str]") -> "Any":
        run = _run_of(ctx)
        try:
            name, command, rest = base.resolve_command(self, ctx, args)
        except BaseException as error:
            hide(error)
            if run is not None:
                _chosen(run, ctx, args[0] if args else None, None)
            raise
        if run is not None and command is not None:
            _chosen(run, ctx, name, command)
        return name, command, rest

    return resolve_command


def _context_methods(base: "Any") -> "dict[str, object]":
    def leave(self: "Any", kind: "Any", error: "BaseException | None", traceback: "Any") -> "Any":
        try:
            passed_over = base.__exit__(self, kind, error, traceback)
        except BaseException as another:
            hide(another)
            _ended(self, another)
            raise
        _ended(self, None if passed_over else error)
        return passed_over

    return {"__exit__": leave}


def _begin(command: "Any", extra: "dict[str, Any]") -> "Run | None":
    """Return a new run, if *command* is the program and not only asked for completions."""
    watch: Watch | None = getattr(command, _WATCH, None)
    if watch is None or extra.get("resilient_parsing"):
        return None
    run = watch.begin()
    if run is not None:
        run.untracked = _is_marked(command)
    return run


def _chosen(run: "Run", context: "Any", name: "str | None", command: "Any") -> None:
    """Note the *command* that was found under *name* in the group of *context*; None: none was."""
    try:
        group = context.command
        known = _declared_name(group, context, name, command)
        run.reach(_level(context), known, beside=bool(getattr(group, "chain", False)))
        run.untracked = run.untracked or _is_marked(command)
        if command is not None:
            disguise(command, _command_methods)
    except Exception:  # noqa: BLE001  # somebody else's group
        pass


def _ended(context: "Any", error: "BaseException | None") -> None:
    # A group enters its context more than once; the last to leave it ends the run.
    if getattr(context, "_depth", 0) == 0:
        run: Run = getattr(context, _RUN)
        run.end(error)


def _declared_name(group: "Any", context: "Any", name: "str | None", command: "Any") -> str:
    """Return the name under which *group* declares a command: never what was typed otherwise."""
    candidates = [name, getattr(command, "name", None)]
    declared = getattr(group, "commands", {})
    for candidate in candidates:
        if candidate is not None and candidate in declared:
            return str(candidate)
    listed = group.list_commands(context)  # loaded when asked for
    for candidate in candidates:
        if candidate is not None and candidate in listed:
            return str(candidate)
    return UNKNOWN


def _options(context: "Any") -> "Iterator[tuple[str, Any, Any]]":
    for parameter in context.command.params:
        if parameter.param_type_name != "option":
            continue
        source = context.get_parameter_source(parameter.name)
        if getattr(source, "name", None) == "COMMANDLINE":
            yield parameter.name, context.params.get(parameter.name), _choices(parameter)


def _choices(option: "Any") -> "Any":
    if getattr(option, "is_bool_flag", False):
        return True
    # Typer's copy of click has no types: it keeps the choices of an annotation.
    kind = getattr(option, "type", None) or getattr(option, "type_descriptor", None)
    return True if getattr(kind, "name", None) == "boolean" else getattr(kind, "choices", None)


def _is_marked(command: "Any") -> bool:
    return bool(
        getattr(command, MARK, False) or getattr(getattr(command, "callback", None), MARK, False)
    )


def _run_of(context: "Any") -> "Run | None":
    run: Run | None = getattr(context.find_root(), _RUN, None)
    return run


def _level(context: "Any") -> int:
    level = 0
    while context.parent is not None:
        context, level = context.parent, level + 1
    return level
