"""The commands for the person whose usage it is, to mount beside the tool's own.

    app.add_typer(typer_app(tracker), name="usage")        # Typer
    cli.add_command(click_group(tracker), "usage")         # click
    argparse_commands(subparsers, tracker, "usage")        # argparse: set_defaults(func=...)

Each command is a plain function of a `Tracker` that returns data and prints nothing: read
`_status`, `_choice`, `_show`, `_preview`, `_erase`, `_flush` and `_doctor`. They raise `OSError`
where a file cannot be read or written. `_verbs` lists them for the faces, `_run` prints what they
return. Whatever runs here is never recorded.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from usage_core.commands._argparse import argparse_commands
    from usage_core.commands._choice import Disabled, Enabled, disable, enable
    from usage_core.commands._click import click_group
    from usage_core.commands._doctor import Diagnosis, Finding, doctor
    from usage_core.commands._document import document
    from usage_core.commands._erase import Forgotten, Reset, forget, reset
    from usage_core.commands._flush import Flushed, flush
    from usage_core.commands._page import page
    from usage_core.commands._preview import MessageSpec, Preview, PropertySpec, preview
    from usage_core.commands._show import Entry, Shown, show
    from usage_core.commands._status import File, Status, status
    from usage_core.commands._typer import typer_app

__all__ = [
    "Diagnosis",
    "Disabled",
    "Enabled",
    "Entry",
    "File",
    "Finding",
    "Flushed",
    "Forgotten",
    "MessageSpec",
    "Preview",
    "PropertySpec",
    "Reset",
    "Shown",
    "Status",
    "argparse_commands",
    "click_group",
    "disable",
    "doctor",
    "document",
    "enable",
    "flush",
    "forget",
    "page",
    "preview",
    "reset",
    "show",
    "status",
    "typer_app",
]

_HOMES = {
    "_argparse": ("argparse_commands",),
    "_choice": ("Disabled", "Enabled", "disable", "enable"),
    "_click": ("click_group",),
    "_doctor": ("Diagnosis", "Finding", "doctor"),
    "_document": ("document",),
    "_erase": ("Forgotten", "Reset", "forget", "reset"),
    "_flush": ("Flushed", "flush"),
    "_page": ("page",),
    "_preview": ("MessageSpec", "Preview", "PropertySpec", "preview"),
    "_show": ("Entry", "Shown", "show"),
    "_status": ("File", "Status", "status"),
    "_typer": ("typer_app",),
}


def __getattr__(name: str) -> object:
    """Import a name on its first use: a tool mounts these at every start, and uses them rarely."""
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(__import__(f"{__name__}.{home}", fromlist=[name]), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
