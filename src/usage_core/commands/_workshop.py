"""What a worker needs on this machine: the lock, an interpreter, the transport, the plug-ins."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import filelock

from usage_core import Tracker
from usage_core._delivery.config import Config
from usage_core._delivery.folder import Folder
from usage_core._delivery.guard import Guard
from usage_core._delivery.plugins import Plugins, transport_module
from usage_core._delivery.transport import Runs, Transport, TransportNotFoundError
from usage_core._local import is_transport_name
from usage_core._recorder import lease_holder
from usage_core.commands._finding import Finding
from usage_core.commands._tracker import recorder_of

__all__ = ["credentials", "endpoint", "interpreter", "lock", "plugins", "transport"]

_STARTING_SECONDS = 10.0
_PROBE = """\
import json, sys
sys.path[:] = json.load(sys.stdin)
import usage_core._delivery.process
"""


def lock(folder: Folder | None) -> Iterator[Finding]:
    """Look whether the lock can be had."""
    if folder is None or not os.path.exists(folder.lock):
        yield Finding("lock", "ok", "no worker has needed the lock yet")
        return
    held = filelock.FileLock(folder.lock, timeout=0)
    try:
        held.acquire()
    except filelock.Timeout:
        worker = lease_holder(folder.lease)
        who = "another process" if worker is None else f"the worker, process {worker}"
        yield Finding(
            "lock",
            "note",
            f"{who}, holds {folder.lock}" if worker else f"{who} holds {folder.lock}",
            "A worker ends within ten seconds; if it is still held then, find out who holds it.",
        )
    except (OSError, NotImplementedError) as error:
        yield Finding(
            "lock",
            "problem",
            f"{folder.lock} cannot be locked: {error}",
            "Some network disks know no locks: keep the folder on another one.",
        )
    else:
        held.release()
        yield Finding("lock", "ok", "the lock is free")


def interpreter(tracker: Tracker, allowed: bool) -> Iterator[Finding]:
    """Look whether a worker could start; starts an interpreter if *allowed*."""
    version = "{}.{}.{}".format(*sys.version_info[:3])
    if not sys.executable or not os.access(sys.executable, os.X_OK):
        yield Finding(
            "interpreter",
            "problem",
            f"no worker can start: {sys.executable or 'the interpreter'!r} cannot be executed",
            "Install the tool again; until then nothing is sent.",
        )
        return
    if not allowed or getattr(sys, "frozen", False):
        yield Finding("interpreter", "ok", f"Python {version}, {sys.executable}")
        return
    recorder = recorder_of(tracker)
    probe = subprocess.run(
        [sys.executable, "-P", "-c", _PROBE],
        input=json.dumps(recorder.worker_config(recorder.transport())["path"]),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_STARTING_SECONDS,
        check=False,
    )
    if probe.returncode == 0:
        yield Finding("interpreter", "ok", f"Python {version}, {sys.executable}: a worker starts")
    else:
        said = (probe.stderr.strip().splitlines() or [f"exit code {probe.returncode}"])[-1]
        yield Finding(
            "interpreter",
            "problem",
            f"a worker cannot start with {sys.executable}: {said}",
            "Install the tool again, with everything that usage-core depends on.",
        )


def transport(tracker: Tracker) -> Iterator[Finding]:
    """Look whether the transport is installed, once, and takes its options."""
    name = recorder_of(tracker).transport()
    if not is_transport_name(name):
        yield Finding(
            "transport",
            "problem",
            f"{name!r} cannot name a transport, so nothing is recorded",
            "Correct the variable that swaps the transport, or unset it.",
        )
        return
    try:
        made = _made(tracker)
    except TransportNotFoundError as error:
        yield Finding("transport", "problem", str(error), "Install it, or uninstall all but one.")
        return
    except BaseException as error:  # noqa: BLE001  # somebody else's code
        advice = f"It is {tracker.app} that gives the options: report this to its authors."
        yield Finding("transport", "problem", f"{name} cannot be made: {error}", advice)
        return
    kind = type(made)
    if made.runs is Runs.NEVER:
        text = f"{name} records nothing and sends nothing"
        yield Finding("transport", "off", text, "That is what it is for; swap it for another.")
    else:
        yield Finding("transport", "ok", f"{name} ({kind.__module__}.{kind.__qualname__})")


def endpoint(tracker: Tracker) -> str | None:
    """Return the address that the transport speaks to, where it has a `host`."""
    try:
        host: object = getattr(_made(tracker), "host", None)
    except BaseException:  # noqa: BLE001  # somebody else's code; `transport` says what is wrong
        return None
    return host if isinstance(host, str) else None


def plugins(tracker: Tracker) -> Iterator[Finding]:
    """Look whether all plug-ins can be loaded."""
    failed: list[Finding] = []
    guard = Guard()
    config = _config(tracker)

    def note(about: str, text: str) -> None:
        advice = "Its hooks are skipped. Install what it lacks, or take it away."
        failed.append(Finding("plug-ins", "problem", f"{about}: {text}", advice))

    Plugins(guard, note).load(config.plugins)
    guard.close()
    yield from failed
    if not failed:
        named = ", ".join(config.plugins) or "none that the tool names"
        yield Finding("plug-ins", "ok", named)


def credentials(tracker: Tracker) -> Iterator[Finding]:
    """Look whether the built-in resolver could ask who is logged in."""
    config = _config(tracker)
    if config.credentials is None or config.whoami is None:
        return
    missing = [name for name in ("httpx", "yaml") if importlib.util.find_spec(name) is None]
    if missing:
        yield Finding(
            "credentials",
            "problem",
            f"nobody can be asked who is logged in: {' and '.join(missing)} missing",
            "pip install 'usage-core[whoami]'",
        )
    if not os.path.lexists(config.credentials):
        yield Finding("credentials", "ok", f"nobody is logged in: no {config.credentials}")
    elif not os.access(config.credentials, os.R_OK):
        advice = f"Open it for yourself: chmod u+r {config.credentials}"
        yield Finding("credentials", "problem", f"{config.credentials} cannot be read", advice)
    else:
        yield Finding("credentials", "ok", f"{config.credentials}, asked of {config.whoami}")


def _made(tracker: Tracker) -> Transport:
    config = _config(tracker)
    transport_module(config.transport)  # its own error, and not one of our thread's
    guard = Guard()
    try:
        return Plugins(guard, _no_note).transport(config.transport, config.options)
    finally:
        guard.close()


def _no_note(_about: str, _text: str) -> None:
    pass


def _config(tracker: Tracker) -> Config:
    recorder = recorder_of(tracker)
    return Config.from_json(recorder.worker_config(recorder.transport()))
