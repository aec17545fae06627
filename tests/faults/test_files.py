"""Files that somebody else wrote, locked, linked, moved or deleted."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from pathlib import Path
from uuid import UUID

import pytest

from cli import wait_until
from faults.machine import Machine
from usage_core.testing.behaviour import answer, hang, refuse

ID = "0f8a7c8e-41d5-4c3c-9f2f-1a2b3c4d5e6f"
UNUSABLE = {
    "truncated": b'{"anon_id": "0f8a7c8e-41d5',
    "empty": b"",
    "binary": bytes(range(256)),
    "in UTF-16": json.dumps({"anon_id": ID}).encode("utf-16"),
    "full of NUL": b"\0" * 4096,
    "a list": b"[1, 2]",
    "a number": b"5",
    "nested 100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "with the anon_id 5": b'{"anon_id": 5}',
    "with the anon_id null": b'{"anon_id": null}',
    'with the anon_id ""': b'{"anon_id": ""}',
    "with the anon_id []": b'{"anon_id": []}',
    "with the anon_id of an object": b'{"anon_id": {}}',
    "without an anon_id": b"{}",
    "with the zero anon_id": b'{"anon_id": "00000000-0000-0000-0000-000000000000"}',
    "linked to true": b'{"anon_id": "%b", "linked_principal_id": true}' % ID.encode(),
    'linked to "None"': b'{"anon_id": "%b", "linked_principal_id": "None"}' % ID.encode(),
    "linked to an object": b'{"anon_id": "%b", "linked_principal_id": {}}' % ID.encode(),
    "of 200 MB": None,
    "a FIFO": None,
    "a folder": None,
}


def put(path: Path, what: str) -> None:
    content = UNUSABLE[what]
    match what:
        case "of 200 MB":
            path.touch()
            os.truncate(path, 200_000_000)
        case "a FIFO":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case _:
            assert content is not None
            path.write_bytes(content)


@pytest.mark.fault("files", "usage.json is {what}", "written before the first run")
@pytest.mark.parametrize("what", UNUSABLE)
def test_an_identity_that_is_none_is_set_aside_once_and_a_new_one_begun(
    toolbox: Machine, what: str
) -> None:
    toolbox.state.mkdir()
    put(toolbox.state / "usage.json", what)
    toolbox.run("ok", "one")
    toolbox.settle()
    toolbox.run("ok", "two")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)

    assert 4 == UUID(str(toolbox.identity()["anon_id"])).version
    assert {toolbox.identity()["anon_id"]} == {e["distinct_id"] for e in toolbox.captures()}
    assert 1 == len(list((toolbox.state / "usage" / "aside").iterdir()))
    assert "a new identity begun" in str(toolbox.health())


@pytest.mark.fault("files", "usage.json begins with a byte order mark", "as Windows editors write")
def test_a_byte_order_mark_is_read_over(toolbox: Machine) -> None:
    toolbox.state.mkdir()
    identity = toolbox.state / "usage.json"
    identity.write_bytes(b"\xef\xbb\xbf" + json.dumps({"anon_id": ID}).encode())
    toolbox.run("ok", "one")
    toolbox.settle()
    assert [ID] == [event["distinct_id"] for event in toolbox.captures()]


@pytest.mark.fault("files", "usage.json is a symbolic link", "a link to a file elsewhere")
def test_a_linked_identity_stays_a_link(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.state.mkdir()
    target = tmp_path / "elsewhere.json"
    target.write_text(json.dumps({"anon_id": ID, "theirs": [1]}))
    (toolbox.state / "usage.json").symlink_to(target)
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)

    assert (toolbox.state / "usage.json").is_symlink()
    written = json.loads(target.read_text())
    assert (ID, "alice", [1]) == tuple(
        written[key] for key in ("anon_id", "linked_principal_id", "theirs")
    )


@pytest.mark.fault("files", "usage.json is a link that leads nowhere", "its target removed")
def test_a_link_that_leads_nowhere_costs_no_event(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.state.mkdir()
    (toolbox.state / "usage.json").symlink_to(tmp_path / "gone" / "usage.json")
    toolbox.run("ok", "one")
    toolbox.run("ok", "two")
    wait_until(lambda: toolbox.worker() is None)
    (tmp_path / "gone").mkdir()
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()
    assert 1 == len({event["distinct_id"] for event in toolbox.captures()})


@pytest.mark.fault("files", "the state folder is a symbolic link", "a link to another disk, say")
def test_a_linked_state_folder_is_as_good(toolbox: Machine, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    toolbox.state.symlink_to(tmp_path / "elsewhere")
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()
    assert (tmp_path / "elsewhere" / "usage.json").exists()


@pytest.mark.fault("files", "the credentials are a FIFO", "`mkfifo`; nobody writes")
def test_credentials_that_never_answer_are_not_opened(toolbox: Machine) -> None:
    toolbox.state.mkdir()
    os.mkfifo(toolbox.credentials)
    toolbox.run("ok", "one")
    toolbox.settle()
    assert [True] == [event["properties"]["is_anon"] for event in toolbox.captures()]
    assert not toolbox.auth.requests


@pytest.mark.fault("files", "the credentials are {what}", "written before the command")
@pytest.mark.parametrize(
    "what", ["empty", "binary", "in UTF-16", "nested 100,000 deep", "of 200 MB", "a folder"]
)
def test_credentials_that_are_none_leave_the_event_anonymous(toolbox: Machine, what: str) -> None:
    toolbox.state.mkdir()
    put(toolbox.credentials, what)
    toolbox.run("ok", "one")
    toolbox.settle()
    assert [True] == [event["properties"]["is_anon"] for event in toolbox.captures()]
    assert not toolbox.auth.requests


@pytest.mark.fault("files", "our {what} is a FIFO", "`mkfifo` before the command; nobody writes")
@pytest.mark.parametrize(
    "what", ["consent", "lease", "health.json", "in_hand", "sent.jsonl", "transports/posthog"]
)
def test_no_file_of_ours_holds_a_command_when_it_is_a_fifo(toolbox: Machine, what: str) -> None:
    path = toolbox.state / "usage" / what
    path.parent.mkdir(parents=True)
    os.mkfifo(path)
    toolbox.run("ok", "one")
    if what == "consent":
        assert not toolbox.records(), "what cannot be read is a no"
    else:
        toolbox.settle()
        wait_until(lambda: ["one"] == toolbox.names())


@pytest.mark.fault(
    "files", "{what} is locked by another program", "flock and lockf, held meanwhile"
)
@pytest.mark.parametrize("what", ["usage.json", "usage/lock"])
def test_a_lock_that_somebody_holds_costs_no_command_anything(toolbox: Machine, what: str) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    with (toolbox.state / what).open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        toolbox.run("ok", "two")  # comes back although the lock is not given up
        wait_until(lambda: toolbox.worker() is None)
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()


@pytest.mark.fault("files", "a file system without locks", "flock raises ENOLCK in our processes")
def test_without_locks_nobody_works_and_nobody_waits(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.inject(
        tmp_path / "site",
        "import errno, fcntl, os\n"
        "def flock(*_): raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))\n"
        "fcntl.flock = fcntl.lockf = flock\n",
    )
    for name in ("one", "two"):
        toolbox.run("ok", name)
        wait_until(lambda: toolbox.worker() is None)
    assert 2 == len(toolbox.records())
    assert not toolbox.collector.requests
    toolbox.environ.clear()
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()


@pytest.mark.fault("files", "the state folder is deleted while a worker waits", "`rm -r`, then on")
def test_what_was_deleted_stays_deleted(toolbox: Machine) -> None:
    toolbox.collector.behave(hang())
    toolbox.run("ok", "gone")
    toolbox.collector.wait_for(lambda: len(toolbox.collector.requests) == 1)
    worker = toolbox.worker()
    assert worker is not None
    before = toolbox.identity()["anon_id"]
    shutil.rmtree(toolbox.state)
    wait_until(lambda: not Path(f"/proc/{worker}/stat").exists())
    assert [] == toolbox.files()

    toolbox.collector.behave(answer())
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()
    assert before != toolbox.identity()["anon_id"]


@pytest.mark.fault("files", "the home is copied to another machine", "`cp -r` while records wait")
def test_a_copied_home_counts_nothing_twice(toolbox: Machine, tmp_path: Path) -> None:
    toolbox.collector.behave(refuse())
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.collector.behave(answer())
    first, second = toolbox.home, tmp_path / "copy"
    shutil.copytree(first, second)
    for home, name in ((first, "here"), (second, "there")):
        toolbox.home = home
        toolbox.end_pause()
        toolbox.run("ok", name)
        toolbox.settle()
    assert ["one", "here", "there"] == toolbox.counted()
