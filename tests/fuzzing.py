"""What the fuzzing makes: what is expected, torn, changed in one place, or something else."""

from __future__ import annotations

import json
import math
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from usage_core import Alias, Capture, Message
from usage_core._delivery import records
from usage_core._identity.state import is_principal
from usage_core._recorder import record_name
from usage_posthog import _wire
from workbench import THOROUGH, note

many = settings(
    max_examples=100 * THOROUGH,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
some = settings(many, max_examples=25 * THOROUGH)

ANON = "5a1f1f0e-7c53-4c43-9d6d-6f8e64c7b6a1"
AT = 1_795_348_800_000_000_000
NAME = record_name(AT, 0)

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
