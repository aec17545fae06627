"""The transport keeps what every transport promises."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from usage_jsonl import JsonLinesTransport

from usage_core.testing import TransportContract


class TestJsonLines(TransportContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "events.jsonl"

    def make_transport(self) -> JsonLinesTransport:
        return JsonLinesTransport(self.path)

    def make_unreachable_transport(self) -> JsonLinesTransport:
        return JsonLinesTransport(self.path / "not" / "a" / "folder")

    def arrived(self) -> Sequence[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []
