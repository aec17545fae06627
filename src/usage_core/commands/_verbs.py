"""The commands as the faces know them: names, help, options. Imported at every start of a tool."""

from __future__ import annotations

__all__ = ["ABOUT", "FAILED", "VERBS"]

ABOUT = "See, stop and erase what this tool records about its use."

FAILED = 1
"""The exit code of a command that could not do what it was asked, and of a doctor who found why."""

JSON = ("json", None, "Print it as JSON.")
HTML = ("html", "FILE", "Write it as a page to look at in a browser, which needs no network.")

# Each with its help and its options: a name, what stands for its value (None: it is a switch) and
# its help.
VERBS: dict[str, tuple[str, tuple[tuple[str, str | None, str], ...]]] = {
    "status": ("Say whether usage is recorded, who decided that, and what waits.", (JSON,)),
    "enable": ("Allow recording, unless something else forbids it.", ()),
    "disable": ("Stop recording, and throw away what was not sent yet.", ()),
    "show": ("Show exactly what was sent, and what waits to be.", (JSON, HTML)),
    "preview": ("Show what this version may ever record.", (JSON,)),
    "reset": ("Begin a new anonymous id.", ()),
    "forget": ("Erase everything that is stored here, but not a no.", ()),
    "flush": ("Send what waits now, and say what goes wrong.", ()),
    "doctor": ("Find out why nothing arrives, and what to do about it.", (JSON,)),
}
