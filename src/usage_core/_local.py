"""What a command has to know of this machine before anything else.

That is whether anything may be recorded, and how small private files are kept in a folder that
others may have touched. A no ends here. Otherwise `_recorder` composes a fact, puts it into the
journal and starts the worker if it is due.

Beside the package's front door is all that runs inside the user's command: the standard library
only, and little of that. What every command needs is in few modules, since the import system alone
costs as much as 150 lines of code for each.

What a command loads has its annotations in quotes: the module `__future__`, which a small program
has not loaded, would be a tenth of all that it pays.
"""

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LARGEST",
    "ROOM",
    "STARTED_IN",
    "UNIT",
    "StateFolder",
    "current_folder",
    "decide",
    "default_folder",
    "environment",
    "file_allows",
    "is_foreign",
    "is_transport_name",
    "machine_file",
    "make_folder",
    "may_record",
    "open_mark",
    "put_record",
    "read_file",
    "record_path",
    "remove_file",
    "stamp_of",
    "units_of",
    "variable_prefix",
    "write_file",
]

_NO = frozenset({"", "0", "false", "no", "off"})
_YES = frozenset({"1", "true", "yes", "on"})

LARGEST = 32 * 1024
"""A record has at most this many bytes."""

UNIT = 4 * 1024
ROOM = 1000
"""A spool has room for this many units of 4 KiB; a record takes at least one."""

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)  # a FIFO must not hold whoever opens it
_BINARY = getattr(os, "O_BINARY", 0)


def may_record(app: str, folder: "StateFolder | None") -> "tuple[bool, str]":
    """Return whether anything of *app* may be recorded at this moment, and who decided that."""
    if folder is None:
        return False, "no home folder"
    allowed, source = decide(app, os.environ, folder.consent)
    if allowed and (is_foreign(folder.root) or is_foreign(folder.usage)):
        return False, f"{folder.root} belongs to somebody else"
    return allowed, source


def decide(
    app: str, environ: "Mapping[str, str]", choice_file: str, machine: "str | None" = None
) -> "tuple[bool, str]":
    """Return the decision of the first layer that says no; where none does, the default is yes.

    With it comes who decided: the name of a variable, the path of a file, or `default`.

    The layers, from the top: a run under pytest, `DO_NOT_TRACK`, `USAGE_DISABLED`,
    `<APP>_USAGE_TRACKING`, the machine's file, the person's stored choice. Nothing below can allow
    what a layer above forbids, and what cannot be read or understood forbids.
    """
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
        if name in environ:
            return False, name
    for name in ("DO_NOT_TRACK", "USAGE_DISABLED"):
        if environ.get(name, "").strip().lower() not in _NO:
            return False, name
    name = f"{variable_prefix(app)}_USAGE_TRACKING"
    wish = environ.get(name, "").strip().lower()
    if wish and wish not in _YES:
        return False, name
    for path in (machine_file(app, environ) if machine is None else machine, choice_file):
        if not file_allows(path):
            return False, path
    return True, name if wish else "default"


def machine_file(app: str, environ: "Mapping[str, str]") -> str:
    """Return where whoever runs the machine may switch *app*'s tracking off for everybody."""
    if os.name == "nt":
        return os.path.join(environ.get("PROGRAMDATA", r"C:\ProgramData"), app, "usage")
    return f"/etc/{app}/usage"


def file_allows(path: str) -> bool:
    """Say whether the choice at *path* is yes, or none was made there."""
    try:
        content = read_file(path, most=64)
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.islink(path)  # whatever it led to may have said no
    except OSError:
        return False
    return content.strip().lower() in (b"1", b"true", b"yes", b"on")


class StateFolder:
    """Where the files of one app lie that a command uses; `_delivery.folder` knows the others."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.usage = os.path.join(root, "usage")  # all that is below it is ours alone
        within = self.usage + os.sep
        self.consent = within + "consent"
        """The person's own choice."""
        self.journal = within + "journal"
        """The spool of facts that no worker has folded yet."""
        self.lease = within + "lease"
        """Until when no worker is to be started."""
        self.notice = within + "notice"
        """The notices that were shown, a line each."""
        self.outboxes = within + "outbox"
        """The folder of all outboxes: the spools of messages, one for each transport."""

    def remembered(self, transport: str) -> str:
        """Return where it is written down how this transport runs, as it was last found."""
        return os.path.join(self.usage, "transports", transport)


def put_record(
    spool: str, name: str, text: str, *, always: bool = False, sync: bool = False
) -> bool:
    """Write a record into the folder *spool*; return False when that is full, and write nothing.

    Any number of processes may put records at once; the folder comes into being with the first.
    With *always*, a full spool takes it too: what changes an identity is never refused for room.
    With *sync* it outlives a power cut, not only the process. Raises `OSError` when the disk
    refuses and `ValueError` for a record over `LARGEST`.
    """
    data = text.encode("ascii")
    if len(data) > LARGEST:
        raise ValueError(f"a record of {len(data)} bytes, more than {LARGEST}")
    try:
        taken = _take_room(spool, len(data), always)
    except FileNotFoundError:
        make_folder(spool)
        taken = _take_room(spool, len(data), always)
    if taken:
        write_file(record_path(spool, name), data, sync=sync)
    return taken


def record_path(spool: str, name: str) -> str:
    """Return where the record *name* lies in a spool; names sort as they are to be taken out."""
    return os.path.join(spool, f"{name}.json")


def open_mark(spool: str, flags: int) -> int:
    """Open the file that marks how full a spool is: a byte for each unit taken."""
    return os.open(os.path.join(spool, ".fill"), flags | _NOFOLLOW | _NONBLOCK, 0o600)


def units_of(size: int) -> int:
    """Return how much room a record of *size* bytes takes in a spool."""
    return max(1, -(-size // UNIT))


def default_folder(app: str, environ: "Mapping[str, str]") -> "str | None":
    """Return `~/.<app>`, with `<APP>_WORK_DIR` for `~` if set; None where there is no home."""
    work = environ.get(f"{variable_prefix(app)}_WORK_DIR")
    home = os.path.expanduser(work or "~")
    if not environ.get("HOME", "-") and not work:  # set but empty: expanduser would say "/"
        home = _home_of_user()
    if not os.path.isabs(home) or (not work and not os.path.isdir(home)):
        return None
    return os.path.join(home, f".{app}")


def stamp_of(credentials: str) -> "str | None":
    """Return a stamp of the file *credentials*: it changes whenever the file does. One `stat`."""
    try:
        found = os.stat(credentials)
    except OSError:
        return None
    return f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"


def current_folder() -> str:
    """Return the folder that this process is in; empty if it was removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def environment() -> "dict[bytes, bytes]":
    """Return a copy of the environment of this process as it is now, undecoded.

    `os.environ` asks Python code for each variable. On POSIX it is a view of this very dict.
    """
    try:
        from posix import environ
    except ImportError:
        names, values = os.environ.keys(), os.environ.values()
        return dict(zip(map(os.fsencode, names), map(os.fsencode, values), strict=True))
    return dict(environ)


def read_file(path: str, *, most: int) -> bytes:
    """Return what the regular file at *path* holds.

    Raises `OSError` for anything else that may lie there (a folder, a FIFO, a device) and for a
    file of more than *most* bytes, which is not read at all.
    """
    handle = os.open(path, os.O_RDONLY | _NONBLOCK | _BINARY)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"not a regular file: {path}")
        if found.st_size > most:
            raise OSError(f"larger than {most} bytes: {path}")
        pieces: list[bytes] = []
        while piece := os.read(handle, most + 1):
            pieces.append(piece)
        return b"".join(pieces)
    finally:
        os.close(handle)


def write_file(path: str, data: bytes, *, sync: bool = False, mtime: "float | None" = None) -> None:
    """Put *data* at *path* in one step, readable by its owner alone (0600).

    A reader sees the old content or the new, never a part, and with *mtime* (seconds since 1970)
    its modification time with it. With *sync* the data is on the disk before the name is. Raises
    `OSError` and leaves nothing behind when it cannot be done.
    """
    folder, name = os.path.split(path)
    passing = os.path.join(folder, f".{name}.{os.getpid()}.tmp")
    try:
        _create(passing, data, sync)
        if mtime is not None:
            os.utime(passing, (mtime, mtime))
        os.replace(passing, path)
    except OSError:
        remove_file(passing)
        raise


def remove_file(path: str) -> None:
    """Remove the file at *path* if it is there and can be removed."""
    try:
        os.unlink(path)
    except OSError:
        pass


def make_folder(folder: str) -> None:
    """Make *folder* and the missing ones above it, each for its owner alone (0700)."""
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        above = os.path.dirname(folder)
        if above == folder:
            raise
        make_folder(above)
        make_folder(folder)
        return
    os.chmod(folder, 0o700)  # the umask may have taken the owner's own rights


def is_foreign(path: str) -> bool:
    """Say whether *path*, or the folder that it would be made in, is another user's.

    What is root's counts as everybody's. Another user could swap what lies there for a link of
    theirs, and root, who can write anywhere, would follow it.
    """
    if not hasattr(os, "geteuid"):
        return False
    try:
        found = os.lstat(path)
        owners = {found.st_uid}
        if stat.S_ISLNK(found.st_mode):
            owners.add(os.stat(path).st_uid)
    except FileNotFoundError:
        above = os.path.dirname(path)
        return above != path and is_foreign(above)
    except OSError:
        return False
    return not owners <= {0, os.geteuid()}


def variable_prefix(app: str) -> str:
    """Return how the variables of *app* begin: `my-tool` has `MY_TOOL_USAGE_TRACKING`."""
    return app.replace("-", "_").replace(".", "_").upper()


def is_transport_name(name: str) -> bool:
    """Say whether *name* can be a transport's: letters, digits, `_`, `-` and `.`, not first."""
    letters = name.replace("_", "").replace("-", "").replace(".", "")
    return len(name) <= 64 and name[:1].isalnum() and letters.isalnum() and name.isascii()


def _take_room(spool: str, size: int, always: bool) -> bool:
    mark = open_mark(spool, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        units = units_of(size)
        taken = os.lseek(mark, 0, os.SEEK_END)
        if taken + units > ROOM and not always:
            return False
        if taken == 0 and hasattr(os, "fchmod"):
            os.fchmod(mark, 0o600)  # whatever the umask says
        os.write(mark, b"." * units)
        return True
    finally:
        os.close(mark)


def _create(path: str, data: bytes, sync: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
    try:
        handle = os.open(path, flags, 0o600)
    except FileExistsError:  # left by a process of our number that was killed
        os.unlink(path)
        handle = os.open(path, flags, 0o600)
    try:
        if hasattr(os, "fchmod"):
            os.fchmod(handle, 0o600)  # whatever the umask says
        if os.write(handle, data) != len(data):
            raise OSError(f"no room for {len(data)} bytes: {path}")
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def _home_of_user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


STARTED_IN = current_folder()  # near enough: `python -m` puts where it began on the path
