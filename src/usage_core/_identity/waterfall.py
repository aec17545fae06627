"""The waterfall: linked principal, then the hooks, then anonymous. The first answer wins."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from usage_core._identity.lifecycle import Fact, must_ask
from usage_core._identity.state import Identity, is_principal

__all__ = ["Waterfall"]


@attrs.define
class Waterfall:
    """Finds whose fact it is; made anew for each drain, it asks once for each stamp.

    *ask* takes a stamp and returns a principal or None, and keeps its own time limit; *stamp_now*
    returns the stamp of the credentials as they are, or None where nobody can tell by looking.
    An answer is only believed while the credentials are those that the command ran under: what is
    there now may be someone else's.
    """

    ask: Callable[[str | None], str | None]
    stamp_now: Callable[[], str | None] | None
    _answers: dict[str | None, str | None] = attrs.field(factory=dict[str | None, str | None])

    def principal(self, identity: Identity | None, fact: Fact) -> str | None:
        """Return who *fact* belongs to as far as somebody must be asked; None if nobody knows."""
        if is_principal(fact.principal):
            return fact.principal
        if not must_ask(identity, fact):
            return None
        if fact.credential not in self._answers:
            if not self._is_current(fact.credential):
                return None
            answer = self.ask(fact.credential)
            if not is_principal(answer) or not self._is_current(fact.credential):
                answer = None
            self._answers[fact.credential] = answer
        return self._answers[fact.credential]

    def _is_current(self, stamp: str | None) -> bool:
        return self.stamp_now is None or self.stamp_now() == stamp
