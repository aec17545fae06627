"""Results: what each benchmark found, kept so that pages and pictures are made of one run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FOLDER", "load", "save"]

FOLDER = Path(__file__).resolve().parent.parent / ".nox" / "bench-results"


# Any: what JSON carries.
def save(name: str, found: Any, text: str) -> None:
    """Keep what *name* found, as figures and as the *text* that is shown; show the text."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(found, indent=1), "utf-8")
    (FOLDER / f"{name}.md").write_text(f"{text}\n", "utf-8")
    print(f"\n{text}\n", flush=True)


def load(name: str) -> Any:
    """Return the figures that *name* found last. Raises `FileNotFoundError` where it never ran."""
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
