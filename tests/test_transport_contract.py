"""The transports of this repository keep the contract; the contract catches those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import Phase, settings

from usage_core import Capture, Message, Transport, Unavailable
from usage_core.testing import RecordingTransport, TransportContract
from usage_core.testing.behaviour import refuse
from usage_null import NullTransport
from usage_posthog import PostHogTransport
from usage_posthog.collector import Collector
from usage_stdout import StdoutTransport

pytest_plugins = ["pytester"]


class TestPostHog(TransportContract):
    link = "identify"

    @pytest.fixture(autouse=True)
    def listen(self) -> Iterator[None]:
        with Collector() as self.collector:
            yield

    def make_transport(self) -> Transport:
        return PostHogTransport("phc_test", self.collector.url, self.link)

    def make_unreachable_transport(self) -> Transport:
        self.collector.behave(refuse())
        return self.make_transport()

    def arrived(self) -> Sequence[object]:
        return self.collector.events


class TestPostHogWithAlias(TestPostHog):
    link = "alias"


class TestNull(TransportContract):
    def make_transport(self) -> Transport:
        return NullTransport()


class TestStdout(TransportContract):
    @pytest.fixture(autouse=True)
    def read(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.lines: list[str] = []
        self.capsys = capsys

    def make_transport(self) -> Transport:
        return StdoutTransport()

    def arrived(self) -> Sequence[object]:
        self.lines += self.capsys.readouterr().out.splitlines()
        return self.lines


class TestRecording(TransportContract):
    @pytest.fixture(autouse=True)
    def record(self) -> None:
        self.transport = RecordingTransport()

    def make_transport(self) -> Transport:
        return self.transport

    def make_unreachable_transport(self) -> Transport:
        return RecordingTransport(trouble=[Unavailable("nobody is there")])

    def arrived(self) -> Sequence[object]:
        return self.transport.messages


# Transports that break a promise, and the test that must say so.


class Forgetful(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        self.batches.append(tuple(batch[:50]))


class Backward(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        self.batches.append(tuple(batch[::-1]))


class Renaming(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        changed = [f"{len(self.batches)} {message.uuid}" for message in batch]
        self.batches.append(tuple(changed))  # type: ignore[arg-type]  # that is what is wrong


class Meddling(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        self.batches.append(tuple(batch))
        for message in batch:
            if isinstance(message, Capture):
                message.properties["seen"] = True  # type: ignore[index]  # as above


class Talkative(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> bool:  # type: ignore[override]  # as above
        self.batches.append(tuple(batch))
        return False


class Untranslated(RecordingTransport):
    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        raise ConnectionError


class Once(RecordingTransport):
    closed = False

    def close(self) -> None:
        if self.closed:
            raise ValueError("closed already")
        self.closed = True


class Nowhere(RecordingTransport):
    runs = "somewhere"  # type: ignore[assignment]  # as above


@pytest.fixture
def no_shrinking() -> Iterator[None]:
    """Nobody reads what the broken ones fail with."""
    before = settings.get_current_profile_name()
    settings.register_profile("no shrinking", phases=[Phase.generate])
    settings.load_profile("no shrinking")
    yield
    settings.load_profile(before)


@pytest.mark.usefixtures("no_shrinking")
@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Nowhere, TransportContract.test_it_says_where_it_runs),
        (Talkative, TransportContract.test_every_message_is_accepted),
        (Forgetful, TransportContract.test_a_hundred_messages_are_accepted_at_once),
        (Backward, TransportContract.test_the_order_is_kept),
        (Renaming, TransportContract.test_a_batch_that_comes_again_arrives_as_the_same),
        (Meddling, TransportContract.test_the_messages_are_left_as_they_are),
        (Untranslated, TransportContract.test_a_transport_that_reaches_nobody_says_so),
        (Once, TransportContract.test_closing_is_harmless),
    ],
)
def test_each_promise_is_tested(
    broken: type[RecordingTransport], promise: Callable[[TransportContract], None]
) -> None:
    contract = TestRecording()
    contract.transport = broken()
    contract.make_unreachable_transport = broken  # type: ignore[method-assign]  # for this one
    with pytest.raises((AssertionError, ValueError, ConnectionError)):
        promise(contract)


def test_a_third_party_sees_both_sides_of_a_failed_assertion(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from usage_core.testing import RecordingTransport, TransportContract

        class Shy(RecordingTransport):
            def send(self, batch, *, timeout):
                self.batches.append(tuple(batch[:7]))

        class TestShy(TransportContract):
            def make_transport(self):
                self.transport = Shy()
                return self.transport

            def arrived(self):
                return self.transport.messages
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*assert*7 >= 100*"])
