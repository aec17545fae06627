"""Recorder: a fact into the journal, then the worker, if it is due. The command's hot path.

The worker is a process of its own, which outlives the command and holds nothing of it.
"""

import os
import sys
import time

from usage_core import _recording
from usage_core._recording import fact, put_record, read_file, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from usage_core._recording import StateFolder

__all__ = [
    "GUARD",
    "LONGEST",
    "WORKER_LIVES",
    "Recorder",
    "lease_holder",
    "lease_stands",
    "start",
    "take_lease",
]

WORKER_LIVES = 10.0

LONGEST = 7200.0
"""A lease with more seconds than this to go counts as none: the clock was set back."""

GUARD = "_USAGE_CORE_WORKER"
"""Set for a frozen app that runs again as its own worker; `Tracker` looks at it before all else."""

_BOOT = """\
import json, sys
config = json.load(sys.stdin.buffer)
sys.path[:] = config["path"]
from usage_core._delivery.process import main
main(config)
"""

# One for all trackers: no two records of a process have the same name.
_numbers = iter(range(sys.maxsize))  # as itertools.count, which a small command would import for it


class Recorder:
    """Writes facts of one app. Raises whatever the system raises: `Tracker` keeps it from the app.

    *config* is what the worker needs to know, as JSON carries it: `app`, `version`, `state`,
    `transport`, `options`, `credentials`, `whoami`, `plugins`. *here* are the folders that the
    user was in, from which nothing is ever imported.
    """

    def __init__(
        self,
        config: "dict[str, object]",
        folder: "StateFolder | None",
        notice: "str | None",
        here: "set[str]",
    ) -> None:
        self.app = str(config["app"])
        self.config = config
        self.folder = folder
        self.notice = notice
        self._here = here
        self._workers: set[int] = set()

    def decision(self) -> "tuple[bool, str]":
        """Return whether anything may be recorded at this moment, and who decided that."""
        return _recording.may_record(self.app, self.folder)

    def transport(self) -> str:
        """Return the name of the transport to record for: the environment's, else the author's."""
        variable = f"{_recording.variable_prefix(self.app)}_USAGE_TRANSPORT"
        return os.environ.get(variable, "").strip() or str(self.config["transport"])

    def record(
        self,
        kind: str,
        event: str,
        properties: "Mapping[str, object]",
        *,
        credential: "str | None",
        principal: "str | None" = None,
    ) -> None:
        """Put one fact into the journal and see to it that a worker comes; a login waits for it.

        Whether it may is not asked again: for whoever calls this, `decision` said yes.
        """
        folder = self.folder
        if folder is None:
            return
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
        name = fact.name(now, next(_numbers))
        text = fact.compose(
            kind,
            event,
            properties,
            time_ns=now,
            transport=transport,
            credential=credential,
            principal=principal,
        )
        put_record(folder.journal, name, text, always=kind != "command")
        if not remembered:
            from usage_core._delivery.plugins import remember

            remember(folder, transport, runs)
        if first:
            return  # the run that shows the notice sends nothing
        if runs == "inline":
            from usage_core._delivery.process import drain_inline

            drain_inline(self.worker_config(transport))
            return
        self._start_worker(folder, transport, even_in_a_pause=kind == "login")
        if kind == "login":
            from usage_core._recording.login import wait_for_link

            wait_for_link(folder, transport, name)

    def drop(self, command: str, name: str) -> None:
        """Leave out a property that the tool does not declare: in a test, a mistake to be told."""

    def worker_config(self, transport: str) -> "dict[str, object]":
        """Return what a worker for *transport* is told, where to import from included."""
        return {**self.config, "transport": transport, "path": self._importable()}

    def _where_it_runs(self, folder: "StateFolder", transport: str) -> "tuple[str, bool]":
        if not _recording.is_transport_name(transport):
            return "never", True
        try:
            known = read_file(folder.remembered(transport), most=20)
            if known in (b"detached", b"inline", b"never"):
                return known.decode("ascii"), True
        except OSError:
            pass
        # Looking for an installed transport costs tens of milliseconds: once on each machine.
        from usage_core._delivery.plugins import remember, where_it_runs

        runs = where_it_runs(transport, self.config["options"])
        if runs == "never" and os.path.isdir(folder.usage):
            remember(folder, transport, runs)
        return runs, False

    def _start_worker(
        self, folder: "StateFolder", transport: str, *, even_in_a_pause: bool
    ) -> None:
        for process in tuple(self._workers):  # one may be leaving while the next is started
            if _reap(process):
                self._workers.discard(process)
        if lease_stands(folder.lease, time.time()) and not (
            even_in_a_pause and lease_holder(folder.lease) is None
        ):
            return
        config = fact.dumps(self.worker_config(transport))
        worker = start(config, self._environment())
        self._workers.add(worker)
        take_lease(folder.lease, time.time() + WORKER_LIVES, worker)

    def _importable(self) -> "list[str]":
        """Return `sys.path` without the folder that the user happens to be in.

        The program's own folder comes last, so that a file beside it never stands in for a library;
        and so does the one that this very module is from, if nothing else leads there.
        """
        program = _program_folders()
        path = [entry for entry in self._elsewhere(sys.path) if entry not in program]
        last = [entry for entry in sys.path if entry in program]
        ours = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
        return [*path, *last] if ours in path or ours in last else [*path, *last, ours]

    def _environment(self) -> "dict[bytes, bytes]":
        """Return the worker's: this one, without a way that leads to where the user happens to be.

        Python looks there before it is told where to import from.
        """
        environ = _recording.environment()
        if b"PYTHONPATH" in environ:
            path = os.fsdecode(environ[b"PYTHONPATH"]).split(os.pathsep)
            environ[b"PYTHONPATH"] = os.fsencode(os.pathsep.join(self._elsewhere(path)))
        return environ

    def _elsewhere(self, path: "list[str]") -> "list[str]":
        return [entry for entry in path if os.path.isabs(entry) and entry not in self._here]


def lease_stands(path: str, now: float) -> bool:
    """Say whether the lease at *path* holds at *now* (seconds since 1970): start no worker."""
    try:
        end = os.stat(path).st_mtime
    except OSError:
        return False
    return now < end <= now + LONGEST and _lives(lease_holder(path))


def lease_holder(path: str) -> "int | None":
    """Return the process that works under the lease at *path*; None when nobody does.

    Its number is the content, which is empty while the collector is given time to recover.
    """
    try:
        holder = int(read_file(path, most=20))
    except (OSError, ValueError):
        return None
    return holder if 0 < holder < 1 << 31 else None


def take_lease(path: str, end: float, holder: "int | None" = None) -> None:
    """Let a lease stand until *end* (seconds since 1970), for the process *holder* or as a pause.

    Its end is the modification time of the file. Without the file there is none.
    """
    write_file(path, b"" if holder is None else b"%d" % holder, mtime=end)


def start(config: str, environ: "dict[bytes, bytes]") -> int:
    """Start a worker with *config* (JSON text, at most 60 KiB) and return its process number.

    It gets the configuration through a pipe: nothing is in its arguments or its environment. It
    is in a session of its own with the null device for output, so neither a closing terminal nor a
    pipe that waits for the command's end notices it. Raises `OSError` where it cannot be started.
    """
    if not sys.executable:
        raise OSError("this interpreter does not know its own path")
    if getattr(sys, "frozen", False):
        # The second is PyInstaller's: one file unpacks again, as it outlives what it unpacked to.
        environ = {**environ, GUARD.encode(): b"1", b"PYINSTALLER_RESET_ENVIRONMENT": b"1"}
        arguments = [sys.executable]
    else:
        # -P: the folder that the user is in is never importable.
        isolation = "-I" if sys.flags.isolated else "-P"
        arguments = [sys.executable, isolation, "-c", _BOOT, "usage-worker"]
    data = config.encode("ascii")
    if len(data) > 60 * 1024:  # what any pipe takes at once
        raise OSError("the worker's configuration is too long")
    if hasattr(os, "posix_spawn"):
        try:
            return _spawn(arguments, environ, data)
        except NotImplementedError:  # no POSIX_SPAWN_SETSID on this system
            pass
    from usage_core._recording.popen import popen

    return popen(arguments, environ, data)


def _lives(holder: "int | None") -> bool:
    if holder is None or os.name != "posix":  # on Windows, kill(pid, 0) is not a question
        return True
    try:
        os.kill(holder, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _reap(process: int) -> bool:
    """Collect *process*, started here, if it has ended; say whether it is gone."""
    try:
        return os.waitpid(process, os.WNOHANG)[0] != 0
    except (AttributeError, ChildProcessError):  # Windows; somebody else collected it
        return True


def _spawn(arguments: "list[str]", environ: "dict[bytes, bytes]", data: bytes) -> int:
    reader, writer = os.pipe()
    try:
        os.set_blocking(writer, False)
        if os.write(writer, data) != len(data):
            raise OSError("the pipe to the worker is too small")
        return os.posix_spawn(
            arguments[0],
            arguments,
            environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=(),
        )
    finally:
        os.close(reader)
        os.close(writer)


def _program_folders() -> "set[str]":
    """Return where the program lies that is running, by any name that `sys.path` may have for it.

    That is the folder of a script, a zipapp, or what `python -m` was led to the program by.
    """
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    file = getattr(main, "__file__", None) if spec is None else spec.origin
    if file is None:
        return set()
    given = os.path.abspath(file)
    if spec is None and sys.path[:1] == [os.path.dirname(given)]:
        return set(sys.path[:1])  # Python has put there what the program's links lead to
    folders = {given, os.path.realpath(file)}
    for _ in range(1 if spec is None else spec.name.count(".") + 1):
        folders = {os.path.dirname(folder) for folder in folders}
    return folders
