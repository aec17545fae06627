"""Observe an object by giving it a subclass of its class; the object is what it was otherwise."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["disguise", "hide"]

_ABOUT = ("__module__", "__qualname__", "__doc__")

_made: dict[tuple[Any, Callable[[Any], dict[str, object]]], Any] = {}
_ours: set[Any] = set()


# Any: the classes of other people's libraries, which are not imported here.
def disguise(thing: Any, methods: Callable[[Any], dict[str, object]]) -> bool:
    """Let *thing* have the *methods* of a subclass, made for its class; say whether it has them.

    The subclass has its class's name. A copy of *thing* is observed as *thing* is, which wrappers
    in its attributes could not do: they would still call the original.
    """
    kind = thing.__class__
    if kind in _ours:
        return True
    made = _made.get((kind, methods))
    try:
        if made is None:
            about = {name: getattr(kind, name) for name in _ABOUT}
            made = kind.__class__(kind.__name__, (kind,), {**about, **methods(kind)})
            _made[kind, methods] = made
            _ours.add(made)
        thing.__class__ = made
    except Exception:  # noqa: BLE001  # somebody else's metaclass: the run is not observed
        return False
    return True


def hide(error: BaseException) -> None:
    """Take the caller's frame out of the traceback of *error*, which it is about to raise again.

    A traceback is output too: it is to show what it would without us.
    """
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
