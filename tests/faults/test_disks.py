"""Disks that are full, read-only or not ours: silence, and nothing half done."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from cli import wait_until
from faults.machine import NOBODY, Disks, Machine, apart, as_user, limited, needs_root
from usage_core.testing.behaviour import answer, refuse


def fill(disk: Path) -> Path:
    """Fill a disk to its last byte; returns the file to remove when there is to be room again."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    assert 0 == os.statvfs(disk).f_bavail
    return filler


def use_up_names(disk: Path) -> list[Path]:
    """Take a disk's last inode; returns the files to remove."""
    taken: list[Path] = []
    with suppress(OSError):
        while True:
            name = disk / f"name-{len(taken)}"
            name.touch()
            taken.append(name)
    assert 0 == os.statvfs(disk).f_favail
    return taken


@pytest.mark.fault("files", "a full disk on the first run", "a tmpfs filled to the last byte")
@needs_root
def test_a_first_run_on_a_full_disk_is_silence(toolbox: Machine, disks: Disks) -> None:
    toolbox.home = disks.mount("size=1m")
    filler = fill(toolbox.home)
    toolbox.run("ok", "lost")
    wait_until(lambda: toolbox.worker() is None)
    assert [] == [name for name in toolbox.files() if name.endswith((".json", ".tmp"))]

    filler.unlink()
    toolbox.run("ok", "one")
    toolbox.settle()
    assert ["one"] == toolbox.names()


@pytest.mark.fault("files", "a disk that fills up between two commands", "a tmpfs, filled")
@needs_root
def test_a_command_on_a_full_disk_leaves_nothing_half_done(toolbox: Machine, disks: Disks) -> None:
    toolbox.home = disks.mount("size=1m")
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    filler = fill(toolbox.home)
    identity = toolbox.identity()
    toolbox.run("ok", "lost")
    wait_until(lambda: toolbox.worker() is None)
    assert not [name for name in toolbox.files() if name.endswith(".tmp")]

    filler.unlink()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()
    assert identity["anon_id"] == toolbox.identity()["anon_id"]


@pytest.mark.fault(
    "files", "a disk that fills up before the worker comes", "a tmpfs, filled behind the command"
)
@needs_root
def test_what_was_recorded_before_the_disk_was_full_is_delivered_once(
    toolbox: Machine, disks: Disks
) -> None:
    toolbox.home = disks.mount("size=1m")
    toolbox.write_credentials("key-of-alice")
    toolbox.pause()
    for name in ("one", "two"):
        toolbox.run("ok", name)
    filler = fill(toolbox.home)
    toolbox.run("ok", "lost")
    toolbox.end_pause()
    toolbox.run("ok", "lost too")
    wait_until(lambda: toolbox.worker() is None)
    assert len(toolbox.names()) <= 2

    filler.unlink()
    toolbox.end_pause()
    toolbox.run("ok", "three")
    toolbox.settle()
    assert ["one", "two", "three"] == toolbox.counted()
    assert {"alice"} == {event["distinct_id"] for event in toolbox.captures()}


@pytest.mark.fault("files", "a disk without free inodes", "a tmpfs with its last name taken")
@needs_root
def test_a_disk_without_names_is_silence(toolbox: Machine, disks: Disks) -> None:
    toolbox.home = disks.mount("size=1m,nr_inodes=40")
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    taken = use_up_names(toolbox.home)
    toolbox.run("ok", "lost")
    wait_until(lambda: toolbox.worker() is None)

    for name in taken:
        name.unlink()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("files", "a home on a disk mounted read-only", "a tmpfs, remounted")
@needs_root
def test_a_read_only_disk_is_silence(toolbox: Machine, disks: Disks) -> None:
    toolbox.home = disks.mount()
    toolbox.around = apart(f"mount -o remount,ro,bind {toolbox.home} 2>/dev/null"
                           f" || mount -o remount,ro {toolbox.home}", "mount")  # fmt: skip
    toolbox.run("ok", "one")
    assert [] == toolbox.files()


@pytest.mark.fault("files", "a disk that turns read-only with records on it", "a tmpfs, remounted")
@needs_root
def test_what_waits_on_a_read_only_disk_is_kept_and_sent_once(
    toolbox: Machine, disks: Disks
) -> None:
    toolbox.home = disks.mount()
    toolbox.collector.behave(refuse())
    toolbox.run("ok", "one")
    toolbox.wait_for_failure()
    toolbox.end_pause()
    toolbox.collector.behave(answer())
    toolbox.around = apart(
        f"mount --bind {toolbox.home} {toolbox.home}; mount -o remount,ro,bind {toolbox.home}",
        "mount",
    )
    toolbox.run("ok", "lost")
    toolbox.around = ()
    assert 1 == len(toolbox.records())
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.counted()


@pytest.mark.fault("files", "a home that is not writable", "mode 0500, as another user")
@needs_root
def test_a_home_that_is_not_writable_is_silence(account: Machine) -> None:
    account.home.chmod(0o500)
    account.run("ok", "one")
    assert [] == account.files()


@pytest.mark.fault("files", "a home that cannot be entered", "mode 0000, as another user")
@needs_root
def test_a_home_that_cannot_be_entered_is_silence(account: Machine) -> None:
    account.home.chmod(0)
    account.run("ok", "one")
    assert [] == account.files()


@pytest.mark.fault("files", "the home is somebody else's", "a first run with sudo, then without")
@needs_root
def test_a_run_with_sudo_leaves_nothing_in_the_way(account: Machine) -> None:
    around, account.around = account.around, ()
    account.run("ok", "as root")
    assert [] == account.files()
    account.around = around
    account.run("ok", "one")
    account.settle()
    assert ["one"] == account.names()


@pytest.mark.fault(
    "files", "a record that may not be read", "mode 0000 in the journal, as another user"
)
@needs_root
def test_a_record_that_may_not_be_read_is_set_aside_at_its_third_refusal(account: Machine) -> None:
    account.run("ok", "one")
    account.settle()
    wait_until(lambda: account.worker() is None)
    closed = account.state / "usage" / "journal" / "00000000000000000001-1-0.json"
    closed.touch(mode=0)
    for name in ("two", "three", "four"):
        account.run("ok", name)
        wait_until(lambda: account.worker() is None)
        account.lease().unlink(missing_ok=True)
    account.settle()
    assert ["one", "two", "three", "four"] == account.counted()
    assert not closed.exists()


@pytest.mark.fault("files", "files may not grow", "RLIMIT_FSIZE=0")
def test_a_file_size_limit_of_nothing_is_silence(toolbox: Machine) -> None:
    toolbox.run("ok", "one")
    toolbox.settle()
    wait_until(lambda: toolbox.worker() is None)
    toolbox.around = limited("-f 0")
    toolbox.run("ok", "lost")
    toolbox.around = ()
    assert not [name for name in toolbox.files() if name.endswith(".tmp")]
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert ["one", "two"] == toolbox.names()


@pytest.mark.fault("files", "a user without a passwd entry, HOME unset", "setuid, `env -u HOME`")
@needs_root
def test_a_user_without_a_home_leaves_no_file_anywhere(account: Machine, public: Path) -> None:
    account.around = [*as_user(54_321), "env", "-u", "HOME", "-C", str(public)]
    before = sorted(os.listdir("/"))
    account.run("ok", "one")
    assert [] == account.files()
    assert ["home"] == os.listdir(public)
    assert before == sorted(os.listdir("/"))


@pytest.mark.fault("files", "a user without a passwd entry, with a home", "setuid, HOME set")
@needs_root
def test_a_user_without_a_name_is_as_good_as_any(account: Machine) -> None:
    account.around = as_user(54_321)
    os.chown(account.home, 54_321, 54_321)
    account.run("ok", "one")
    account.settle()
    assert ["one"] == account.names()


@pytest.mark.fault("files", "two accounts on one machine", "two users, each with a home")
@needs_root
def test_two_accounts_are_two_people(account: Machine, public: Path) -> None:
    account.run("ok", "mine")
    account.settle()
    first, account.home = account.home, public / "other"
    account.home.mkdir(mode=0o700)
    os.chown(account.home, 54_321, 54_321)
    account.around = as_user(54_321)
    account.run("ok", "theirs")
    account.settle()
    assert 2 == len({event["distinct_id"] for event in account.captures()})
    for home in (first, account.home):
        modes = {path.stat().st_mode & 0o077 for path in home.rglob("*") if not path.is_symlink()}
        assert {0} == modes
    assert NOBODY == (first / ".toolbox" / "usage.json").stat().st_uid
