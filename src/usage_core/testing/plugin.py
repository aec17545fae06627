"""The pytest plug-in of usage-core: a fixture, and nothing that happens without it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from usage_core.testing.recorder import UsageRecorder

__all__ = ["usage_recorder"]


@pytest.fixture
def usage_recorder() -> Generator[UsageRecorder]:
    """Record what the commands of this test would send; without it they record nothing."""
    from usage_core.testing.recorder import recording

    with recording() as recorder:
        yield recorder
