"""Usage tracking that the people who run a command-line tool would be glad of.

The way an event takes, and where to read about it:

1. `Tracker`       the author's one object, below; a command that ends becomes a *fact*
2. `_local`        may it be recorded; if so, `_recorder` writes it down and starts the worker
3. `_delivery`     the worker, a process of its own, takes each fact from the journal,
4. `_identity`     learns whose it is (waterfall), folds (lifecycle), writes `usage.json`,
5. `_messages`     puts an `Alias` and a `Capture` into the outbox of the fact's transport,
6. `_delivery`     and hands them to that `Transport`, oldest first, until it says they arrived.

Everything before step 3 happens in the user's command and imports the standard library only;
everything after it happens where nobody waits.
"""

import os
import sys
import time

from usage_core import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType
    from typing import Literal, Self, TypedDict, Unpack

    from usage_core._delivery.transport import (
        Rejected,
        Runs,
        Transport,
        TransportError,
        TransportNotFoundError,
        Unavailable,
    )
    from usage_core._messages import Alias, Capture, Message
    from usage_core._recorder import Recorder
    from usage_core.hookspecs import hookimpl

    class Details(TypedDict, total=False):
        """What `track`, `login` and `logout` may be told of the command that ended."""

        ok: bool
        duration_ms: float | None
        error: BaseException | str | None
        exit_code: int | None
        properties: Mapping[str, object] | None


__all__ = [
    "Alias",
    "Capture",
    "Message",
    "Rejected",
    "Runs",
    "Tracker",
    "Transport",
    "TransportError",
    "TransportNotFoundError",
    "Unavailable",
    "hookimpl",
]

# What `instrument` adds where its author asked for it there.
_OF_ADAPTERS = ("options", "option_values")

_PLAIN = {str, int, bool, type(None)}

_HOMES = {
    "Alias": "_messages",
    "Capture": "_messages",
    "Message": "_messages",
    "hookimpl": "hookspecs",
}


class Tracker:
    """Records how a command-line tool is used, at no cost that its user could feel.

    Once made, it raises nothing into the tool, prints nothing and waits for nothing, with one
    exception that is meant: `login` waits for the link, two seconds at most.
    """

    def __init__(
        self,
        app: str,
        *,
        version: str,
        transport: str,
        options: "Mapping[str, object] | None" = None,
        credentials: "str | os.PathLike[str] | Callable[[], str | None] | None" = None,
        whoami: "str | None" = None,
        plugins: "Iterable[str]" = (),
        notice: "str | None" = None,
        errors: str = "message",
        events: "Mapping[str, Mapping[str, str]] | None" = None,
        state_dir: "str | os.PathLike[str] | None" = None,
    ) -> None:
        """Describe the tool; touches no file and starts nothing.

        *app* names the `<APP>_USAGE_*` variables and the folder `~/.<app>`; *transport* is an
        entry-point name in the group `usage.transports`, and *options* go to it. *credentials* is
        the file whose change means "maybe someone else", or a function that returns a stamp of
        them; with *whoami*, the base URL of an auth API, the built-in resolver asks it who they
        belong to. *plugins* are modules with hooks, imported in the worker only. *notice* is shown
        once, at a terminal, and nothing is sent before. *errors* is `"message"` (scrubbed) or
        `"type"`. *events* declares what the tool's own properties say, by command (`"*"` for all)
        and name; any other is dropped. Raises `ValueError` for what could never work.
        """
        if getattr(sys, "frozen", False):
            from usage_core import _frozen

            _frozen.be_the_worker_if_started_as_one()
        _check(app, transport, errors)
        if state_dir is None:
            state_dir = _local.default_folder(app, os.environ)
        folder = None if state_dir is None else _absolute(state_dir)
        if credentials is not None and not callable(credentials):
            credentials = _absolute(credentials)
        options, plugins = dict(options or {}), list(plugins)
        config: dict[str, object] = {
            "app": app,
            "version": str(version),
            "state": folder,
            "transport": transport,
            "options": options,
            "credentials": None if callable(credentials) else credentials,
            "whoami": whoami,
            "plugins": plugins,
        }
        _check_carried(config, options, plugins)
        self.app = app
        self.version = str(version)
        if events is not None:
            events = dict(zip(events, map(dict, events.values()), strict=True))
        self.events = events
        self._errors = errors
        self._credentials = credentials
        self._folder = None if folder is None else _local.StateFolder(folder)
        self._config = config
        self._notice = notice
        self._here = {_local.STARTED_IN, _local.current_folder()}
        self._made: Recorder | None = None
        if "argparse" in sys.modules:  # whose apps are seen to exit only from here on
            from usage_core._exits import note_exits

            note_exits()

    def command(self, name: str) -> "Command":
        """Return a context that records how the command inside it went, whatever way it ends."""
        return Command(name, self._record, self._stamp)

    def instrument(
        self,
        app: object,
        *,
        login: "str | None" = None,
        logout: "str | None" = None,
        options: 'Literal["none", "names", "values"]' = "none",
    ) -> None:
        """Record every command of *app*: a Typer app, a click command, or an `ArgumentParser`.

        *login* and *logout* are the paths of the commands that are one, like `"auth.login"`.
        *options* says what is kept of those that were typed: nothing, their names, or the values
        too of switches and of declared choices. The app behaves as it did; `usage_core.adapters`
        says what becomes an event. Raises `TypeError` for anything else and `ValueError` for other
        *options*.
        """
        from usage_core import adapters

        watch = adapters.Watch(
            self.app, self.command, self._wanted, login=login, logout=logout, options=options
        )
        adapters.instrument(app, watch)

    def track(self, name: str, **details: "Unpack[Details]") -> None:
        """Record one command that has ended; an *error* or a nonzero *exit_code* is a failure."""
        self._record("command", name, self._stamp(), **details)

    def login(self, principal_id: "str | None" = None, **details: "Unpack[Details]") -> None:
        """Record a login: links this machine's anonymous id to the principal, then its event.

        Call it when the new credentials are in place. Without *principal_id* the hooks are asked.
        Waits until the link is made, or safely queued: two seconds at most. One that failed is
        recorded as any command is, and links nothing.
        """
        self._record("login", "login", self._stamp(), principal=principal_id, **details)

    def logout(self, **details: "Unpack[Details]") -> None:
        """Record a logout as whoever it was; what comes after one that succeeded is someone new."""
        self._record("logout", "logout", self._stamp(), **details)

    def flush(self, timeout: float = 10.0) -> bool:
        """Deliver what is queued now, in this process, within *timeout* seconds.

        Returns whether nothing is left to be delivered.
        """
        try:
            if not self._wanted():
                return False
            from usage_core._delivery.process import flush

            recorder = self._recorder
            return flush(recorder.worker_config(recorder.transport()), timeout)
        except Exception:  # noqa: BLE001  # the tool comes first, always
            return False

    @property
    def _recorder(self) -> "Recorder":
        """What records: made when it is needed first, since a no has no use for it."""
        if self._made is None:
            from usage_core._recorder import Recorder

            self._made = Recorder(self._config, self._folder, self._notice, self._here)
        return self._made

    def _wanted(self) -> bool:
        try:
            return _local.may_record(self.app, self._folder)[0]
        except Exception:  # noqa: BLE001  # the tool comes first, always
            return False

    def _stamp(self) -> "str | None":
        try:
            given = self._credentials
            if given is None or callable(given):
                return given and given()
            return _local.stamp_of(given)
        except Exception:  # noqa: BLE001  # the app's own function
            return None

    def _record(
        self,
        kind: str,
        name: str,
        credential: "str | None",
        *,
        ok: bool = True,
        duration_ms: "float | None" = None,
        error: "BaseException | str | None" = None,
        exit_code: "int | None" = None,
        properties: "Mapping[str, object] | None" = None,
        principal: "str | None" = None,
    ) -> None:
        if not self._wanted():
            return  # before the imports: a no costs no more than asking
        try:
            from usage_core._recorder import (
                FAILED,
                SUCCEEDED,
                exit_code_of,
                session,
                surroundings,
            )

            recorder = self._recorder
            if exit_code is None:
                exit_code = exit_code_of(error) if ok else exit_code_of(error) or 1
            success = ok and exit_code == 0
            if not success:  # what failed has changed nothing
                kind, principal = "command", None
            about: dict[str, object] = {
                "command_name": str(name)[:200],
                "cli_version": self.version,
                "python_version": "{}.{}.{}".format(*sys.version_info[:3]),
                "exit_code": exit_code,
                "session": session(),
                **surroundings(_local.environment()),
            }
            if duration_ms is not None:
                about["duration"] = round(duration_ms, 2)
            if not success:
                from usage_core._error import describe_error

                about.update(describe_error(error or "failed", self._errors))
            for key, value in (properties or {}).items():
                if self._declares(name, key):
                    about.setdefault(str(key), value)
                else:
                    recorder.drop(name, str(key))
            recorder.record(
                kind,
                SUCCEEDED if success else FAILED,
                about,
                credential=credential,
                principal=None if principal is None else str(principal),
            )
        except Exception:  # noqa: BLE001  # the tool comes first, always
            pass

    def _declares(self, command: str, name: str) -> bool:
        if self.events is None or name in _OF_ADAPTERS:
            return True
        return name in self.events.get("*", {}) or name in self.events.get(command, {})


class Command:
    """One run of a command, as `Tracker.command` returns it: a context that lets errors pass.

    Until it has ended, its `name` may change, and its `kind` become `"login"` or `"logout"`: what
    it is if it succeeds.
    """

    def __init__(
        self, name: str, record: "Callable[..., None]", stamp: "Callable[[], str | None]"
    ) -> None:
        self.name = name
        self.kind = "command"
        self._record = record
        self._stamp = stamp
        self._properties: dict[str, object] = {}
        self._credential: str | None = None
        self._began = 0.0

    def set(self, **properties: object) -> None:
        """Add properties to the event; those that every event has cannot be replaced."""
        self._properties.update(properties)

    def end(self, error: "BaseException | None" = None) -> None:
        """Record that it ended, with *error* if any: what leaving the context does."""
        took = (time.perf_counter() - self._began) * 1000
        self._record(
            self.kind,
            self.name,
            # A login is stamped with the credentials that it brought.
            self._stamp() if self.kind == "login" else self._credential,
            duration_ms=took,
            error=error,
            properties=self._properties,
        )

    def __enter__(self) -> "Self":
        self._credential = self._stamp()
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: "type[BaseException] | None",
        error: "BaseException | None",
        traceback: "TracebackType | None",
    ) -> None:
        self.end(error)


def __getattr__(name: str) -> object:
    """Import a public name on its first use: a command pays for `Tracker` alone (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("usage-core")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOMES.get(name, "_delivery.transport")
    value: object = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
    globals()[name] = value
    return value


def __dir__() -> "list[str]":
    return [*__all__, "__version__"]


def _check(app: str, transport: str, errors: str) -> None:
    if not _local.is_transport_name(app):
        raise ValueError(
            f"{app!r} cannot name an app: it names a folder and environment variables, so use"
            " letters, digits, '_', '-' and '.', beginning with a letter or digit"
        )
    if not _local.is_transport_name(transport):
        raise ValueError(f"{transport!r} cannot name a transport: use letters, digits, '_' and '-'")
    if errors not in ("message", "type"):
        raise ValueError(f"errors is {errors!r}, neither 'message' nor 'type'")


def _check_carried(
    config: "dict[str, object]", options: "Mapping[str, object]", plugins: "list[str]"
) -> None:
    """Check that the worker can be told *config*, which only what is not plain could prevent."""
    names, values = (*options, *plugins), (*options.values(), config["whoami"])
    if set(map(type, names)) <= {str} and set(map(type, values)) <= _PLAIN:
        return  # no import for what nearly all tools have
    from usage_core._recorder import dumps

    try:
        dumps(config)
    except ValueError as error:
        raise ValueError(f"options and plugins must be what JSON can carry: {error}") from None


def _absolute(path: "str | os.PathLike[str]") -> str:
    return os.path.abspath(os.path.expanduser(os.fspath(path)))
