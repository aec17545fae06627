"""The notice: said once on standard error, before anything is sent."""

from __future__ import annotations

import os
import sys

from usage_core._recording import files

__all__ = ["is_known", "show"]


def is_known(path: str, text: str) -> bool:
    """Say whether this very *text* was shown on this machine before."""
    try:
        return files.read(path, most=64 * 1024) == text.encode("utf-8", "replace")
    except OSError:
        return False


def show(path: str, text: str) -> bool:
    """Show *text* where a person sees it and return True; else False, and nothing is remembered.

    Only a terminal counts as seen. The mark is written before the text: a notice that cannot be
    remembered would be shown for ever, so it is not shown, and nothing is recorded.
    """
    try:
        if not sys.stderr.isatty():
            return False
        files.make_folder(os.path.dirname(path))
        files.write(path, text.encode("utf-8", "replace"))
        sys.stderr.write(f"{text}\n")
    except (AttributeError, OSError, ValueError):  # no standard error, or a closed one
        return False
    return True
