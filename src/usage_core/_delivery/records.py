"""Facts and messages as they lie in the spools: JSON to values and back, nothing taken on trust."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import NoReturn, cast
from uuid import UUID

from usage_core._identity.lifecycle import KINDS, Fact
from usage_core._identity.state import is_anon_id, is_principal
from usage_core._local import is_transport_name
from usage_core._messages import Alias, Capture, Message

__all__ = [
    "as_dict",
    "check_name",
    "dump_message",
    "load_fact",
    "load_message",
    "message_of",
    "with_principal",
]


_NAME = re.compile(r"[0-9]{20}-[0-9]{1,10}-[0-9]{1,10}(-0-alias|-1-capture)?")


def check_name(name: str) -> None:
    """Raise `ValueError` unless *name* can be a record's: others sort anywhere, or fit nowhere."""
    if not _NAME.fullmatch(name):
        raise ValueError("no record is named like this")


def load_fact(data: bytes) -> Fact:
    """Return the fact of a journal's record. Raises `ValueError` and says what is wrong with it."""
    record = _object(data)
    if record.get("v") != 1:
        raise ValueError(
            f"a fact of version {record.get('v')!r:.80}, which is newer than this program"
        )
    kind = _text(record, "kind")
    if kind not in KINDS:
        raise ValueError(f"a fact of the kind {kind!r}")
    fresh = record.get("fresh")
    if not isinstance(fresh, list) or len(cast(list[object], fresh)) != 2:
        raise ValueError("a fact without two fresh ids")
    first, second = cast(list[object], fresh)
    transport = _text(record, "transport")
    if not is_transport_name(transport):  # it names a folder
        raise ValueError(f"a fact for the transport {transport!r:.80}")
    return Fact(
        id=_uuid(record.get("id")),
        at=_moment(record),
        kind=kind,
        event=_text(record, "event"),
        properties=_properties(record),
        credential=_optional_text(record, "credential"),
        principal=_optional_text(record, "principal"),
        transport=transport,
        fresh=(_uuid(first), _uuid(second)),
    )


def with_principal(data: bytes, principal: str) -> bytes:
    """Return the record of a fact with the answer that was found for it."""
    answered = {**_object(data), "principal": principal}
    return json.dumps(answered, separators=(",", ":")).encode("ascii")


def as_dict(message: Message) -> dict[str, object]:
    """Return *message* as JSON carries it."""
    match message:
        case Alias(uuid, previous_id, distinct_id, timestamp):
            return {
                "kind": "alias",
                "uuid": uuid,
                "previous_id": previous_id,
                "distinct_id": distinct_id,
                "timestamp": timestamp.isoformat(),
            }
        case Capture(uuid, event, distinct_id, timestamp, properties, is_anon):
            return {
                "kind": "capture",
                "uuid": uuid,
                "event": event,
                "distinct_id": distinct_id,
                "timestamp": timestamp.isoformat(),
                "is_anon": is_anon,
                "properties": dict(properties),
            }


def dump_message(message: Message) -> str:
    """Return the text of an outbox's record."""
    return json.dumps(as_dict(message), separators=(",", ":"))


def load_message(data: bytes) -> Message:
    """Return the message of an outbox's record. Raises `ValueError` and says what is wrong."""
    return message_of(_object(data))


def message_of(record: dict[str, object]) -> Message:
    """Return the message that `as_dict` made *record* of. Raises `ValueError` if it is none."""
    kind, uuid, at = record.get("kind"), _uuid(record.get("uuid")), _moment(record, "timestamp")
    distinct_id, is_anon = _text(record, "distinct_id"), record.get("is_anon")
    if not (is_anon_id if is_anon is True else is_principal)(distinct_id):
        raise ValueError(f"nobody is called {distinct_id!r:.80}")
    if kind == "alias":
        previous_id = _text(record, "previous_id")
        if not is_anon_id(previous_id):
            raise ValueError(f"{previous_id!r:.80} is not an anonymous id")
        return Alias(uuid, previous_id, distinct_id, at)
    if kind != "capture" or not isinstance(is_anon, bool):
        raise ValueError(f"a message of the kind {kind!r:.80}")
    return Capture(uuid, _text(record, "event"), distinct_id, at, _properties(record), is_anon)


def _object(data: bytes) -> dict[str, object]:
    try:
        text = data.decode("utf-8")  # json itself would let halves of surrogate pairs pass
        found: object = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if b"\\ud" in data.lower():
            # Half a surrogate pair, from a path that is no UTF-8, makes a collector refuse it all.
            found = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError(f"a {type(found).__name__}, not an object")
    return cast(dict[str, object], found)


def _text(record: dict[str, object], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is {value!r:.80}")
    return value


def _optional_text(record: dict[str, object], key: str) -> str | None:
    return None if record.get(key) is None else _text(record, key)


def _properties(record: dict[str, object]) -> dict[str, object]:
    value = record.get("properties")
    if not isinstance(value, dict):
        raise ValueError(f"properties are {value!r:.80}")
    return cast(dict[str, object], value)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number that JSON knows")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _uuid(value: object) -> str:
    if not isinstance(value, str) or not is_anon_id(value):
        raise ValueError(f"{value!r:.80} is not a uuid")
    return str(UUID(value))


def _moment(record: dict[str, object], key: str = "at") -> datetime:
    moment = datetime.fromisoformat(_text(record, key))
    if moment.tzinfo is None:
        raise ValueError(f"{key} has no time zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{key} is before or after all time") from None
