"""Whatever lies on the disk or comes over the network: no crash, no hang, no id that is none.

Every parser is given what it expects, torn, changed in one place, or something else altogether;
then the whole worker, with all of its files so. The session `fuzz` tries far more of the same.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usage_core import Alias, Capture, Message, Unavailable
from usage_core._delivery import health as health_file
from usage_core._delivery import records
from usage_core._delivery.backoff import pause
from usage_core._delivery.health import Health
from usage_core._delivery.in_hand import InHand
from usage_core._delivery.ledger import LARGEST as LEDGER_LARGEST
from usage_core._delivery.ledger import Ledger
from usage_core._identity import credentials
from usage_core._identity.lifecycle import Fact
from usage_core._identity.state import Anonymous, Linked, is_principal
from usage_core._identity.store import IdentityStore, UnusableIdentityError
from usage_core._recording import consent, detach, fact
from usage_core._recording.lease import Lease
from usage_core._recording.recorder import Recorder
from usage_core._recording.spool import LARGEST, Spool
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import Behaviour
from usage_core.testing.transports import messages
from usage_posthog import _client, _wire
from usage_posthog.collector import Collector
from workbench import THOROUGH, Workbench, in_process, note

many = settings(
    max_examples=100 * THOROUGH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
some = settings(many, max_examples=25 * THOROUGH)

ANON = "5a1f1f0e-7c53-4c43-9d6d-6f8e64c7b6a1"
AT = 1_795_348_800_000_000_000
NAME = fact.name(AT, 0)

IDENTITIES: tuple[dict[str, Any], ...] = (
    {"anon_id": ANON, "linked_principal_id": None, "credential": None, "told": []},
    {"anon_id": ANON, "linked_principal_id": "alice", "credential": "1-2-3", "told": ["recorder"]},
)
FACTS = tuple(
    json.loads(note(number, kind, principal=who, transport=transport).text)
    for number, (kind, who, transport) in enumerate(
        [("command", None, "recorder"), ("login", "alice", "recorder"), ("logout", None, "other")]
    )
)
MESSAGES = (
    {
        "kind": "alias",
        "uuid": FACTS[0]["id"],
        "previous_id": ANON,
        "distinct_id": "alice",
        "timestamp": "2026-11-22T10:11:12.345+00:00",
    },
    {
        "kind": "capture",
        "uuid": FACTS[1]["id"],
        "event": "CLI execution succeeded",
        "distinct_id": "alice",
        "timestamp": "2026-11-22T10:11:12.345+00:00",
        "is_anon": False,
        "properties": {"command_name": "x", "duration": 1.5},
    },
)
HEALTHS = (
    {
        "failures": 3,
        "last_success": None,
        "last_error": "HTTP 500",
        "last_error_at": "2026-11-22T10:11:12+00:00",
        "notes": {"plug-in x": {"at": "2026", "text": "ValueError", "count": 2}},
    },
)
ANSWERS = ({"data": {"principal_id": "alice"}}, {"data": {"account_id": "alice"}}, {"status": 1})

# Where a parser of dates, numbers, ids or names is most likely to give way.
awkward = st.sampled_from(
    [
        *("", "\x00", "\ud800", "null", "anonymous", " 0 ", "a" * 201, "x" * 5000),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-11-22", "1", "nan"),
        *("00000000-0000-0000-0000-000000000000", f"{{{ANON}}}", f"urn:uuid:{ANON}", ANON.upper()),
        *(ANON.replace("-", ""), "1_" * 15 + "11", "\u0661" * 32, " " * 31 + "1"),
        *("../../x", "..", "a/b", "/etc/passwd", "recorder\n"),
        *(0, -1, 10**30, 2**63, 1e308, math.nan, math.inf, True, False, None),
    ]
)
leaves = awkward | st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
DEEP = b"[" * 100_000
HUGE_NUMBER = b'{"v": ' + b"9" * 5000 + b"}"


def around(*known: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """Bytes of what is expected, changed; or of something else."""

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        record = json.loads(json.dumps(draw(st.sampled_from(known))))
        for _ in range(draw(st.integers(0, 2))):
            inner = [v for v in record.values() if isinstance(v, dict) and v]
            where = draw(st.sampled_from([record, *inner]))
            key = draw(st.sampled_from([*where]) | st.text())
            if draw(st.booleans()):
                where[key] = draw(values)
            else:
                where.pop(key, None)
            if not record:
                break
        encoding = draw(st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"]))
        ascii_only = draw(st.booleans())
        return json.dumps(record, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")

    @st.composite
    def torn(draw: st.DrawFn) -> bytes:
        data = draw(changed())
        at, size = draw(st.integers(0, len(data))), draw(st.integers(0, 8))
        return data[:at] + draw(st.binary(max_size=8)) + data[at + size :]

    odd = st.sampled_from([b"", DEEP, HUGE_NUMBER, b"\x00" * 4096, b"1e999", b"NaN", b"\xff\xfe"])
    return changed() | torn() | st.binary() | values.map(lambda v: json.dumps(v).encode()) | odd


@pytest.fixture(autouse=True, scope="module")
def cheap_workers() -> Iterator[None]:
    with in_process():
        yield


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def assert_anonymous(value: object) -> None:
    assert isinstance(value, str)
    assert value.lower() in (str(UUID(value)), UUID(value).hex)
    assert UUID(value).int != 0


def assert_may_leave(message: Message) -> None:
    """What `message` says is of the kind that it says, and JSON of every strictness carries it."""
    assert str(UUID(message.uuid)) == message.uuid
    assert message.timestamp.utcoffset() is not None
    if isinstance(message, Alias):
        assert_anonymous(message.previous_id)
    if isinstance(message, Capture) and message.is_anon:
        assert_anonymous(message.distinct_id)
    else:
        assert is_principal(message.distinct_id)
    assert records.load_message(records.dump_message(message).encode()) == message
    json.dumps(_wire.events(message, "identify"), allow_nan=False, ensure_ascii=False).encode()


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
    assert Spool(f"/x/{found.transport}").folder.count("/") == 2
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
    assert 1 <= pause(found.failures, None, 1.0) <= 3600


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
def test_a_lease_holds_for_an_hour_at_most_whatever_it_holds(
    folder: Path, data: bytes, mtime: int
) -> None:
    """No content and no date of it keeps workers away for longer, or makes asking fail."""
    lease = Lease(str(folder / "lease"))
    Path(lease.path).write_bytes(data)
    try:
        os.utime(lease.path, (mtime, mtime))
    except OverflowError:
        return
    assert not lease.stands(mtime - 3601.0)
    assert not lease.stands(mtime + 1.0)
    assert lease.stands(mtime - 1.0) in (True, False)


@many
@given(data=st.binary(max_size=100) | st.sampled_from([b"yes\n", b" ON ", b"1\x00", b"yes yes"]))
def test_only_a_clear_yes_is_consent(folder: Path, data: bytes) -> None:
    """Whatever a stored choice holds, anything but one of four words is a no."""
    path = folder / "consent"
    path.write_bytes(data)
    assert consent.file_allows(str(path)) == (
        data.strip().lower() in (b"1", b"true", b"yes", b"on")
    )


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
    recorder = Recorder(config, None, None)
    assert recorder.folder is not None
    path = Path(recorder.folder.remembered("stdout"))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    runs, _ = recorder._where_it_runs(recorder.folder, "stdout")
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


# The network: what the auth API and the collector answer.


@many
@given(data=around(*ANSWERS))
def test_an_answer_of_the_auth_api_names_a_principal_or_nobody(data: bytes) -> None:
    """It is a text or none, or a `ValueError` that the caller notes."""
    try:
        found = credentials._principal(data, ("account_id", "principal_id"))
    except (ValueError, RecursionError):
        return
    assert found is None or isinstance(found, str)


@many
@given(found=values | st.just({"cloud": {"auth": {"access_token": "t\r\nHost: evil"}}}))
def test_no_credentials_make_a_header_of_more_than_a_line(found: object) -> None:
    """A token that a header cannot carry is none."""
    for token, _, _ in credentials._tokens(found):
        assert token.isascii()
        assert token.isprintable()


@many
@given(text=st.text() | awkward.map(str) | st.sampled_from(["-0", "1e400", "Mon, 99 Foo 9"]))
def test_any_retry_after_is_a_wait_of_an_hour_at_most(text: str) -> None:
    """A number, a date, or nonsense: the pause that comes of it is one."""
    asked = _client._seconds(text)
    assert asked is None or asked >= 0
    assert 1 <= pause(1, asked, 0.5) <= 3600


@many
@given(data=around({"status": 1}, {"status": "Ok"}))
def test_only_an_object_with_a_status_is_acceptance(data: bytes) -> None:
    """Whatever else comes with a 200 is somebody else's answer."""
    accepted = _client._is_acceptance(data)
    assert accepted == (isinstance(_or_none(data), dict) and "status" in _or_none(data))


def _or_none(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


raw_replies = st.one_of(
    st.binary(max_size=300),
    st.builds(
        lambda status, headers, body: b"HTTP/1.1 %d X\r\n%s\r\n%s" % (status, headers, body),
        st.integers(0, 999),
        st.sampled_from(
            [
                b"",
                b"Content-Length: -1\r\n",
                b"Content-Length: 99999999999999999999\r\n",
                b"Content-Length: 2\r\nContent-Length: 3\r\n",
                b"Transfer-Encoding: chunked\r\n",
                b"Content-Encoding: gzip\r\n",
                b"Content-Encoding: br, zstd, deflate\r\n",
                b"Retry-After: \xff\r\n",
                b"Location: file:///etc/passwd\r\n",
                b"Set-Cookie: a=b\r\nNo colon here\r\n",
                b"X: " + b"y" * 70_000 + b"\r\n",
                b"X: y\r\n" * 200,
            ]
        ),
        around(*ANSWERS),
    ),
)


@pytest.fixture(scope="module")
def two_servers() -> Iterator[tuple[Collector, AuthApi]]:
    with Collector() as collector, AuthApi(keys={"key": "alice"}) as auth:
        yield collector, auth


@some
@given(reply=raw_replies)
def test_any_reply_of_the_collector_is_acceptance_refusal_or_a_wait(
    two_servers: tuple[Collector, AuthApi], reply: bytes
) -> None:
    """Raw bytes over a socket: nothing of the libraries between comes out, and it ends in time."""
    collector, _ = two_servers
    collector.behave(Behaviour("answer", reply=reply))
    began = time.monotonic()
    try:
        _client.post("phc_x", collector.url, [{"event": "x"}], 2.0)
    except (Unavailable, _client.RefusedError):
        pass
    assert time.monotonic() - began < 3


@some
@given(reply=raw_replies)
def test_any_reply_of_the_auth_api_is_a_principal_or_none(
    two_servers: tuple[Collector, AuthApi], folder: Path, reply: bytes
) -> None:
    """Raw bytes over a socket: a text, none, or an `Exception` that is noted; and in time."""
    _, auth = two_servers
    auth.behave(Behaviour("answer", reply=reply))
    path = folder / "credentials.yaml"
    path.write_text("api_key: key")
    resolver = credentials.CredentialsResolver(str(path), auth.url)
    began = time.monotonic()
    try:
        found = resolver.usage_principal("stamp", 2.0)
    except Exception:  # noqa: BLE001  # whatever it is, the caller notes it
        found = None
    assert found is None or isinstance(found, str)
    assert time.monotonic() - began < 3


# The whole worker.


@attrs.frozen
class Litter:
    """What lies in a state folder."""

    files: dict[str, bytes]

    def lay(self, root: Path) -> None:
        for name, data in self.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


odd_names = st.text(
    st.characters(exclude_characters="/\x00", exclude_categories=["Cs"]), min_size=1, max_size=60
)
spool_names = odd_names.map(lambda name: f"{name}.json") | st.just(f"{'9' * 250}.json")
litter = st.builds(
    Litter,
    st.fixed_dictionaries(
        {},
        optional={
            "usage.json": around(*IDENTITIES),
            "usage/health.json": around(*HEALTHS),
            "usage/in_hand": st.binary(max_size=600) | st.just(b"2 0 9"),
            "usage/lease": st.binary(max_size=30),
            "usage/sent.jsonl": st.binary(),
            "usage/transports/recorder": st.binary(max_size=30),
            "usage/journal/.fill": st.binary(max_size=1500),
            f"usage/journal/{NAME}.json": around(*FACTS),
            f"usage/outbox/recorder/{NAME}-0-alias.json": around(*MESSAGES),
            f"usage/outbox/recorder/{NAME}-1-capture.json": around(*MESSAGES),
        },
    ).flatmap(
        lambda fixed: st.dictionaries(
            spool_names.map(lambda name: f"usage/journal/{name}"), around(*FACTS), max_size=2
        ).map(lambda more: {**fixed, **more})
    ),
)


def undisturbed(root: Path, laid: Litter, check: Callable[[Message], None]) -> None:
    root.mkdir()
    bench = Workbench(root)
    laid.lay(root)
    latest = note(1, "command", at=time.time_ns())
    last = attrs.evolve(latest, name=f"9{latest.name[1:]}")
    bench.put(last)
    for _ in range(3):
        bench.work()
    sent = [message for batch in bench.transport.requests for message in batch]
    for message in sent:
        check(message)
    assert [] == [name for name in bench.records() if "recorder" in name or "journal" in name]
    assert json.loads(last.text)["id"] in [message.uuid for message in sent]
    assert bench.identity is not None
    inside = {path.name for path in root.iterdir()}
    assert inside <= {"usage", "usage.json"}, inside


@some
@given(laid=litter)
def test_a_worker_gets_through_whatever_lies_in_its_folder(laid: Litter) -> None:
    """What can be used is delivered, the rest set aside, and the last command's event arrives."""
    with tempfile.TemporaryDirectory() as folder:
        undisturbed(Path(folder) / "state", laid, assert_may_leave)
        assert ["state"] == [path.name for path in Path(folder).iterdir()]


@pytest.mark.parametrize(
    "name",
    ["\u00e9", "a b", "x" * 240, "-", f"{NAME}-0-alias", "\udcff"],
    ids=["umlaut", "blank", "long", "dash", "alias", "no-utf8"],
)
@pytest.mark.parametrize("where", ["journal", "outbox/recorder"])
def test_a_record_of_an_odd_name_is_in_nobodys_way(tmp_path: Path, name: str, where: str) -> None:
    record = FACTS[1] if where == "journal" else MESSAGES[0]
    path = f"usage/{where}/{name}.json"
    undisturbed(tmp_path / "state", Litter({path: json.dumps(record).encode()}), assert_may_leave)


@pytest.mark.parametrize("transport", ["../../../evil", "..", ".", "a/b", "/tmp/x", "a\0b"])
def test_a_fact_for_a_transport_that_is_a_path_leads_nowhere(
    tmp_path: Path, transport: str
) -> None:
    data = json.dumps({**FACTS[0], "transport": transport}).encode()
    with pytest.raises(ValueError, match="transport"):
        records.load_fact(data)
    undisturbed(tmp_path / "state", Litter({f"usage/journal/{NAME}.json": data}), assert_may_leave)
    assert {"home", "state"} == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999"])
def test_a_number_that_json_does_not_know_does_not_leave(tmp_path: Path, number: str) -> None:
    text = json.dumps({**MESSAGES[1], "properties": {"n": "?"}}).replace('"?"', number)
    with pytest.raises(ValueError, match="number"):
        records.load_message(text.encode())


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_fact_from_before_or_after_all_time_is_in_nobodys_way(tmp_path: Path, at: str) -> None:
    data = json.dumps({**FACTS[0], "at": at}).encode()
    undisturbed(tmp_path / "state", Litter({f"usage/journal/{NAME}.json": data}), assert_may_leave)


def test_a_fact_of_the_largest_size_becomes_a_message_whoever_it_belongs_to(tmp_path: Path) -> None:
    text = fact.compose(
        "command",
        "CLI execution succeeded",
        {f"p{n}": "x" * 1000 for n in range(32)} | {f"q{n}": "y" for n in range(200)},
        time_ns=AT,
        transport="recorder",
        credential=None,
        principal="\U0001f600" * 200,
    )
    assert LARGEST - 5000 < len(text) <= LARGEST
    found: Fact = records.load_fact(text.encode())
    assert is_principal(found.principal)
    undisturbed(
        tmp_path / "state", Litter({f"usage/journal/{NAME}.json": text.encode()}), assert_may_leave
    )


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"null", b"[]", b"{}", b"\xff", DEEP, HUGE_NUMBER, b'{"path": 5}', b'{"path": []}'),
        b'{"path": [], "app": 1, "state": "\\u0000", "transport": "../..", "options": 3}',
    ],
    ids=range(10),
)
def test_a_worker_that_is_told_nonsense_leaves_at_once_and_touches_nothing(
    tmp_path: Path, data: bytes
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", "-c", detach._BOOT, "usage-worker"],
        input=data,
        cwd=folder,
        env={"HOME": str(folder)},
        capture_output=True,
        timeout=30,
        check=False,
    )

    assert done.returncode >= 0  # no signal killed it
    assert b"" == done.stdout
    assert [] == list(folder.iterdir())


def test_an_identity_keeps_the_form_that_another_program_gave_it(tmp_path: Path) -> None:
    store = IdentityStore(str(tmp_path / "usage.json"))
    for anon_id in (ANON.upper(), ANON.replace("-", "")):
        Path(store.path).write_text(json.dumps({"anon_id": anon_id}))
        assert Anonymous(anon_id) == store.read()
