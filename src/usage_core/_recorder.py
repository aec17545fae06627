"""Recorder: a fact is composed and put into the journal, then the worker started, if it is due.

A fact says how a command ended and where it ran, as the text of one record. The worker is a process
of its own, which outlives the command and holds nothing of it. All this is one module, since nearly
every command that may be recorded needs the whole of it.

The text is JSON, written without the `json` of the standard library, whose import alone would cost
a small command half its budget.
"""

import os
import sys
import time

from usage_core import _local
from usage_core._local import LARGEST, put_record, read_file, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from typing import cast

    from usage_core._local import StateFolder
else:

    def cast(_: str, value: object) -> object:
        """Do what typing.cast does, without the import."""
        return value


__all__ = [
    "DEEPEST",
    "FAILED",
    "LONGEST",
    "SUCCEEDED",
    "WORKER_LIVES",
    "Recorder",
    "compose",
    "dumps",
    "exit_code_of",
    "lease_holder",
    "lease_stands",
    "record_name",
    "refuse",
    "session",
    "start",
    "surroundings",
    "take_lease",
    "uuid4",
]

SUCCEEDED = "CLI execution succeeded"
FAILED = "CLI execution failed"

WORKER_LIVES = 10.0

LONGEST = 7200.0
"""A lease with more seconds than this to go counts as none: the clock was set back."""

_BOOT = """\
import json, sys
config = json.load(sys.stdin.buffer)
sys.path[:] = config["path"]
from usage_core._delivery.process import main
main(config)
"""

DEEPEST = 50
_LARGEST = LARGEST - 4 * 1024  # the worker adds the principal and what it knows of the machine
_UNSET = (b"", b"0", b"false")
_WORDS = {True: "true", False: "false", None: "null"}

# The most specific first; `CI` alone says that it is one, not which.
_CI = {
    b"GITHUB_ACTIONS": "github_actions",
    b"GITLAB_CI": "gitlab_ci",
    b"CIRCLECI": "circleci",
    b"TRAVIS": "travis",
    b"JENKINS_URL": "jenkins",
    b"BUILDKITE": "buildkite",
    b"TF_BUILD": "azure_pipelines",
    b"TEAMCITY_VERSION": "teamcity",
    b"BITBUCKET_BUILD_NUMBER": "bitbucket",
    b"CODEBUILD_BUILD_ID": "codebuild",
    b"APPVEYOR": "appveyor",
    b"DRONE": "drone",
    b"CI": "",
}

# Set by the agents for what they start. Left out on purpose: variables of editors and hosts in
# whose terminals a person may type as well (CURSOR_TRACE_ID, REPL_ID).
_AGENTS = {
    b"CLAUDECODE": "claude_code",
    b"CODEX_SANDBOX": "codex",
    b"CODEX_CI": "codex",
    b"CURSOR_AGENT": "cursor",
    b"GEMINI_CLI": "gemini",
    b"COPILOT_CLI": "copilot",
    b"CLINE_ACTIVE": "cline",
    b"OPENCODE": "opencode",
    b"AUGMENT_AGENT": "augment",
    b"QWEN_CODE": "qwen",
    b"VSCODE_AGENT": "vscode",
    b"AI_AGENT": "other",
    b"AGENT": "other",
}

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

    def transport(self) -> str:
        """Return the name of the transport to record for: the environment's, else the author's."""
        variable = f"{_local.variable_prefix(self.app)}_USAGE_TRANSPORT"
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

        Whether it may is not asked again: for whoever calls this, `may_record` said yes.
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
            from usage_core import _notice

            first = not _notice.is_known(folder.notice, self.notice)
            if first and not _notice.show(folder.notice, self.notice):
                return
        now = time.time_ns()
        name = record_name(now, next(_numbers))
        text = compose(
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
            from usage_core._login import wait_for_link

            wait_for_link(folder, transport, name)

    def drop(self, command: str, name: str) -> None:
        """Leave out a property that the tool does not declare: in a test, a mistake to be told."""

    def worker_config(self, transport: str) -> "dict[str, object]":
        """Return what a worker for *transport* is told, where to import from included."""
        return {**self.config, "transport": transport, "path": self._importable()}

    def _where_it_runs(self, folder: "StateFolder", transport: str) -> "tuple[str, bool]":
        if not _local.is_transport_name(transport):
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
            try:
                gone = os.waitpid(process, os.WNOHANG)[0] != 0
            except (AttributeError, ChildProcessError):  # Windows; somebody else collected it
                gone = True
            if gone:
                self._workers.discard(process)
        if lease_stands(folder.lease, time.time()) and not (
            even_in_a_pause and lease_holder(folder.lease) is None
        ):
            return
        config = dumps(self.worker_config(transport))
        worker = start(config, self._environment())
        self._workers.add(worker)
        take_lease(folder.lease, time.time() + WORKER_LIVES, worker)

    def _importable(self) -> "list[str]":
        """Return `sys.path` without the folder that the user happens to be in.

        The program's own folder comes last, so that a file beside it never stands in for a library;
        and so does the one that this very module is from, if nothing else leads there.
        """
        program = _program_folders()
        path = sorted(self._elsewhere(sys.path, but=program), key=program.__contains__)
        ours = os.path.dirname(os.path.dirname(__file__))
        return path if ours in path else [*path, ours]

    def _environment(self) -> "dict[bytes, bytes]":
        """Return the worker's: this one, without a way that leads to where the user happens to be.

        Python looks there before it is told where to import from.
        """
        environ = _local.environment()
        if b"PYTHONPATH" in environ:
            path = os.fsdecode(environ[b"PYTHONPATH"]).split(os.pathsep)
            environ[b"PYTHONPATH"] = os.fsencode(os.pathsep.join(self._elsewhere(path, but=())))
        return environ

    def _elsewhere(self, path: "list[str]", *, but: "Container[str]") -> "list[str]":
        here, isabs = self._here, os.path.isabs
        return [entry for entry in path if entry in but or (isabs(entry) and entry not in here)]


def record_name(time_ns: int, number: int) -> str:
    """Return the name of a fact's record: names sort by time, and no two processes share one."""
    return f"{max(time_ns, 0):020d}-{os.getpid()}-{number}"


def compose(
    kind: str,
    event: str,
    properties: "Mapping[str, object]",
    *,
    time_ns: int,
    transport: str,
    credential: "str | None",
    principal: "str | None",
) -> str:
    """Return a fact as JSON text of at most 28 KiB, with its ids and its time minted here.

    Properties that JSON cannot carry become their `str`. A fact that would be too long loses the
    ends of long strings, then whole properties, those that were added last; never anything else.
    """
    whole: dict[str, object] = {
        "v": 1,
        "id": _uuid7(time_ns),
        "at": _timestamp(time_ns),
        "kind": kind,
        "event": event,
        "credential": credential,
        "principal": principal,
        "transport": transport,
        "fresh": [uuid4(), uuid4()],
        "properties": properties,
    }
    try:
        text = dumps(whole, other=str)
        if len(text) <= _LARGEST:
            return text
    except Exception:  # noqa: BLE001  # nested too deep, or somebody else's __str__
        pass
    from usage_core._misfit import fitting, plain

    whole["properties"] = {}
    whole["properties"] = fitting(properties, _LARGEST - len(dumps(whole)))
    return dumps(whole, other=plain)


def uuid4() -> str:
    """Return a new random uuid (RFC 9562, version 4)."""
    return _uuid(int.from_bytes(os.urandom(16), "big"), 4)


def exit_code_of(error: "BaseException | str | None") -> int:
    """Return the exit code that a program leaves when *error* comes out of its command.

    Recognises what click and Typer raise by their `exit_code`, so that neither need be imported.
    """
    if error is None:
        return 0
    if isinstance(error, str):
        return 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
    if code is None:
        return 0
    return int(code) if isinstance(code, int) else 1


def surroundings(environ: "Mapping[bytes, bytes]") -> "dict[str, object]":
    """Return `is_ci`, `ci_name` and `agent` where known, and `is_tty`: whether a person sees it."""
    found: dict[str, object] = {}
    ci = _first(environ, _CI)
    found["is_ci"] = ci is not None
    if ci:
        found["ci_name"] = ci
    agent = _first(environ, _AGENTS)
    if agent:
        found["agent"] = agent
    try:
        found["is_tty"] = sys.stdout.isatty()
    except (AttributeError, ValueError):  # no standard output, or a closed one
        found["is_tty"] = False
    return found


def session() -> int:
    """Return a number that the commands of one terminal share: that of its session's leader."""
    return os.getsid(0) if hasattr(os, "getsid") else os.getppid()


def dumps(value: object, *, other: "Callable[[object], object] | None" = None) -> str:
    """Return *value* as JSON text in ASCII, on one line.

    Carries what JSON carries: dicts with string keys, lists and tuples, strings, integers, finite
    floats, booleans and None. Anything else is passed through *other* first; without it, or when
    nested more than fifty deep, it raises `ValueError` and says where the value is.
    """
    try:
        return _written(value, other or refuse, DEEPEST)
    except ValueError:
        if other is not None:
            raise
        from usage_core._misfit import explain

        raise ValueError(explain(value)) from None


def refuse(value: object) -> object:
    """Raise `ValueError`: what `dumps` does with what JSON cannot carry, unless told otherwise."""
    raise ValueError(value)


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
        from usage_core import _frozen

        arguments, environ = _frozen.command(environ)
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
    from usage_core._popen import popen

    return popen(arguments, environ, data)


def _first(environ: "Mapping[bytes, bytes]", known: "Mapping[bytes, str]") -> "str | None":
    for variable, name in known.items():
        if variable in environ and environ[variable].strip().lower() not in _UNSET:
            return name
    return None


def _timestamp(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since 1970) as RFC 3339 in UTC, to the millisecond."""
    milliseconds = time_ns // 1_000_000
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def _uuid7(time_ns: int) -> str:
    """Return a new uuid that carries *time_ns* to the millisecond (RFC 9562, version 7)."""
    milliseconds = time_ns // 1_000_000 & (1 << 48) - 1
    return _uuid(milliseconds << 80 | int.from_bytes(os.urandom(10), "big"), 7)


def _uuid(bits: int, version: int) -> str:
    bits = bits & ~(0xF << 76) | version << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _written(value: object, other: "Callable[[object], object]", depth: int) -> str:
    kind = type(value)
    if isinstance(value, str) and kind is str:
        return _quoted(value)
    if value is None or kind is bool:
        return _WORDS[value]  # type: ignore[index]  # narrowed by the line above
    if kind is int:
        return str(value)
    if kind is float and value - value == 0:  # type: ignore[operator]  # finite: neither inf nor nan
        return repr(value)
    if depth == 0:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        members: list[str] = []
        for key, member in cast("dict[object, object]", value).items():
            name = key if isinstance(key, str) else str(other(key))
            members.append(f"{_quoted(name)}:{_written(member, other, depth - 1)}")
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        return f"[{','.join([_written(item, other, depth - 1) for item in items])}]"
    return _written(other(value), refuse, depth - 1)


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        # What json.encoder itself uses. It may be a shared library, which takes time to load.
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # an interpreter without the accelerator
        from json.encoder import encode_basestring_ascii as quoted
    return quoted(text)


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
        folders = set(map(os.path.dirname, folders))
    return folders
