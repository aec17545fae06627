"""Consent: may this be recorded? The environment, the machine's and the person's choice decide."""

from __future__ import annotations

import os

from usage_core._recording import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Decision", "decide", "file_allows", "machine_file", "variable_prefix"]

_NO = frozenset({"", "0", "false", "no", "off"})
_YES = frozenset({"1", "true", "yes", "on"})


class Decision:
    """What was decided, and by whom: *source* names the variable or file that decided."""

    __slots__ = ("allowed", "source")

    def __init__(self, allowed: bool, source: str) -> None:
        self.allowed = allowed
        self.source = source

    def __repr__(self) -> str:
        return f"Decision(allowed={self.allowed}, source={self.source!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Decision) and (self.allowed, self.source) == (
            other.allowed,
            other.source,
        )

    def __hash__(self) -> int:
        return hash((self.allowed, self.source))


def decide(
    app: str, environ: Mapping[str, str], choice_file: str, machine: str | None = None
) -> Decision:
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


def variable_prefix(app: str) -> str:
    """Return how the variables of *app* begin: `my-tool` has `MY_TOOL_USAGE_TRACKING`."""
    return "".join(c if c.isalnum() else "_" for c in app).upper()


def machine_file(app: str, environ: Mapping[str, str]) -> str:
    """Return where whoever runs the machine may switch *app*'s tracking off for everybody."""
    if os.name == "nt":
        return os.path.join(environ.get("PROGRAMDATA", r"C:\ProgramData"), app, "usage")
    return f"/etc/{app}/usage"


def file_allows(path: str) -> bool:
    """Say whether the choice at *path* is yes, or none was made there."""
    try:
        content = files.read(path, most=64)
    except (FileNotFoundError, NotADirectoryError):
        return not os.path.islink(path)  # whatever it led to may have said no
    except OSError:
        return False
    return content.strip().lower() in (b"1", b"true", b"yes", b"on")
