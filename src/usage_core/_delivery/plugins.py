"""Plug-ins: one transport, imported by its name, and every other module with hooks."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import metadata
from types import ModuleType
from typing import cast

import attrs
import pluggy

from usage_core import hookspecs
from usage_core._delivery.guard import Guard
from usage_core._delivery.transport import Transport, TransportNotFoundError
from usage_core._local import StateFolder, make_folder, write_file
from usage_core._messages import Alias, Capture, Message

__all__ = ["Plugins", "installed_transports", "remember", "transport_module", "where_it_runs"]

TRANSPORTS = "usage.transports"
PLUGINS = "usage"
HOOK_SECONDS = 2.0
IMPORT_SECONDS = 5.0  # a client's library, from a cold disk


def installed_transports() -> list[str]:
    """Return the names of all installed transports, sorted."""
    return sorted({point.name for point in metadata.entry_points(group=TRANSPORTS)})


def transport_module(name: str) -> ModuleType:
    """Import the module of the transport *name*, and no other.

    Raises `TransportNotFoundError` where no installed distribution provides it, or several do: a
    package that claims another's name must not be given what was meant for that one.
    """
    points = {
        (point.value, point.dist.name if point.dist else ""): point
        for point in metadata.entry_points(group=TRANSPORTS, name=name)
    }
    if not points:
        known = ", ".join(installed_transports()) or "none"
        raise TransportNotFoundError(
            f"no transport named {name!r} is installed (installed: {known});"
            f" try: pip install usage-{name}"
        )
    if len(points) > 1:
        claims = ", ".join(sorted(distribution for _, distribution in points))
        raise TransportNotFoundError(
            f"several distributions provide a transport named {name!r}: {claims}; uninstall all"
            " but one"
        )
    module: ModuleType = next(iter(points.values())).load()
    return module


def where_it_runs(name: str, options: object) -> str:
    """Return where the transport *name* runs; one that cannot be made is left to the worker.

    Asked in a command, which one that hangs holds for two seconds at most, on its first run.
    """

    def ask() -> str:
        manager = _manager()
        manager.register(transport_module(name))
        made = manager.hook.usage_transport(options=options)
        return made.runs.value if isinstance(made, Transport) else "detached"

    guard = Guard()
    try:
        return guard.run(HOOK_SECONDS, ask)
    except (Exception, SystemExit):  # noqa: BLE001  # the worker says what is wrong with it
        return "detached"
    finally:
        guard.close()


def remember(folder: StateFolder, transport: str, runs: str) -> None:
    """Write down where *transport* runs, so that commands need not look for it."""
    path = folder.remembered(transport)
    make_folder(os.path.dirname(path))
    write_file(path, runs.encode("ascii"))


@attrs.define
class Plugins:
    """The plug-ins of one drain. Whatever one of them does, the others are called all the same.

    *note* is told who failed and how.
    """

    guard: Guard
    note: Callable[[str, str], None]
    _manager: pluggy.PluginManager = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._manager = _manager()

    def load(self, modules: Iterable[str], builtin: Mapping[str, object] | None = None) -> None:
        """Load the *modules* that the author named, and what plugs in by being installed."""
        for name, plugin in (builtin or {}).items():
            self._manager.register(plugin, name=name)
        for point in metadata.entry_points(group=PLUGINS):
            self._register(point.name, point.load)
        for name in modules:
            self._register(name, partial(importlib.import_module, name))

    def transport(self, name: str, options: Mapping[str, object]) -> Transport:
        """Make the transport *name*. Raises whatever keeps it from being made."""
        module = self.guard.run(IMPORT_SECONDS, lambda: transport_module(name))
        if not self._manager.is_registered(module):
            self._manager.register(module, name=f"transport {name}")
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        make = self._manager.subset_hook_caller("usage_transport", others)
        made = self.guard.run(HOOK_SECONDS, lambda: make(options=options))
        if not isinstance(made, Transport):
            raise TypeError(f"usage_transport of {name!r} returned {made!r}, not a Transport")
        return made

    def have(self, hook: str) -> bool:
        """Say whether any plug-in has *hook*."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def principal(self, credential: str | None, seconds: float) -> str | None:
        """Ask each plug-in who *credential* belongs to, *seconds* for all of them together."""
        end = time.monotonic() + seconds
        for who, ask in self._callers("usage_principal"):
            left = max(end - time.monotonic(), 0.0)
            answer = self._call(who, ask, left, credential=credential, timeout=left)
            if answer is not None:
                return answer if isinstance(answer, str) else None
        return None

    def before_send(self, message: Message) -> Message | None:
        """Return *message* as all plug-ins left it; None where one dropped it, or failed."""
        current = message
        for who, redact in self._callers("usage_before_send"):
            changed = self._call(who, redact, HOOK_SECONDS, message=current)
            if not isinstance(changed, (Alias, Capture)):
                return None
            current = changed
        return current

    def tell(self, hook: str, **arguments: object) -> None:
        """Tell every plug-in that has *hook*."""
        for who, listener in self._callers(hook):
            self._call(who, listener, HOOK_SECONDS, **arguments)

    def _register(self, name: str, load: Callable[[], object]) -> None:
        try:
            module = self.guard.run(HOOK_SECONDS, load)
            if not self._manager.is_registered(module):
                self._manager.register(module, name=name)
        except BaseException as error:  # noqa: BLE001  # somebody else's code
            self.note(f"plug-in {name}", f"cannot be loaded: {error!r}")

    def _callers(self, hook: str) -> list[tuple[str, Callable[..., object]]]:
        plugins = self._manager.get_plugins()
        callers: list[tuple[str, Callable[..., object]]] = []
        for implementation in reversed(getattr(self._manager.hook, hook).get_hookimpls()):
            others = [other for other in plugins if other is not implementation.plugin]
            one = self._manager.subset_hook_caller(hook, others)
            callers.append((implementation.plugin_name, one))
        return callers

    def _call(
        self, who: str, hook: Callable[..., object], seconds: float, **arguments: object
    ) -> object:
        try:
            answer = self.guard.run(seconds, lambda: hook(**arguments))
        except BaseException as error:  # noqa: BLE001  # somebody else's code
            self.note(f"plug-in {who}", f"{type(error).__name__}: {error}")
            return None
        # A hook that is not firstresult answers with a list: empty, or its one plug-in's result.
        if isinstance(answer, list):
            return next(iter(cast(list[object], answer)), None)
        return answer


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("usage")
    manager.add_hookspecs(hookspecs)
    return manager
