"""Whatever lies in the state folder: a worker gets through it, and the last event arrives."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzzing import (
    AT,
    DEEP,
    FACTS,
    HEALTHS,
    HUGE_NUMBER,
    IDENTITIES,
    MESSAGES,
    NAME,
    around,
    assert_may_leave,
    some,
)
from usage_core import Message, _recorder
from usage_core._delivery import records
from usage_core._identity.lifecycle import Fact
from usage_core._identity.state import is_principal
from usage_core._local import LARGEST
from workbench import Workbench, in_process, note


@pytest.fixture(autouse=True, scope="module")
def cheap_workers() -> Iterator[None]:
    with in_process():
        yield


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
# What begins with a dot is no record: the fill mark, or half a file.
record_names = odd_names.filter(lambda name: name[0] != ".")
spool_names = record_names.map(lambda name: f"{name}.json") | st.just(f"{'9' * 250}.json")
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


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_fact_from_before_or_after_all_time_is_in_nobodys_way(tmp_path: Path, at: str) -> None:
    data = json.dumps({**FACTS[0], "at": at}).encode()
    undisturbed(tmp_path / "state", Litter({f"usage/journal/{NAME}.json": data}), assert_may_leave)


def test_a_fact_of_the_largest_size_becomes_a_message_whoever_it_belongs_to(tmp_path: Path) -> None:
    text = _recorder.compose(
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
        [sys.executable, "-P", "-c", _recorder._BOOT, "usage-worker"],
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
