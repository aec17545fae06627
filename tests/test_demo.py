"""The demo runs as the README says, and its story comes out as it is told."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

from cli import clean_environment

STORY = Path(__file__).parent.parent / "examples" / "demo" / "story.py"


def test_the_story_is_told_to_its_end(tmp_path: Path) -> None:
    environ = clean_environment(tmp_path / "home") | {"CI": "true"}
    done = run(
        [sys.executable, str(STORY)], env=environ, capture_output=True, text=True, check=True
    )

    assert "12 events arrived; the auth API was asked 2 times." in done.stdout
    assert "alice: hello, toolkit.run, login, toolkit.run, logout" in done.stdout
    assert "bob: hello, login, hello" in done.stdout
    assert 1 == done.stdout.count('"command_name"')
    assert "principal-of-ada: show, login, toolkit.run, logout" in done.stdout
    assert "" == done.stderr
    assert [] == list((tmp_path / "home").iterdir())
