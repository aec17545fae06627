"""Debian's Chromium, driven by Playwright: a browser for tests, and what WCAG says of a picture."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ENOUGH = 4.5  # WCAG 2.2, 1.4.3, level AA

# The contrast between the lightest and the darkest pixel of a picture, as WCAG defines it.
CONTRAST = """async (picture) => {
  const bitmap = await createImageBitmap(await (await fetch(picture)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  canvas.drawImage(bitmap, 0, 0);
  const { data } = canvas.getImageData(0, 0, bitmap.width, bitmap.height);
  const linear = (value) =>
    value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  let [least, most] = [1, 0];
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [0, 1, 2].map((j) => linear(data[i + j] / 255));
    const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    [least, most] = [Math.min(least, luminance), Math.max(most, luminance)];
  }
  return (most + 0.05) / (least + 0.05);
}"""


@contextlib.contextmanager
def headless() -> Iterator[Browser]:
    """A headless browser; where there is none, the test is skipped, but in CI it fails."""
    path = shutil.which("chromium")
    if path is None:
        _is_missing("there is no chromium on this machine (Debian: apt-get install chromium)")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _is_missing("playwright is not installed (PyPI: pip install playwright)")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def contrast(of: Locator) -> float:
    """How far apart the lightest and the darkest pixel of this part of the page are."""
    picture = base64.b64encode(of.screenshot()).decode()
    with of.page.context.new_page() as empty:
        return float(empty.evaluate(CONTRAST, f"data:image/png;base64,{picture}"))


def _is_missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
