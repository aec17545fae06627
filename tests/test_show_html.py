"""The page of `show --html`, as a person sees it in a real browser: light, dark, on a phone."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from browser import ENOUGH, headless
from cli import wait_until
from usage_core import Tracker
from usage_core.commands import Entry, Shown, page, status
from usage_core.testing import AuthApi
from usage_core.testing.behaviour import refuse
from usage_machine import Machine
from usage_posthog.collector import Collector

if TYPE_CHECKING:
    from playwright.sync_api import Browser

EDGES_NEED = 3.0  # WCAG 2.2, 1.4.11, level AA
WIDTH = 390

# The least contrast of any text with what is behind it, and of a chapter's edge with the paper.
CONTRASTS = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = parse(colour).map((v) => v / 255).map(
      (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m);
    return (x + 0.05) / (y + 0.05);
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (parse(colour)[3] !== 0) return colour;
    }
    throw new Error("nothing is behind it");
  };
  const texts = [...document.body.querySelectorAll("*")].filter((e) =>
    [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
  const edges = [...document.querySelectorAll(".chapter:not(.none)")];
  return {
    texts: texts.map((e) => [contrast(getComputedStyle(e).color, behind(e)), e.outerHTML]),
    edges: edges.map((e) => [
      contrast(getComputedStyle(e).borderLeftColor, behind(e.parentElement)), e.className]),
  };
}"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def machine(tmp_path: Path, collector: Collector, auth: AuthApi) -> Iterator[Machine]:
    machine = Machine(tmp_path / "home", collector, auth)
    yield machine
    machine.kill_worker()


def written(folder: Path, entries: list[Entry]) -> Path:
    """A page with *entries*, written as a file."""
    tracker = Tracker("toolbox", version="1", transport="posthog", state_dir=folder / "state")
    file = folder / "page.html"
    file.write_text(page(status(tracker), Shown(tuple(entries), 1), datetime.now(UTC)))
    return file


def capture(number: int, who: str | None, *, is_anon: bool = False, **properties: object) -> Entry:
    at = datetime(2026, 11, 22, 10, number, tzinfo=UTC)
    return Entry(
        *("sent" if who else "recorded", "posthog", "capture", f"uuid-{number}", at),
        *(at if who else None, "CLI execution failed", who, None, is_anon),
        {"command_name": f"command.{number}", **properties},
    )


def everything() -> list[Entry]:
    """All that a page may have on it: eight people, and texts that are hard to lay out."""
    hard: dict[str, Any] = {
        "long": "x" * 300,
        "markup": "<script>document.title = 'owned'</script><img src=x>",
    }
    people = [capture(number, f"person-{number}", **hard) for number in range(8)]
    return [*people, capture(8, "0" * 36, is_anon=True), capture(9, None)]


def test_the_story_of_a_machine_is_told_by_identity(machine: Machine, chromium: Browser) -> None:
    machine.do("one", "login", "bad", "logout", "two")
    machine.settle()
    wait_until(lambda: machine.worker() is None)
    machine.collector.behave(refuse())
    machine.do("three")
    machine.wait_for_failure()
    machine.start_no_worker()
    machine.do("four")
    entries = machine.look("show")["entries"]
    first, second = [e["distinct_id"] for e in entries if e["is_anon"]][:2]

    machine.usage("show", "--html", str(machine.home / "page.html"))
    with chromium.new_page() as tab:
        tab.goto((machine.home / "page.html").as_uri())
        story = tab.locator("#story ~ *").all_inner_texts()
        whole = tab.locator("body").inner_text()
        badges = tab.locator(".badge").all_inner_texts()

    beginnings = [
        f"Anonymous {first}",
        "Linked.",
        "Logged in alice",
        "New anonymous id. After the logout",
        f"Anonymous {second}",
        "Not settled yet",
    ]
    assert len(beginnings) == len(story)
    for beginning, part in zip(beginnings, story, strict=True):
        assert part.startswith(beginning)
    assert (f"{first} did counts for alice", second) == (
        re.sub(r".*what |\. sent.*", "", story[1].replace("\n", " ")),
        re.findall(r"connects (\S+) to", story[3])[0],
    )
    for names, part in zip(
        ("one", "", "login bad logout", "", "two three", "four"), story, strict=True
    ):
        assert names.split() == re.findall(r":\d\d (\w+) (?:succeeded|failed)", part)
    assert "bad failed" in story[2]
    assert ["sent"] * 6 + ["waits"] * 2 == [badge.split()[0] for badge in badges]
    assert f"posthog ({machine.collector.url}) was given 6 messages" in whole
    assert "Left this machine: 6 messages. Waiting: 2 messages." in whole
    assert "posthog: 1 message made, to be sent" in whole
    assert "posthog: 1 message recorded, owner not settled" in whole


def test_it_needs_no_script_and_no_network_and_runs_nothing(
    tmp_path: Path, chromium: Browser
) -> None:
    file = written(tmp_path, everything())
    asked: list[str] = []
    complaints: list[str] = []

    for scripts in (True, False):
        with chromium.new_context(java_script_enabled=scripts) as context:
            tab = context.new_page()
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: complaints.append(message.text))
            tab.goto(file.as_uri())
            assert "What toolbox recorded" == tab.title()
            tab.locator("summary").first.click()
            assert "<script>document.title = 'owned'</script>" in tab.locator("body").inner_text()
            assert 0 == tab.locator("script, img, iframe, object, link[rel=stylesheet]").count()

    assert {file.as_uri()} == {url for url in asked if not url.startswith("data:")}
    assert [] == complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(
    tmp_path: Path, chromium: Browser, scheme: Literal["light", "dark"]
) -> None:
    with chromium.new_context(color_scheme=scheme) as context:
        tab = context.new_page()
        tab.goto(written(tmp_path, everything()).as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        contrasts = tab.evaluate(CONTRASTS)
        paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")

    assert len(contrasts["texts"]) > 100
    assert ENOUGH <= min(contrasts["texts"])[0], min(contrasts["texts"])
    assert 9 == len(contrasts["edges"])
    assert EDGES_NEED <= min(contrasts["edges"])[0], min(contrasts["edges"])
    assert (scheme == "light") == (sum(map(int, re.findall(r"\d+", paper))) > 384)


def test_it_fits_on_a_phone(tmp_path: Path, chromium: Browser) -> None:
    with chromium.new_context(viewport={"width": WIDTH, "height": 844}, is_mobile=True) as context:
        tab = context.new_page()
        tab.goto(written(tmp_path, everything()).as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)")
        width = tab.evaluate("document.documentElement.scrollWidth")
        outside = tab.evaluate(
            "[...document.body.querySelectorAll('*')]"
            ".filter((one) => one.getBoundingClientRect().right > innerWidth + 0.5).length"
        )

    assert (WIDTH, 0) == (width, outside)


def test_a_keyboard_and_a_screen_reader_find_their_way(tmp_path: Path, chromium: Browser) -> None:
    with chromium.new_page() as tab:
        tab.goto(written(tmp_path, everything()).as_uri())
        tab.keyboard.press("Tab")
        tab.keyboard.press("Enter")

        assert 1 == tab.locator("details[open]").count()
        assert "en" == tab.locator("html").get_attribute("lang")
        levels = [int(tag[1]) for tag in tab.evaluate(
            "[...document.querySelectorAll('h1,h2,h3')].map((one) => one.tagName)"
        )]  # fmt: skip
    assert 1 == levels[0] == levels.count(1)
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_an_empty_page_says_so(tmp_path: Path, chromium: Browser) -> None:
    with chromium.new_page() as tab:
        tab.goto(written(tmp_path, []).as_uri())
        whole = tab.locator("body").inner_text()

    for said in ("Nobody saw anything.", "Nothing waits to be sent.", "Nothing was recorded."):
        assert said in whole
