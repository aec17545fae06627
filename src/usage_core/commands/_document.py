"""document: the page that tells a tool's users what it records, made from what it declares."""

from __future__ import annotations

from usage_core import Tracker
from usage_core._local import variable_prefix
from usage_core.commands._preview import PropertySpec, preview

__all__ = ["document"]


def document(tracker: Tracker) -> str:
    """Return the text of a `USAGE.md` for *tracker*'s tool; the same one for the same declaration.

    `usage_core.testing.assert_documented` fails when the file in a repository says something else.
    """
    seen = preview(tracker)
    lines = [
        f"# What {seen.app} records",
        "",
        f"{seen.app} tells its authors how it is used. This page is made from its code and lists",
        "everything that it can send.",
    ]
    for message in seen.messages:
        lines += ["", f"## {message.name}", "", f"When {message.when}.", ""]
        lines += ["| property | what it says |", "| --- | --- |"]
        lines += [f"| `{spec.name}` | {_says(spec)} |" for spec in message.properties]
    lines += ["", *(f"- {note}" for note in seen.notes)]
    prefix = variable_prefix(seen.app)
    lines += ["", "## How to stop it", ""]
    lines += [f"- `{prefix}_USAGE_TRACKING=0` for {seen.app}"]
    lines += ["- `USAGE_DISABLED=1` for every tool that is built on the same library"]
    lines += ["- `DO_NOT_TRACK=1` for every tool that respects it, as this one does"]
    return "\n".join(lines) + "\n"


def _says(spec: PropertySpec) -> str:
    return f"{spec.says} ({spec.when})" if spec.when else spec.says
