"""Recorder: a fact into the journal, then the worker, if it is due. The command's hot path.

What is here runs inside the user's command: the standard library only, and little of that, in few
modules, since each costs as much to import as a hundred lines in it. Read `consent` first, then
`fact`, `spool` and `launch`.
"""

from __future__ import annotations

import itertools
import os
import sys
import time

from usage_core._recording import consent, files, jsontext, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["LOGIN_WAITS", "WORKER_LIVES", "Recorder", "remember", "stamp_of"]

WORKER_LIVES = 10.0
LOGIN_WAITS = 2.0


class Recorder:
    """Writes facts of one app. Raises whatever the system raises: `Tracker` keeps it from the app.

    *config* is what the worker needs to know, as JSON carries it: `app`, `version`, `state`,
    `transport`, `options`, `credentials`, `whoami`, `plugins`.
    """

    def __init__(
        self,
        config: dict[str, object],
        credentials: str | Callable[[], str | None] | None,
        notice_text: str | None,
    ) -> None:
        self.app = str(config["app"])
        self.config = config
        self.folder = state.StateFolder(str(config["state"])) if config["state"] else None
        self._credentials = credentials
        self.notice = notice_text
        self._numbers = itertools.count()
        self._workers: set[int] = set()
        self._here = {_STARTED_IN, _current_folder()}

    def decision(self) -> consent.Decision:
        """Return whether anything may be recorded at this moment, and who decided that."""
        folder = self.folder
        if folder is None:
            return consent.Decision(False, "no home folder")
        if files.is_foreign(folder.root) or files.is_foreign(folder.usage):
            return consent.Decision(False, f"{folder.root} belongs to somebody else")
        return consent.decide(self.app, os.environ, folder.consent)

    def stamp(self) -> str | None:
        """Return an opaque sign of the credentials as they are now; None where there are none."""
        if callable(self._credentials):
            return self._credentials()
        return None if self._credentials is None else stamp_of(self._credentials)

    def transport(self) -> str:
        """Return the name of the transport to record for: the environment's, else the author's."""
        variable = f"{consent.variable_prefix(self.app)}_USAGE_TRANSPORT"
        return os.environ.get(variable, "").strip() or str(self.config["transport"])

    def record(
        self,
        kind: str,
        event: str,
        properties: Mapping[str, object],
        *,
        credential: str | None,
        principal: str | None = None,
    ) -> None:
        """Put one fact into the journal and see to it that a worker comes; a login waits for it.

        Whether it may is not asked again: for whoever calls this, `decision` said yes.
        """
        folder = self.folder
        if folder is None:
            return
        from usage_core._recording import fact

        transport = self.transport()
        runs, remembered = self._where_it_runs(folder, transport)
        if runs == "never":
            return
        first = False
        if self.notice is not None:
            from usage_core._recording import notice

            first = not notice.is_known(folder.notice, self.notice)
            if first and not notice.show(folder.notice, self.notice):
                return
        now = time.time_ns()
        name = fact.name(now, next(self._numbers))
        text = fact.compose(
            kind,
            event,
            properties,
            time_ns=now,
            transport=transport,
            credential=credential,
            principal=principal,
        )
        folder.journal.put(name, text, always=kind != "command")
        if not remembered:
            remember(folder, transport, runs)
        if first:
            return  # the run that shows the notice sends nothing
        if runs == "inline":
            from usage_core._delivery.process import drain_inline

            drain_inline(self.worker_config(transport))
            return
        self._start_worker(folder, transport, even_in_a_pause=kind == "login")
        if kind == "login":
            self._wait_for_link(folder, transport, name)

    def drop(self, command: str, name: str) -> None:
        """Leave out a property that the tool does not declare: in a test, a mistake to be told."""

    def worker_config(self, transport: str) -> dict[str, object]:
        """Return what a worker for *transport* is told, where to import from included."""
        return {**self.config, "transport": transport, "path": self._importable()}

    def _where_it_runs(self, folder: state.StateFolder, transport: str) -> tuple[str, bool]:
        if not state.is_transport_name(transport):
            return "never", True
        try:
            known = files.read(folder.remembered(transport), most=20)
            if known in (b"detached", b"inline", b"never"):
                return known.decode("ascii"), True
        except OSError:
            pass
        # Looking for an installed transport costs tens of milliseconds: once on each machine.
        from usage_core._delivery.plugins import where_it_runs

        runs = where_it_runs(transport, self.config["options"])
        if runs == "never" and os.path.isdir(folder.usage):
            remember(folder, transport, runs)
        return runs, False

    def _start_worker(
        self, folder: state.StateFolder, transport: str, *, even_in_a_pause: bool
    ) -> None:
        from usage_core._recording import launch

        for process in tuple(self._workers):  # one may be leaving while the next is started
            if launch.reap(process):
                self._workers.discard(process)
        lease = folder.lease
        if lease.stands(time.time()) and not (even_in_a_pause and lease.holder() is None):
            return
        config = jsontext.dumps(self.worker_config(transport))
        worker = launch.start(config, self._environment())
        self._workers.add(worker)
        lease.take(time.time() + WORKER_LIVES, worker)

    def _wait_for_link(self, folder: state.StateFolder, transport: str, name: str) -> None:
        """Wait until the login is folded and its alias acknowledged, or safe and put off."""
        journal, outbox = folder.journal, folder.outbox(transport)
        alias, lease = outbox.path(f"{name}-0-alias"), folder.lease
        end = time.monotonic() + LOGIN_WAITS
        while time.monotonic() < end:
            if not os.path.exists(journal.path(name)):
                if not os.path.exists(alias):
                    return
                if lease.stands(time.time()) and lease.holder() is None:
                    return  # the collector is away: the alias waits ahead of everything else
            time.sleep(0.005)

    def _importable(self) -> list[str]:
        """Return `sys.path` without the folder that the user happens to be in.

        The program's own folder comes last, so that a file beside it never stands in for a library;
        and so does the one that this very module is from, if nothing else leads there.
        """
        program = _program_folders()
        path = [entry for entry in self._elsewhere(sys.path) if entry not in program]
        last = [entry for entry in sys.path if entry in program]
        ours = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        return [*path, *last] if ours in path or ours in last else [*path, *last, ours]

    def _environment(self) -> dict[str, str]:
        """Return the worker's: this one, without a way that leads to where the user happens to be.

        Python looks there before it is told where to import from.
        """
        environ = dict(os.environ)
        if "PYTHONPATH" in environ:
            path = environ["PYTHONPATH"].split(os.pathsep)
            environ["PYTHONPATH"] = os.pathsep.join(self._elsewhere(path))
        return environ

    def _elsewhere(self, path: list[str]) -> list[str]:
        return [entry for entry in path if os.path.isabs(entry) and entry not in self._here]


def remember(folder: state.StateFolder, transport: str, runs: str) -> None:
    """Write down where *transport* runs, so that commands need not look for it."""
    path = folder.remembered(transport)
    files.make_folder(os.path.dirname(path))
    files.write(path, runs.encode("ascii"))


def stamp_of(credentials: str) -> str | None:
    """Return a stamp of the file *credentials*: it changes whenever the file does. One `stat`."""
    try:
        found = os.stat(credentials)
    except OSError:
        return None
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return ""


def _program_folders() -> set[str]:
    """Return where the program lies that is running, by any name that `sys.path` may have for it.

    That is the folder of a script, a zipapp, or what `python -m` was led to the program by.
    """
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None) if spec is None else spec.origin
    if file is None:
        return set()
    folders = {os.path.abspath(file), os.path.realpath(file)}
    for _ in range(1 if spec is None else spec.name.count(".") + 1):
        folders = {os.path.dirname(folder) for folder in folders}
    return folders


_STARTED_IN = _current_folder()  # near enough: `python -m` puts where it began on the path
