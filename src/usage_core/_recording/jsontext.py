"""Write JSON without importing `json`, which alone would cost a small command half its budget."""

from __future__ import annotations

try:
    # What json.encoder itself uses; a builtin module, so importing it is free.
    from _json import encode_basestring_ascii as _quoted
except ImportError:  # an interpreter without the accelerator
    from json.encoder import encode_basestring_ascii as _quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import cast
else:

    def cast(_: str, value: object) -> object:
        """Do what typing.cast does, without the import."""
        return value


__all__ = ["dumps"]

_WORDS = {True: "true", False: "false", None: "null"}
_DEEPEST = 50


def dumps(value: object, *, other: Callable[[object], object] | None = None) -> str:
    """Return *value* as JSON text in ASCII, on one line.

    Carries what JSON carries: dicts with string keys, lists and tuples, strings, integers, finite
    floats, booleans and None. Anything else is passed through *other* first; without it, or when
    nested more than fifty deep, it raises `ValueError` and says where the value is.
    """
    return _text(value, other, "value", _DEEPEST)


def _text(value: object, other: Callable[[object], object] | None, where: str, depth: int) -> str:
    kind = type(value)
    if isinstance(value, str) and kind is str:
        return _quoted(value)
    if value is None or kind is bool:
        return _WORDS[value]  # type: ignore[index]  # narrowed by the line above
    if kind is int:
        return str(value)
    if kind is float and value - value == 0:  # type: ignore[operator]  # finite: neither inf nor nan
        return repr(value)
    if depth == 0:
        raise ValueError(f"{where} is nested too deep")
    if isinstance(value, dict):
        members = _members(cast("dict[object, object]", value), other, where, depth)
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        items = enumerate(cast("list[object]", value))
        return f"[{','.join(_text(v, other, f'{where}[{i}]', depth - 1) for i, v in items)}]"
    if other is None:
        raise ValueError(f"{where} is {value!r}, which JSON cannot carry")
    return _text(other(value), None, where, depth - 1)


def _members(
    value: dict[object, object],
    other: Callable[[object], object] | None,
    where: str,
    depth: int,
) -> list[str]:
    members: list[str] = []
    for key, member in value.items():
        if not isinstance(key, str) and other is None:
            raise ValueError(f"{where} has the key {key!r}, which is not a string")
        text = _text(member, other, f"{where}[{key!r}]", depth - 1)
        members.append(f"{_quoted(str(key))}:{text}")
    return members
