"""What runs inside the user's command: the standard library only, and little of that.

It is in few modules, since the import system alone costs as much as 150 lines of code for each.
Here is what a command has to know before anything else: where everything lies, and whether anything
may be recorded. A no ends there. Otherwise `recorder` has a `fact` composed, puts it into the
journal, one of the `files`, and starts the worker if it is due.

What a command loads has its annotations in quotes: the module `__future__`, which a small program
has not loaded, would be a tenth of all that it pays.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from usage_core._recording.files import Lease, Spool

__all__ = [
    "STARTED_IN",
    "Decision",
    "StateFolder",
    "current_folder",
    "decide",
    "default_folder",
    "environment",
    "file_allows",
    "is_transport_name",
    "machine_file",
    "may_record",
    "stamp_of",
    "variable_prefix",
]

_NO = frozenset({"", "0", "false", "no", "off"})
_YES = frozenset({"1", "true", "yes", "on"})


def may_record(app: str, folder: "StateFolder | None") -> "Decision":
    """Return whether anything of *app* may be recorded at this moment, and who decided that."""
    if folder is None:
        return Decision(False, "no home folder")
    decision = decide(app, os.environ, folder.consent)
    if not decision.allowed:
        return decision
    from usage_core._recording import files

    if files.is_foreign(folder.root) or files.is_foreign(folder.usage):
        return Decision(False, f"{folder.root} belongs to somebody else")
    return decision


class Decision:
    """What was decided, and by whom: *source* names the variable or file that decided."""

    __slots__ = ("allowed", "source")

    def __init__(self, allowed: bool, source: str) -> None:
        self.allowed = allowed
        self.source = source


def decide(
    app: str, environ: "Mapping[str, str]", choice_file: str, machine: "str | None" = None
) -> "Decision":
    """Return the decision of the first layer that says no; where none does, the default is yes.

    The layers, from the top: a run under pytest, `DO_NOT_TRACK`, `USAGE_DISABLED`,
    `<APP>_USAGE_TRACKING`, the machine's file, the person's stored choice. Nothing below can allow
    what a layer above forbids, and what cannot be read or understood forbids.
    """
    for name in ("PYTEST_CURRENT_TEST", "PYTEST_VERSION"):
        if name in environ:
            return Decision(False, name)
    for name in ("DO_NOT_TRACK", "USAGE_DISABLED"):
        if environ.get(name, "").strip().lower() not in _NO:
            return Decision(False, name)
    name = f"{variable_prefix(app)}_USAGE_TRACKING"
    wish = environ.get(name, "").strip().lower()
    if wish and wish not in _YES:
        return Decision(False, name)
    for path in (machine_file(app, environ) if machine is None else machine, choice_file):
        if not file_allows(path):
            return Decision(False, path)
    return Decision(True, name if wish else "default")


def machine_file(app: str, environ: "Mapping[str, str]") -> str:
    """Return where whoever runs the machine may switch *app*'s tracking off for everybody."""
    if os.name == "nt":
        return os.path.join(environ.get("PROGRAMDATA", r"C:\ProgramData"), app, "usage")
    return f"/etc/{app}/usage"


def file_allows(path: str) -> bool:
    """Say whether the choice at *path* is yes, or none was made there."""
    from usage_core._recording import files  # not where the environment has said no

    try:
        content = files.read(path, most=64)
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.islink(path)  # whatever it led to may have said no
    except OSError:
        return False
    return content.strip().lower() in (b"1", b"true", b"yes", b"on")


class StateFolder:
    """The files of one app: `usage.json` for anyone to read, and a folder `usage` that is ours.

    What a file needs to be used is imported with its first use: to ask for consent takes none.
    """

    __slots__ = ("root", "usage")

    def __init__(self, root: str) -> None:
        self.root = root
        self.usage = os.path.join(root, "usage")

    @property
    def identity(self) -> str:
        """Who the events belong to, in the two keys that other programs may read and ours."""
        return os.path.join(self.root, "usage.json")

    @property
    def journal(self) -> "Spool":
        """Facts that no worker has folded yet."""
        from usage_core._recording.files import Spool

        return Spool(os.path.join(self.usage, "journal"))

    @property
    def outboxes(self) -> str:
        """The folder of all outboxes."""
        return os.path.join(self.usage, "outbox")

    def outbox(self, transport: str) -> "Spool":
        """Messages that this transport has not delivered yet."""
        from usage_core._recording.files import Spool

        return Spool(os.path.join(self.outboxes, transport))

    def remembered(self, transport: str) -> str:
        """Where this transport runs, as the last worker found it."""
        return os.path.join(self.usage, "transports", transport)

    @property
    def consent(self) -> str:
        """The person's own choice."""
        return os.path.join(self.usage, "consent")

    @property
    def notice(self) -> str:
        """The notices that were shown, a line each."""
        return os.path.join(self.usage, "notice")

    @property
    def lease(self) -> "Lease":
        """Until when no worker is to be started."""
        from usage_core._recording.files import Lease

        return Lease(os.path.join(self.usage, "lease"))

    @property
    def lock(self) -> str:
        """Held by whoever changes the identity or takes records out."""
        return os.path.join(self.usage, "lock")

    @property
    def ledger(self) -> str:
        """What left this machine."""
        return os.path.join(self.usage, "sent.jsonl")

    @property
    def health(self) -> str:
        """How delivery went of late, and what a plug-in or a file did wrong."""
        return os.path.join(self.usage, "health.json")

    @property
    def in_hand(self) -> str:
        """The record that somebody else's code is working on, in case it kills the worker."""
        return os.path.join(self.usage, "in_hand")

    @property
    def aside(self) -> str:
        """The folder of what could not be read or used."""
        return os.path.join(self.usage, "aside")


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
        return {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    return dict(environ)


def variable_prefix(app: str) -> str:
    """Return how the variables of *app* begin: `my-tool` has `MY_TOOL_USAGE_TRACKING`."""
    return "".join(c if c.isalnum() else "_" for c in app).upper()


def is_transport_name(name: str) -> bool:
    """Say whether *name* can be a transport's: letters, digits, `_`, `-` and `.`, not first."""
    return (
        0 < len(name) <= 64
        and name[0].isalnum()
        and name.isascii()
        and all(c.isalnum() or c in "_-." for c in name)
    )


def _home_of_user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


STARTED_IN = current_folder()  # near enough: `python -m` puts where it began on the path
