"""Every hook stands in the documentation with its exact signature, and has a test that uses it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from usage_core import hookspecs

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "tutorial-hooks.md").read_text()
HOOKS = sorted(name for name in hookspecs.__all__ if name.startswith("usage_"))


@pytest.mark.parametrize("hook", HOOKS)
def test_the_page_has_the_exact_signature(hook: str) -> None:
    signature = f"{hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")

    assert signature in PAGE


@pytest.mark.parametrize("hook", HOOKS)
def test_a_test_implements_the_hook(hook: str) -> None:
    others = [path for path in TESTS.rglob("test_*.py") if path != Path(__file__)]

    assert any(f"def {hook}(" in path.read_text() for path in others)
