"""Fixtures of the hostile world."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.machine import NOBODY, Disks, Machine, as_user
from usage_core.testing import AuthApi
from usage_posthog.collector import Collector


@pytest.fixture
def toolbox(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Machine]:
    """A tool that nobody has used yet; its worker does not outlive the test."""
    machine = Machine(tmp_path / "home", collector, auth)
    yield machine
    machine.around = ()
    machine.kill_worker()


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[Disks]:
    disks = Disks(tmp_path)
    yield disks
    disks.unmount()


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every user of this machine can reach; pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="usage-faults-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def account(toolbox: Machine, public: Path) -> Machine:
    """The toolbox of the user `nobody`, with a home folder of its own."""
    toolbox.home = public / "home"
    toolbox.home.mkdir(mode=0o700)
    os.chown(toolbox.home, NOBODY, NOBODY)
    toolbox.around = as_user(NOBODY)
    return toolbox
