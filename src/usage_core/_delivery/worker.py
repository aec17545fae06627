"""Worker: journal → messages → transport, for whoever holds the lock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import attrs

from usage_core._delivery.backoff import pause
from usage_core._delivery.config import Config
from usage_core._delivery.delivery import BATCH, Delivery
from usage_core._delivery.folding import Folding
from usage_core._delivery.transport import Unavailable
from usage_core._delivery.workplace import Workplace, now

__all__ = ["Worker"]

LINGERS = 1.0
GATHERS = 0.3
LOOKS_EVERY = 0.05
LEFT_BEHIND_SECONDS = 60


@attrs.define
class Worker:
    """Folds and delivers what there is; *left* returns the seconds that remain to it."""

    config: Config
    left: Callable[[], float]
    _place: Workplace = attrs.field(init=False)
    _folding: Folding = attrs.field(init=False)
    _delivery: Delivery = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._place = Workplace(self.config, self.left)
        self._folding = Folding(self._place)
        self._delivery = Delivery(self._place)

    def drain(self, *, linger: bool) -> float | None:
        """Do all that can be done now; with *linger*, wait a moment for more.

        Returns the seconds for which the collector, or the disk, is to be left alone; None when
        all went well, as far as the time allowed. Raises `Gone` when nothing more is to be done.
        """
        try:
            self._tidy()
            try:
                self._folding.fold_all()
            finally:  # a disk that is full has room again when something was delivered
                self._delivery.deliver_all()
            if linger:
                self._linger()
        except (Unavailable, OSError) as error:
            return self._put_off(error)
        finally:
            self._tidy()
            self._delivery.close()
            self._place.close()
        return None

    @property
    def has_moved(self) -> bool:
        """Whether a record was folded or delivered."""
        return self._folding.folded + self._delivery.delivered > 0

    def is_done(self) -> bool:
        """Say whether nothing is left to fold or to deliver."""
        return not self._place.folder.facts.names() and not self._delivery.waiting()

    def _linger(self) -> None:
        """Fold what comes in, and deliver when no more came for a moment, or a link did."""
        journal, quiet = self._place.folder.facts, 0.0
        while quiet < LINGERS and self.left() > LINGERS and not self._folding.is_awaited:
            time.sleep(LOOKS_EVERY)
            quiet += LOOKS_EVERY
            urgent = False
            if journal.names():
                quiet, urgent = 0.0, self._folding.fold_all()
            waiting = self._delivery.waiting()
            if urgent or waiting >= BATCH or (waiting and quiet >= GATHERS):
                self._delivery.deliver_all()
        self._delivery.deliver_all()

    def _put_off(self, error: Unavailable | OSError) -> float:
        reason, asked = str(error), None
        if isinstance(error, Unavailable):
            reason, asked = error.reason, error.retry_after
        failures = self._place.health.failures
        self._place.health = self._place.health.failed(now(), reason)
        return pause(failures, asked, random.random())  # noqa: S311  # spreads load, hides nothing

    def _tidy(self) -> None:
        before = time.time_ns() - LEFT_BEHIND_SECONDS * 10**9
        for spool in (self._place.folder.facts, self._delivery.outbox):
            try:
                spool.recount()
                spool.sweep(before)
            except OSError:
                pass
