"""Finding: one thing that a doctor sees."""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Finding"]


@attrs.frozen
class Finding:
    """What is so about something, and what to do, where there is something to do.

    *level* is `"ok"`, `"note"` (worth knowing), `"off"` (nothing is sent, because somebody wants it
    so) or `"problem"` (something is broken).
    """

    about: str
    level: Literal["ok", "note", "off", "problem"]
    text: str
    advice: str = ""
