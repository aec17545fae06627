"""Write JSON without importing `json`, which alone would cost a small command half its budget."""

from __future__ import annotations

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
    try:
        return _text(value, other, _DEEPEST)
    except _Misfit as found:
        raise ValueError(f"value{''.join(reversed(found.steps))} {found.why}") from None


class _Misfit(Exception):
    """What JSON cannot carry, and the *steps* that lead to it, the last one first."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.steps: list[str] = []


def _text(value: object, other: Callable[[object], object] | None, depth: int) -> str:
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
        raise _Misfit("is nested too deep")
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), other, depth - 1)
    if isinstance(value, (list, tuple)):
        return _array(cast("list[object]", value), other, depth - 1)
    if other is None:
        raise _Misfit(f"is {value!r}, which JSON cannot carry")
    return _text(other(value), None, depth - 1)


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        # What json.encoder itself uses. It may be a shared library, which takes time to load.
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # an interpreter without the accelerator
        from json.encoder import encode_basestring_ascii as quoted
    return quoted(text)


def _object(
    value: dict[object, object], other: Callable[[object], object] | None, depth: int
) -> str:
    key: object = None
    members: list[str] = []
    try:
        for key, member in value.items():
            if not isinstance(key, str) and other is None:
                break
            members.append(f"{_quoted(str(key))}:{_text(member, other, depth)}")
        else:
            return f"{{{','.join(members)}}}"
    except _Misfit as found:
        found.steps.append(f"[{key!r}]")
        raise
    raise _Misfit(f"has the key {key!r}, which is not a string")


def _array(value: list[object], other: Callable[[object], object] | None, depth: int) -> str:
    items: list[str] = []
    try:
        for item in value:
            items.append(_text(item, other, depth))  # noqa: PERF401  # how far it came is told
    except _Misfit as found:
        found.steps.append(f"[{len(items)}]")
        raise
    return f"[{','.join(items)}]"
