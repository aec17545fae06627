"""`arcade login` of the example: every answer a browser can bring, and what is left of it."""

from __future__ import annotations

import signal
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from arcade_machine import Arcade, Waiting, machine, text_of
from usage_core.testing.behaviour import hang, status


@pytest.fixture
def arcade(tmp_path: Path) -> Iterator[Arcade]:
    with machine(tmp_path) as arcade:
        yield arcade


@pytest.fixture
def waiting(arcade: Arcade) -> Iterator[Waiting]:
    waiting = arcade.begin_login()
    yield waiting
    waiting.stop()


def assert_nothing_was_written(arcade: Arcade) -> None:
    assert not arcade.credentials.exists()
    assert [] == list(arcade.state.glob(".credentials*"))


def assert_still_possible(arcade: Arcade, waiting: Waiting) -> None:
    """Whatever came before, the real answer is taken."""
    assert_nothing_was_written(arcade)
    page = httpx.get(waiting.answer())
    assert 200 == page.status_code
    assert 0 == waiting.end()
    assert arcade.credentials.exists()


def raw(arcade: Arcade, request: bytes) -> str:
    """Send bytes as they are to where the login listens; return all of the answer."""
    with socket.create_connection(("127.0.0.1", arcade.port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_login_writes_the_key_and_the_account_for_its_owner_alone(arcade: Arcade) -> None:
    page = arcade.login("ada@example.com")

    written = yaml.safe_load(arcade.credentials.read_text())["cloud"]
    assert "Logged in: Logged in as ada@example.com. You can close this window." == text_of(page)
    assert "ada@example.com" == written["user"]["email"]
    assert "principal-of-ada" == arcade.cloud.keys[written["api"]["key"]]
    assert f"http://localhost:{arcade.cloud.port}" == written["coordinator_url"]
    assert 0o600 == stat.S_IMODE(arcade.credentials.stat().st_mode)
    assert 0o700 == stat.S_IMODE(arcade.state.stat().st_mode)
    assert [] == list(arcade.state.glob(".credentials*"))


def test_a_second_login_replaces_the_first_and_keeps_a_link_to_the_file(arcade: Arcade) -> None:
    arcade.login("ada@example.com")
    elsewhere = arcade.home / "dotfiles.yaml"
    arcade.credentials.rename(elsewhere)
    arcade.credentials.symlink_to(elsewhere)

    arcade.login("bob@example.com")

    assert arcade.credentials.is_symlink()
    assert "bob@example.com" in elsewhere.read_text()


def test_the_key_is_seen_nowhere_but_in_the_file(arcade: Arcade, waiting: Waiting) -> None:
    address = waiting.answer()
    page = httpx.get(address)
    waiting.end()
    key = yaml.safe_load(arcade.credentials.read_text())["cloud"]["api"]["key"]

    whoami = arcade.run("whoami")
    shown = [waiting.url, address, page.text, waiting.output, waiting.errors, whoami.stdout]
    assert not any(key in text for text in [*shown, str(arcade.captures())])
    assert 1 == sum(key in path.read_text() for path in arcade.state.rglob("*") if path.is_file())


def test_the_page_loads_nothing_and_is_kept_nowhere(arcade: Arcade) -> None:
    page = arcade.login()

    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "no-store" == page.headers["cache-control"]
    assert "no-referrer" == page.headers["referrer-policy"]
    assert "http" not in page.text.replace(str(page.url), "")


def test_the_browser_is_given_the_address(arcade: Arcade, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)

    done = arcade.run("login", "--timeout", "5", check=False, BROWSER=f"{browser} %s")

    opened = (tmp_path / "opened").read_text().strip()
    assert opened.startswith(f"http://localhost:{arcade.cloud.port}/login?redirect_uri=")
    assert opened in done.stdout
    assert "please open" not in done.stdout


def test_without_a_browser_the_person_is_asked_to_open_the_address(
    arcade: Arcade, tmp_path: Path
) -> None:
    done = arcade.run("login", "--timeout", "3", check=False, PATH=str(tmp_path))

    assert "No browser could be opened here" in done.stdout
    assert f"http://localhost:{arcade.cloud.port}/login?" in done.stdout


def test_no_browser_is_opened_when_the_person_says_so(arcade: Arcade, tmp_path: Path) -> None:
    mark = tmp_path / "opened"
    done = arcade.run(
        *("login", "--no-browser", "--timeout", "1"), check=False, BROWSER=f"touch {mark} %s"
    )

    assert not mark.exists()
    assert "/login?" in done.stdout


def test_no_answer_in_time_ends_the_login(arcade: Arcade) -> None:
    done = arcade.run("login", "--no-browser", "--timeout", "0.2", check=False)

    assert (1, "Error: No answer came within 0.2 seconds. Run: arcade login\n") == (
        done.returncode,
        done.stderr,
    )
    assert_nothing_was_written(arcade)


def test_an_answer_that_came_too_late_is_told_in_the_browser_and_in_the_terminal(
    arcade: Arcade, waiting: Waiting
) -> None:
    arcade.cloud.code_seconds = 0

    page = httpx.get(waiting.answer())

    told = "The answer came too late: it is good for one minute."
    assert f"Login failed: {told} Close this window and look at the terminal." == text_of(page)
    assert (1, f"Error: {told}\n") == (waiting.end(), waiting.errors)
    assert_nothing_was_written(arcade)


def test_a_refusal_is_told_in_the_browser_and_in_the_terminal(
    arcade: Arcade, waiting: Waiting
) -> None:
    page = httpx.get(waiting.answer(decision="deny"))

    assert 400 == page.status_code
    assert "Login failed: The login was refused." in text_of(page)
    assert (1, "Error: The login was refused.\n") == (waiting.end(), waiting.errors)
    assert_nothing_was_written(arcade)


@pytest.mark.parametrize("state", [{}, {"state": ""}, {"state": "guessed"}, {"state": "\u00e9"}])
def test_a_forged_answer_changes_nothing_and_the_login_waits_on(
    arcade: Arcade, waiting: Waiting, state: dict[str, str]
) -> None:
    page = httpx.get(waiting.callback(code="evil", **state))

    assert 403 == page.status_code
    assert "Login failed: This answer does not belong to the login that waits." in text_of(page)
    assert [] == [r for r in arcade.cloud.requests if r.path == "/api/v1/auth/token"]
    assert_still_possible(arcade, waiting)
    assert "Ignored a request. This answer does not belong" in waiting.output


def test_the_right_state_beside_a_wrong_one_is_forged(arcade: Arcade, waiting: Waiting) -> None:
    address = waiting.callback(code="evil", state=waiting.asked["state"])

    assert 403 == httpx.get(f"{address}&state=guessed").status_code
    assert_still_possible(arcade, waiting)


@pytest.mark.parametrize(
    ("request_", "code", "told"),
    [
        (b"POST /callback HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi", 405, "Only a GET can answer"),
        (b"HEAD /callback HTTP/1.1\r\n\r\n", 405, "no-store"),
        (b"GET /elsewhere HTTP/1.1\r\n\r\n", 404, "There is nothing at this address."),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 404, "There is nothing at this address."),
        (b"GET /callback?" + b"x" * 9_000 + b" HTTP/1.1\r\n\r\n", 414, "was too large"),
        (b"GET /callback?" + b"x" * 900_000 + b" HTTP/1.1\r\n\r\n", 414, "was too large"),
        (b"GET /callback HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", 431, "was too large"),
        (b"POST /callback HTTP/1.1\r\n\r\n" + b"x" * 900_000, 405, "Only a GET can answer"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "Login failed"),
    ],
    ids=["post", "head", "path", "no-url", "target", "huge-target", "headers", "huge-body", "tls"],
)
def test_what_is_no_callback_is_answered_and_the_login_waits_on(
    arcade: Arcade, waiting: Waiting, request_: bytes, code: int, told: str
) -> None:
    answer = raw(arcade, request_)

    assert f" {code} " in answer.splitlines()[0]
    assert told in answer
    assert_still_possible(arcade, waiting)


def test_a_connection_that_says_nothing_holds_nobody(arcade: Arcade, waiting: Waiting) -> None:
    with socket.create_connection(("127.0.0.1", arcade.port)):
        assert_still_possible(arcade, waiting)


def test_an_answer_without_a_code_ends_the_login(arcade: Arcade, waiting: Waiting) -> None:
    page = httpx.get(waiting.callback(state=waiting.asked["state"]))

    assert "Login failed: The cloud's answer holds no code." in text_of(page)
    assert (1, "Error: The cloud's answer holds no code.\n") == (waiting.end(), waiting.errors)
    assert_nothing_was_written(arcade)


def test_a_code_that_the_cloud_does_not_know_ends_the_login(
    arcade: Arcade, waiting: Waiting
) -> None:
    page = httpx.get(waiting.callback(state=waiting.asked["state"], code="invented"))

    assert "Login failed: The cloud refused the login (400)." in text_of(page)
    assert 1 == waiting.end()
    assert_nothing_was_written(arcade)


def test_a_stolen_code_is_worth_nothing(arcade: Arcade, waiting: Waiting) -> None:
    query = httpx.URL(waiting.answer()).params
    form = {"code": query["code"], "redirect_uri": waiting.asked["redirect_uri"]}

    for verifier in ({}, {"code_verifier": waiting.asked["code_challenge"]}):
        stolen = httpx.post(f"{arcade.cloud.url}/api/v1/auth/token", data=form | verifier)
        assert 400 == stolen.status_code
    assert {} == arcade.cloud.keys


@pytest.mark.parametrize("trouble", ["error", "nonsense", "away"])
def test_a_cloud_in_trouble_ends_the_login(arcade: Arcade, waiting: Waiting, trouble: str) -> None:
    address = waiting.answer()
    match trouble:
        case "error":
            arcade.cloud.behave(status(500))
        case "nonsense":
            arcade.cloud.behave(status(200))
        case "away":
            arcade.cloud.stop()

    page = httpx.get(address)

    assert text_of(page).startswith("Login failed: ")
    assert 1 == waiting.end()
    assert "Error: " in waiting.errors
    assert "Traceback" not in waiting.errors
    assert_nothing_was_written(arcade)


def test_credentials_that_cannot_be_written_are_a_failed_login(
    arcade: Arcade, waiting: Waiting
) -> None:
    arcade.credentials.mkdir(parents=True)

    page = httpx.get(waiting.answer())

    assert text_of(page).startswith("Login failed: Cannot write ")
    assert 1 == waiting.end()
    assert [] == list(arcade.state.glob(".credentials*"))


def test_a_second_callback_is_told_that_the_login_has_ended(
    arcade: Arcade, waiting: Waiting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one comes for certain while the first is being dealt with."""
    release, trade = threading.Event(), arcade.cloud._trade
    monkeypatch.setattr(arcade.cloud, "_trade", lambda form: release.wait(30) and trade(form))
    address = waiting.answer()
    shown: list[httpx.Response] = []
    first = threading.Thread(target=lambda: shown.append(httpx.get(address, timeout=30)))
    first.start()
    arcade.cloud.wait_for(lambda: arcade.cloud.requests[-1].path == "/api/v1/auth/token")

    with socket.create_connection(("127.0.0.1", arcade.port), timeout=30) as second:
        target = address.partition(str(arcade.port))[2].encode()
        second.sendall(b"GET " + target + b" HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == second.recv(25)  # it was read
        release.set()
        answer = b"".join(iter(lambda: second.recv(65536), b"")).decode()
    first.join()

    assert " 410 " in answer.splitlines()[0]
    assert "This login has ended already." in answer
    assert text_of(shown[0]).startswith("Logged in: ")
    assert 0 == waiting.end()


def test_a_port_that_is_taken_is_named(arcade: Arcade, waiting: Waiting) -> None:
    done = arcade.run("login", "--no-browser", check=False)

    assert 1 == done.returncode
    assert f"Error: Port {arcade.port} is needed for the answer" in done.stderr
    assert "ARCADE_CALLBACK_PORT" in done.stderr
    assert_still_possible(arcade, waiting)


def test_ctrl_c_ends_the_login_and_frees_the_port(arcade: Arcade, waiting: Waiting) -> None:
    waiting.process.send_signal(signal.SIGINT)

    assert 130 == waiting.end()
    assert "Cancelled. Nothing was changed." in waiting.errors
    assert "Traceback" not in waiting.errors
    assert_nothing_was_written(arcade)
    event = arcade.last()
    assert ("login", 130) == (event["properties"]["command_name"], event["properties"]["exit_code"])
    assert "CLI execution failed" == event["event"]
    arcade.login()


def test_ctrl_c_while_the_cloud_is_asked_is_told_in_the_browser(
    arcade: Arcade, waiting: Waiting
) -> None:
    address = waiting.answer()
    arcade.cloud.behave(hang(), times=1)
    shown: list[httpx.Response] = []
    browser = threading.Thread(target=lambda: shown.append(httpx.get(address, timeout=30)))
    browser.start()
    arcade.cloud.wait_for(lambda: arcade.cloud.requests[-1].path == "/api/v1/auth/token")

    waiting.process.send_signal(signal.SIGINT)

    browser.join()
    assert 130 == waiting.end()
    assert "Login failed: The login was cancelled in the terminal." in text_of(shown[0])
    assert_nothing_was_written(arcade)
