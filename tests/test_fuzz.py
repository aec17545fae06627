"""Whatever lies in a file of ours: no crash, and no id, number or name that is none.

Every parser is given what it expects, torn, changed in one place, or something else altogether.
The session `fuzz` tries far more of the same.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import (
    ANON,
    AT,
    FACTS,
    HEALTHS,
    IDENTITIES,
    MESSAGES,
    NAME,
    around,
    assert_anonymous,
    assert_may_leave,
    many,
    some,
    values,
)
from usage_core import Capture, Message
from usage_core._delivery import health as health_file
from usage_core._delivery import records
from usage_core._delivery.backoff import pause
from usage_core._delivery.health import Health
from usage_core._delivery.in_hand import InHand
from usage_core._delivery.ledger import LARGEST as LEDGER_LARGEST
from usage_core._delivery.ledger import Ledger
from usage_core._identity.state import Anonymous, Linked, is_principal
from usage_core._identity.store import IdentityStore, UnusableIdentityError
from usage_core._local import StateFolder, file_allows
from usage_core._recorder import Recorder, dumps, lease_stands
from usage_core.testing.transports import messages


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@many
@given(data=around(*IDENTITIES))
def test_usage_json_is_an_identity_or_is_said_to_be_none(folder: Path, data: bytes) -> None:
    """An identity that was read has ids that may leave, and is read again as it was written."""
    store = IdentityStore(str(folder / "usage.json"))
    Path(store.path).write_bytes(data)
    try:
        identity = store.read()
    except UnusableIdentityError:
        return
    assert identity is not None
    assert_anonymous(identity.anon_id)
    assert not isinstance(identity, Linked) or is_principal(identity.principal_id)
    store.write(identity)
    assert identity == store.read()


@pytest.mark.parametrize("filler", ["x", "\u00e9", "\U0001f600"])
def test_keys_of_another_program_never_cost_the_identity(tmp_path: Path, filler: str) -> None:
    store = IdentityStore(str(tmp_path / "usage.json"))
    room = 60_000 // len(filler.encode())
    record = {**IDENTITIES[0], "theirs": [filler] * (room // 4), "more": {"a": filler * 5000}}
    Path(store.path).write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")

    for principal in ("alice", "bob"):
        store.write(Linked(ANON, principal, None))
        assert Linked(ANON, principal, None) == store.read()


@many
@given(data=around(*FACTS))
def test_a_fact_is_one_or_is_refused_with_a_value_error(data: bytes) -> None:
    """What is taken for a fact has ids, a time and a transport that can be one."""
    try:
        found = records.load_fact(data)
    except ValueError:
        return
    for one in (found.id, *found.fresh):
        assert_anonymous(one)
    assert f"/x/{found.transport}".count("/") == 2
    assert ".." != found.transport != "."
    json.dumps(dict(found.properties), allow_nan=False)


@many
@given(data=around(*MESSAGES))
def test_a_message_is_one_or_is_refused_with_a_value_error(data: bytes) -> None:
    """What is taken for a message may leave as it is."""
    try:
        message = records.load_message(data)
    except ValueError:
        return
    assert_may_leave(message)


@many
@given(message=messages())
def test_every_message_of_the_core_is_taken(message: Message) -> None:
    """The checks refuse nothing that the lifecycle makes."""
    assert_may_leave(message)


@many
@given(
    data=around(*HEALTHS),
    notes=st.lists(st.tuples(values.map(str), values.map(str)), max_size=60),
)
def test_health_is_read_whatever_it_holds_and_never_outgrows_its_bound(
    folder: Path, data: bytes, notes: list[tuple[str, str]]
) -> None:
    """What was noted and saved is there the next time, the count of failures first of all."""
    path = folder / "health.json"
    path.write_bytes(data)
    found = health_file.load(str(path)).failed("2026", "x" * 10_000)
    for about, text in notes:
        found = found.noted("2026", about, text)
    health_file.save(str(path), found)
    assert found == health_file.load(str(path))
    assert 1 <= pause(found.failures, None, 1.0) <= 7200


def test_many_long_notes_do_not_make_the_failures_forgotten(tmp_path: Path) -> None:
    health = Health(failures=7)
    for number in range(60):
        health = health.noted("2026", f"{number} " + "\U0001f600" * 255, "\U0001f600" * 9999)
    health_file.save(str(tmp_path / "health.json"), health)

    assert health == health_file.load(str(tmp_path / "health.json"))


def test_a_collector_that_is_away_for_ever_is_not_asked_more_often_again(tmp_path: Path) -> None:
    path = str(tmp_path / "health.json")
    for _ in range(2000):
        health_file.save(path, health_file.load(path).failed("2026", "refused"))

    assert 1800 <= pause(health_file.load(path).failures, None, 0.0)


@many
@given(
    data=st.binary(max_size=600) | st.just(f"3 {NAME} {NAME}".encode()),
    numbers=st.lists(st.integers(0, 10**10 - 1), min_size=2, max_size=2),
)
def test_in_hand_is_read_whatever_it_holds(folder: Path, data: bytes, numbers: list[int]) -> None:
    """A record that was in hand when a worker died is known by its name."""
    path = folder / "in_hand"
    path.write_bytes(data)
    first, last = (f"{AT + number:020d}-7-{number}-1-capture" for number in sorted(numbers))
    before = InHand(str(path)).deaths(first)
    assert before >= 0
    with InHand(str(path)).hold(first, last):
        assert InHand(str(path)).deaths(first) == InHand(str(path)).deaths(last) == before + 1
    assert not path.exists()


@many
@given(
    data=st.binary(max_size=30) | st.integers().map(lambda n: str(n).encode()),
    mtime=st.integers(-(2**33), 2**40),
)
def test_a_lease_holds_for_two_hours_at_most_whatever_it_holds(
    folder: Path, data: bytes, mtime: int
) -> None:
    """No content and no date of it keeps workers away for longer, or makes asking fail."""
    lease = str(folder / "lease")
    Path(lease).write_bytes(data)
    try:
        os.utime(lease, (mtime, mtime))
    except OverflowError:
        return
    assert not lease_stands(lease, mtime - 7201.0)
    assert not lease_stands(lease, mtime + 1.0)
    assert lease_stands(lease, mtime - 1.0) in (True, False)


@many
@given(text=st.text() | st.text(alphabet='az"\\/\x00\n\x7f'))
def test_text_is_written_as_json_writes_it(text: str) -> None:
    """Also where `json` itself is not asked."""
    assert dumps({text: [text]}) == json.dumps({text: [text]}, separators=(",", ":"))


@many
@given(data=st.binary(max_size=100) | st.sampled_from([b"yes\n", b" ON ", b"1\x00", b"yes yes"]))
def test_only_a_clear_yes_is_consent(folder: Path, data: bytes) -> None:
    """Whatever a stored choice holds, anything but one of four words is a no."""
    path = folder / "consent"
    path.write_bytes(data)
    assert file_allows(str(path)) == (data.strip().lower() in (b"1", b"true", b"yes", b"on"))


@some
@given(data=st.binary(max_size=30) | st.sampled_from([b"inline", b"never", b"", b"detached\n"]))
def test_what_is_remembered_of_a_transport_is_one_of_three_places(
    folder: Path, data: bytes
) -> None:
    """Anything else is looked up again."""
    config: dict[str, object] = {
        "app": "a",
        "state": str(folder / "state"),
        "transport": "stdout",
        "options": {},
    }
    state = StateFolder(str(folder / "state"))
    recorder = Recorder(config, state, None, set())
    path = Path(state.remembered("stdout"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    runs, _ = recorder._where_it_runs(state, "stdout")
    assert runs == (data.decode() if data in (b"inline", b"never", b"detached") else "inline")


@some
@given(
    data=st.binary(max_size=2000) | st.just(b"x" * LEDGER_LARGEST) | st.just(b"\n" * 600_000),
    new=st.lists(messages(), min_size=1, max_size=3),
    padding=st.sampled_from([0, 10_000, 100_000]),
)
def test_the_ledger_takes_more_whatever_it_holds_and_keeps_its_bound(
    folder: Path, data: bytes, new: list[Message], padding: int
) -> None:
    """What was added last is there, the file is not too large, and reading it yields objects."""
    ledger = Ledger(str(folder / "sent.jsonl"))
    Path(ledger.path).write_bytes(data)
    new = [
        attrs.evolve(m, properties={"p": "x" * padding}) if isinstance(m, Capture) else m
        for m in new
    ]
    ledger.add("recorder", new, new[0].timestamp)
    assert Path(ledger.path).stat().st_size <= LEDGER_LARGEST
    entries = list(ledger.read())
    assert all(isinstance(entry, dict) for entry in entries)
    assert padding == 100_000 or entries[-1]["uuid"] == new[-1].uuid


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_does_not_know_does_not_leave(tmp_path: Path, number: str) -> None:
    text = json.dumps({**MESSAGES[1], "properties": {"n": "?"}}).replace('"?"', number)
    with pytest.raises(ValueError, match="number"):
        records.load_message(text.encode())


@pytest.mark.parametrize("half", [b"\\ud800", "\ud800".encode("utf-8", "surrogatepass")])
def test_half_a_surrogate_pair_does_not_leave_however_it_is_written(half: bytes) -> None:
    data = json.dumps({**MESSAGES[1], "properties": {"n": "?"}}).encode().replace(b"?", half)
    try:
        assert_may_leave(records.load_message(data))
    except UnicodeDecodeError:
        assert half[:1] != b"\\"


def test_an_identity_keeps_the_form_that_another_program_gave_it(tmp_path: Path) -> None:
    store = IdentityStore(str(tmp_path / "usage.json"))
    for anon_id in (ANON.upper(), ANON.replace("-", "")):
        Path(store.path).write_text(json.dumps({"anon_id": anon_id}))
        assert Anonymous(anon_id) == store.read()
