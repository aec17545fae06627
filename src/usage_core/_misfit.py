"""What does not fit into a record: where it lies, and what can be kept of a fact too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from usage_core import _recorder

__all__ = ["explain", "fitting", "plain"]

_CUT = 1000


def explain(value: object) -> str:
    """Return which part of a *value* that `_recorder.dumps` refused JSON cannot carry, and why."""
    return f"value{_misfit(value, _recorder.DEEPEST)}"


def fitting(properties: Mapping[str, object], room: int) -> dict[str, object]:
    """Return what of *properties* fits into *room* bytes of JSON.

    Long strings lose their ends; then whole properties go, those that were added last.
    """
    kept: dict[str, object] = {}
    for key, value in properties.items():
        cut = value[:_CUT] if isinstance(value, str) else value
        try:
            size = len(_recorder.dumps({key: cut}, other=plain))
        except (ValueError, RecursionError):  # nested too deep
            continue
        if size <= room:
            room -= size
            kept[key] = cut
    return kept


def plain(value: object) -> str:
    """Return *value* as text, whatever it is: what a property becomes that JSON cannot carry."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return type(value).__name__


def _misfit(value: object, depth: int) -> str | None:
    inside: Iterable[tuple[object, object]]
    if isinstance(value, dict):
        inside = cast("dict[object, object]", value).items()
    elif isinstance(value, (list, tuple)):
        inside = enumerate(cast("list[object]", value))
    else:
        return None if _fits(value) else f" is {value!r}, which JSON cannot carry"
    if depth == 0:
        return " is nested too deep"
    for key, inner in inside:
        if isinstance(value, dict) and not isinstance(key, str):
            return f" has the key {key!r}, which is not a string"
        found = _misfit(inner, depth - 1)
        if found is not None:
            return f"[{key!r}]{found}"
    return None


def _fits(value: object) -> bool:
    try:
        _recorder.dumps(value, other=_recorder.refuse)
    except ValueError:
        return False
    return True
