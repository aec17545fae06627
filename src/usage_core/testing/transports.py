"""TransportContract, the tests of what a transport promises; RecordingTransport, to look at."""

# ruff: noqa: S101  # a suite of tests asserts

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_core._delivery.transport import Runs, Transport, Unavailable
from usage_core._identity.state import is_principal
from usage_core._messages import Alias, Capture, Message

__all__ = ["RecordingTransport", "TransportContract", "messages"]

TIMEOUT = 5.0
LARGEST_BATCH = 100


@attrs.define
class RecordingTransport(Transport):
    """Keeps every batch; raises what is next in `trouble`, if anything is, instead of accepting."""

    batches: list[tuple[Message, ...]] = attrs.field(factory=list[tuple[Message, ...]])
    trouble: list[Exception] = attrs.field(factory=list[Exception])

    @property
    def messages(self) -> tuple[Message, ...]:
        """Every accepted message, in order; one that came twice is there twice."""
        return tuple(message for batch in self.batches for message in batch)

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:  # noqa: ARG002  # takes none
        """Accept *batch*, or raise the next trouble."""
        if self.trouble:
            raise self.trouble.pop(0)
        self.batches.append(tuple(batch))


def messages() -> st.SearchStrategy[Message]:
    """Return a strategy for every message that the core can make, each with uuids of its own."""
    people = st.text(min_size=1, max_size=200).filter(is_principal)
    anonymous = st.uuids(version=4).map(str)
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # the argument is to be naive
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    leaves = leaves.filter(lambda value: value not in (float("inf"), float("-inf")))
    values = st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=5,
    )
    properties = st.dictionaries(st.text(min_size=1), values, max_size=5)
    names = st.sampled_from(("CLI execution succeeded", "CLI execution failed", "ünusual “name”"))
    uuids = st.builds(_uuid)
    return st.one_of(
        st.builds(Alias, uuids, anonymous, people, moments),
        st.builds(Capture, uuids, names, people, moments, properties, st.just(False)),
        st.builds(Capture, uuids, names, anonymous, moments, properties, st.just(True)),
    )


class TransportContract:
    """What the core relies on in every transport, a test for each promise.

    Subclass it in a test module and override `make_transport`; with the two other methods, more
    can be tested. An autouse fixture in the subclass can give `self` whatever these need.

        class TestMine(TransportContract):
            def make_transport(self) -> Transport:
                return MyTransport(url=self.server.url)
    """

    def make_transport(self) -> Transport:
        """Return the transport, ready to deliver."""
        raise NotImplementedError("override make_transport to return the transport to test")

    def make_unreachable_transport(self) -> Transport | None:
        """Return it with nobody at the other end; None where that cannot be."""
        return None

    def arrived(self) -> Sequence[object] | None:
        """Return what has arrived so far at the other end, in order; None where nobody can look.

        Each thing must compare equal to itself when it comes again, and show its uuid as text.
        """
        return None

    def test_it_says_where_it_runs(self) -> None:
        """`runs` is one of the three places that there are."""
        assert isinstance(self.make_transport().runs, Runs)

    def test_every_message_is_accepted(self) -> None:
        """`send` returns nothing, and by then each message has arrived under its own uuid."""
        transport = self.make_transport()

        @settings(max_examples=25, deadline=None)
        @given(st.lists(messages(), min_size=1, max_size=5))
        def deliver(batch: list[Message]) -> None:
            new = self._arrivals(transport, batch)
            assert new is None or all(message.uuid in repr(new) for message in batch)

        deliver()
        transport.close()

    def test_a_hundred_messages_are_accepted_at_once(self) -> None:
        """The largest batch that the core makes is not too large."""
        transport = self.make_transport()
        batch = [_capture(number) for number in range(LARGEST_BATCH)]
        new = self._arrivals(transport, batch)
        assert new is None or len(new) >= LARGEST_BATCH
        transport.close()

    def test_the_order_is_kept(self) -> None:
        """What comes first arrives first: an alias before what depends on it."""
        transport = self.make_transport()
        alias = Alias(_uuid(), "5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11", "somebody", _MOMENT)
        batch: list[Message] = [_capture(1), alias, _capture(2)]
        new = self._arrivals(transport, batch)
        if new is not None:
            found = [next(i for i, one in enumerate(new) if m.uuid in repr(one)) for m in batch]
            assert found == sorted(found)
        transport.close()

    def test_a_batch_that_comes_again_arrives_as_the_same(self) -> None:
        """A retry carries the uuids and timestamps of the first attempt, so it counts once."""
        transport = self.make_transport()
        alias = Alias(_uuid(), "5a8a6d52-7ba4-4f6e-9a52-4f4a0f5c7a11", "somebody", _MOMENT)
        for batch in ([alias], [_capture(1), _capture(2)]):
            assert self._arrivals(transport, batch) == self._arrivals(transport, batch)
        transport.close()

    def test_the_messages_are_left_as_they_are(self) -> None:
        """Whoever gets the messages next sees what the transport saw."""
        transport = self.make_transport()
        batch: list[Message] = [_capture(number) for number in range(3)]
        before = copy.deepcopy(batch)
        transport.send(batch, timeout=TIMEOUT)
        assert batch == before
        transport.close()

    def test_a_transport_that_reaches_nobody_says_so(self) -> None:
        """What may pass is `Unavailable`, not silence and not an error of somebody's library."""
        transport = self.make_unreachable_transport()
        if transport is None:
            pytest.skip("make_unreachable_transport is not overridden")
        with pytest.raises(Unavailable):
            transport.send([_capture(1)], timeout=TIMEOUT)
        transport.close()

    def test_closing_is_harmless(self) -> None:
        """`close` may come before any `send`, and again."""
        transport = self.make_transport()
        transport.close()
        transport.close()

    def _arrivals(self, transport: Transport, batch: Sequence[Message]) -> list[object] | None:
        """Send *batch* and return what has newly arrived."""
        before = len(self.arrived() or ())
        said: Any = transport.send(batch, timeout=TIMEOUT)
        assert said is None, "send returns nothing: what is not accepted is raised"
        arrived = self.arrived()
        return None if arrived is None else list(arrived[before:])


_MOMENT = datetime(2026, 11, 22, 12, tzinfo=UTC)
_numbers = count(1)


def _uuid() -> str:
    return f"01a20320-a200-7000-8000-{next(_numbers):012x}"


def _capture(number: int) -> Capture:
    properties = {"command_name": "toolkit.run", "number": number}
    return Capture(_uuid(), "CLI execution succeeded", "somebody", _MOMENT, properties, False)
