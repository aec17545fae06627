"""The login of the example in a real browser: what a person sees, and what is on disk after it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import yaml

from arcade_machine import Arcade, Waiting, machine
from browser import ENOUGH, contrast, headless

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with headless() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 900, "height": 640}) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        yield page


@pytest.fixture
def arcade(tmp_path: Path) -> Iterator[Arcade]:
    with machine(tmp_path) as arcade:
        yield arcade


@pytest.fixture
def waiting(arcade: Arcade) -> Iterator[Waiting]:
    waiting = arcade.begin_login()
    yield waiting
    waiting.stop()


def fill_in(page: Page, url: str, password: str = "arcade") -> None:
    page.goto(url)
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill(password)


def assert_card(page: Page, tmp_path: Path, title: str, message: str) -> None:
    """One centred card: logo, title, one message; readable, in narrow windows too."""
    page.screenshot(path=tmp_path / "screenshot.png")
    card = page.get_by_role("main")
    assert title == page.get_by_role("heading").inner_text()
    assert message == page.get_by_role("status").inner_text()
    assert f"{title} - Arcade" == page.title()
    assert page.get_by_role("img", name="Arcade").is_visible()
    assert "linear-gradient" in page.evaluate("getComputedStyle(document.body).backgroundImage")
    box = card.bounding_box()
    assert box
    assert 2 > abs(box["x"] + box["width"] / 2 - 450)
    assert 2 > abs(box["y"] + box["height"] / 2 - 320)
    texts = [page.get_by_role("heading"), page.get_by_role("status")]
    texts += [*page.locator("label").all(), *page.get_by_role("button").all()]
    for text in texts:
        assert contrast(text) >= ENOUGH, text
    page.set_viewport_size({"width": 320, "height": 480})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_person_logs_in(arcade: Arcade, waiting: Waiting, page: Page, tmp_path: Path) -> None:
    arcade.run("show")
    anon_id = arcade.last()["distinct_id"]
    visited: list[str] = []
    page.on("request", lambda request: visited.append(request.url))

    fill_in(page, waiting.url)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/callback?**")

    told = "Logged in as ada@example.com. You can close this window."
    assert_card(page, tmp_path, "Logged in", told)
    assert 0 == waiting.end()
    assert waiting.output.endswith("Logged in as ada@example.com.\n")
    own = (f"http://localhost:{arcade.cloud.port}/", f"http://localhost:{arcade.port}/")
    assert visited
    assert all(url.startswith(own) for url in visited)

    kept = yaml.safe_load(arcade.credentials.read_text())["cloud"]
    assert "principal-of-ada" == arcade.cloud.keys[kept["api"]["key"]]
    assert 0o600 == stat.S_IMODE(arcade.credentials.stat().st_mode)
    identity = json.loads((arcade.state / "usage.json").read_text())
    assert anon_id == identity["anon_id"]
    assert "principal-of-ada" == identity["linked_principal_id"]
    arcade.settle()
    first, *rest = arcade.collector.events
    assert ("CLI execution succeeded", anon_id) == (first["event"], first["distinct_id"])
    assert ["$set", "$identify", "CLI execution succeeded"] == [event["event"] for event in rest]
    assert {"principal-of-ada"} == {event["distinct_id"] for event in rest}
    assert anon_id == rest[1]["properties"]["$anon_distinct_id"]
    assert "login" == rest[2]["properties"]["command_name"]


def test_the_keyboard_is_enough(waiting: Waiting, page: Page) -> None:
    fill_in(page, waiting.url)
    page.keyboard.press("Enter")
    page.wait_for_url("**/callback?**")

    assert 0 == waiting.end()


def test_a_wrong_password_is_said_on_the_form_and_can_be_tried_again(
    waiting: Waiting, page: Page, tmp_path: Path
) -> None:
    fill_in(page, waiting.url, "guessed")
    page.get_by_role("button", name="Log in").click()

    told = "This address and password do not belong together."
    page.get_by_role("status").wait_for()
    assert_card(page, tmp_path, "Log in to Arcade", told)
    assert "ada@example.com" == page.get_by_label("E-mail").input_value()
    page.get_by_label("Password").fill("arcade")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/callback?**")
    assert 0 == waiting.end()


FAILURES = {
    "refused": "The login was refused.",
    "forged": "This answer does not belong to the login that waits.",
    "late": "The answer came too late: it is good for one minute.",
    "wrong": "The cloud's answer holds no code.",
    "elsewhere": "There is nothing at this address.",
    "post": "Only a GET can answer a login.",
    "oversized": "The request was too large.",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_each_failure_has_its_page(
    arcade: Arcade, waiting: Waiting, page: Page, tmp_path: Path, failure: str
) -> None:
    match failure:
        case "refused":
            page.goto(waiting.url)
            page.get_by_role("button", name="Cancel").click()
        case "forged":
            page.goto(waiting.callback(state="guessed", code="evil"))
        case "late":
            arcade.cloud.code_seconds = 0
            fill_in(page, waiting.url)
            page.get_by_role("button", name="Log in").click()
        case "wrong":
            page.goto(waiting.callback(state=waiting.asked["state"]))
        case "elsewhere":
            page.goto(str(httpx.URL(waiting.callback(), path="/elsewhere")))
        case "post":
            form = f'<form method="post" action="{waiting.callback()}"><button>Go</button></form>'
            page.set_content(form)
            page.get_by_role("button").click()
        case "oversized":
            page.goto(waiting.callback(state="x" * 20_000))
    page.wait_for_url(f"http://localhost:{arcade.port}/**")

    told = f"{FAILURES[failure]} Close this window and look at the terminal."
    assert_card(page, tmp_path, "Login failed", told)
    assert not arcade.credentials.exists()
