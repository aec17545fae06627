"""Where everything lies: the one page that knows the names of the files."""

from __future__ import annotations

import os

from usage_core._recording import consent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from usage_core._recording.launch import Lease
    from usage_core._recording.spool import Spool

__all__ = ["StateFolder", "default_folder", "is_transport_name"]


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
    def journal(self) -> Spool:
        """Facts that no worker has folded yet."""
        from usage_core._recording.spool import Spool

        return Spool(os.path.join(self.usage, "journal"))

    @property
    def outboxes(self) -> str:
        """The folder of all outboxes."""
        return os.path.join(self.usage, "outbox")

    def outbox(self, transport: str) -> Spool:
        """Messages that this transport has not delivered yet."""
        from usage_core._recording.spool import Spool

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
    def lease(self) -> Lease:
        """Until when no worker is to be started."""
        from usage_core._recording.launch import Lease

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


def default_folder(app: str, environ: Mapping[str, str]) -> str | None:
    """Return `~/.<app>`, with `<APP>_WORK_DIR` for `~` if set; None where there is no home."""
    work = environ.get(f"{consent.variable_prefix(app)}_WORK_DIR")
    home = os.path.expanduser(work or "~")
    if not environ.get("HOME", "-") and not work:  # set but empty: expanduser would say "/"
        home = _home_of_user()
    if not os.path.isabs(home) or (not work and not os.path.isdir(home)):
        return None
    return os.path.join(home, f".{app}")


def _home_of_user() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def is_transport_name(name: str) -> bool:
    """Say whether *name* can be a transport's: letters, digits, `_`, `-` and `.`, not first."""
    return (
        0 < len(name) <= 64
        and name[0].isalnum()
        and name.isascii()
        and all(c.isalnum() or c in "_-." for c in name)
    )
