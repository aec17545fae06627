"""The example's `arcade` on somebody's machine: the story of an identity, from outside."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from arcade_cli import places
from arcade_cli.errors import ArcadeError
from arcade_machine import EXAMPLE, Arcade, free_port, machine
from usage_core.testing.behaviour import answer, drip, hang, status
from usage_posthog.collector import Event


@pytest.fixture
def arcade(tmp_path: Path) -> Iterator[Arcade]:
    with machine(tmp_path) as arcade:
        yield arcade


def who(event: Event) -> tuple[str, bool]:
    return event["distinct_id"], event["properties"]["is_anon"]


def test_the_constants_are_arcades() -> None:
    assert "cloud.arcade.dev" == places.PROD_CLOUD_HOST
    assert "api.arcade.dev" == places.PROD_ENGINE_HOST
    assert "localhost" == places.LOCALHOST
    assert 9905 == places.LOCAL_AUTH_CALLBACK_PORT
    assert "https://cloud.arcade.dev" == places.cloud_url()
    assert "https://api.arcade.dev" == places.engine_url()
    assert "http://localhost:9905/callback" == places.callback_url()


def test_files_are_in_the_home_or_where_work_dir_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = Path.home()
    assert str(home / ".arcade" / "credentials.yaml") == places.credentials_file()
    assert str(home / ".arcade" / "usage.json") == places.usage_file()
    monkeypatch.setenv("ARCADE_WORK_DIR", str(tmp_path))
    assert str(tmp_path / ".arcade" / "credentials.yaml") == places.credentials_file()
    assert str(tmp_path / ".arcade" / "usage.json") == places.usage_file()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("arcade.example", "https://arcade.example"),
        ("arcade.example:8443", "https://arcade.example:8443"),
        ("http://arcade.example/", "http://arcade.example"),
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1", "http://127.0.0.1"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("localhost.example", "https://localhost.example"),
        ("[", "https://["),
    ],
)
def test_hosts_can_be_replaced(monkeypatch: pytest.MonkeyPatch, host: str, url: str) -> None:
    monkeypatch.setenv("ARCADE_CLOUD_HOST", host)
    monkeypatch.setenv("ARCADE_ENGINE_HOST", host)

    assert (url, url) == (places.cloud_url(), places.engine_url())


@pytest.mark.parametrize("port", ["x", "0", "65536", "-1"])
def test_a_port_that_is_none_is_said(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("ARCADE_CALLBACK_PORT", port)

    with pytest.raises(ArcadeError, match="ARCADE_CALLBACK_PORT"):
        places.callback_port()


def test_work_dir_moves_all_files(arcade: Arcade, tmp_path: Path) -> None:
    arcade.environ["ARCADE_WORK_DIR"] = str(tmp_path)
    arcade.run("show")
    arcade.collector.wait_for_events(1)

    assert (tmp_path / ".arcade" / "usage.json").exists()
    assert not arcade.state.exists()


def test_the_first_command_makes_an_anonymous_identity(arcade: Arcade) -> None:
    arcade.run("show")

    event = arcade.last()
    anon_id, linked = arcade.identity()
    assert 4 == UUID(anon_id).version
    assert None is linked
    assert (anon_id, True) == who(event)
    assert event["properties"]["$process_person_profile"] is False
    assert [] == arcade.asked()


def test_the_anonymous_id_stays(arcade: Arcade) -> None:
    for _ in range(3):
        arcade.run("show")

    assert {(arcade.identity()[0], True)} == {who(event) for event in arcade.captures()}
    assert 3 == len(arcade.captures())


def test_an_event_says_what_the_description_lists(arcade: Arcade) -> None:
    arcade.run("toolkit", "run", "math")

    event = arcade.last()
    found = event["properties"]
    assert "CLI execution succeeded" == event["event"]
    assert ("toolkit.run", "1.2.3") == (found["command_name"], found["cli_version"])
    assert "{}.{}.{}".format(*sys.version_info[:3]) == found["python_version"]
    assert {"os_type", "os_release"} <= set(found)
    assert 0 < found["duration"] == round(found["duration"], 2)
    assert "error_message" not in found


def test_a_failure_says_what_went_wrong(arcade: Arcade) -> None:
    done = arcade.run("toolkit", "run", "broken", check=False)

    event = arcade.last()
    told = "The toolkit 'broken' could not reach its service."
    assert (1, "", f"Error: {told}\n") == (done.returncode, done.stdout, done.stderr)
    assert "CLI execution failed" == event["event"]
    assert "toolkit.run" == event["properties"]["command_name"]
    assert told == event["properties"]["error_message"]
    assert 1 == event["properties"]["exit_code"]


def test_a_slow_command_has_its_duration(arcade: Arcade) -> None:
    arcade.run("toolkit", "run", "patience")

    assert 1000 <= arcade.last()["properties"]["duration"]


def test_a_login_links_before_its_own_event_leaves(arcade: Arcade) -> None:
    arcade.run("show")
    anon_id = arcade.last()["distinct_id"]

    arcade.login()

    arcade.settle()
    _, identified, link, event = arcade.collector.events
    assert ("$set", "principal-of-ada") == (identified["event"], identified["distinct_id"])
    assert ("$identify", "principal-of-ada") == (link["event"], link["distinct_id"])
    assert anon_id == link["properties"]["$anon_distinct_id"]
    assert ("principal-of-ada", False) == who(event)
    assert "login" == event["properties"]["command_name"]
    assert (anon_id, "principal-of-ada") == arcade.identity()


def test_after_a_login_nobody_is_asked_again(arcade: Arcade) -> None:
    arcade.login()
    arcade.settle()
    asked = len(arcade.asked())

    for _ in range(3):
        arcade.run("show")

    assert {("principal-of-ada", False)} == {who(event) for event in arcade.captures()}
    assert not any("$process_person_profile" in e["properties"] for e in arcade.captures())
    assert 1 == asked == len(arcade.asked())
    assert 1 == sum(event["event"] == "$identify" for event in arcade.collector.events)


def test_a_logout_is_the_persons_last_event_and_rotates(arcade: Arcade) -> None:
    arcade.login()
    anon_id, _ = arcade.identity()

    assert "Logged out.\n" == arcade.run("logout").stdout
    arcade.run("show")

    logout, after = arcade.captures()[-2:]
    assert ("principal-of-ada", False) == who(logout)
    assert "logout" == logout["properties"]["command_name"]
    assert arcade.identity()[0] != anon_id
    assert None is arcade.identity()[1]
    assert (arcade.identity()[0], True) == who(after)
    assert not arcade.credentials.exists()


def test_a_logout_of_nobody_rotates_nothing(arcade: Arcade) -> None:
    arcade.run("show")
    arcade.settle()
    before = arcade.identity()

    assert "Nobody was logged in.\n" == arcade.run("logout").stdout

    assert (before[0], True) == who(arcade.last())
    assert before == arcade.identity()


def test_credentials_that_appear_by_another_way_are_linked_with_the_next_command(
    arcade: Arcade,
) -> None:
    arcade.run("show")
    anon_id = arcade.last()["distinct_id"]
    arcade.cloud.keys["made-elsewhere"] = "principal-of-ada"

    arcade.write_credentials("made-elsewhere")
    arcade.run("show")

    arcade.settle()
    assert ["$set", "$identify", "CLI execution succeeded"] == [
        event["event"] for event in arcade.collector.events[1:]
    ]
    assert ("principal-of-ada", False) == who(arcade.last())
    assert (anon_id, "principal-of-ada") == arcade.identity()


def test_an_oauth_token_of_a_newer_arcade_is_understood(arcade: Arcade) -> None:
    arcade.cloud.tokens["token"] = {"account_id": "principal-of-ada"}
    arcade.state.mkdir()
    arcade.credentials.write_text("cloud:\n  auth:\n    access_token: token\n")

    assert "(principal-of-ada)" in arcade.run("whoami").stdout
    assert ("principal-of-ada", False) == who(arcade.last())


def test_another_account_after_a_logout_shares_nothing_with_the_first(arcade: Arcade) -> None:
    arcade.login("ada@example.com")
    first, _ = arcade.identity()
    arcade.run("logout")
    arcade.login("bob@example.com")
    arcade.settle()

    second, principal = arcade.identity()
    links = [event for event in arcade.collector.events if event["event"] == "$identify"]
    assert "principal-of-bob" == principal
    assert [(first, "principal-of-ada"), (second, "principal-of-bob")] == [
        (link["properties"]["$anon_distinct_id"], link["distinct_id"]) for link in links
    ]
    assert first != second


def test_another_account_without_a_logout_shares_nothing_either(arcade: Arcade) -> None:
    arcade.login("ada@example.com")
    first, _ = arcade.identity()
    arcade.login("bob@example.com")
    arcade.settle()

    second, principal = arcade.identity()
    assert ("principal-of-bob", True) == (principal, first != second)
    assert ("principal-of-bob", False) == who(arcade.last())


@pytest.mark.parametrize("trouble", [status(500), status(401), hang(), drip(0.2)])
def test_a_cloud_that_does_not_answer_costs_nothing_but_the_link(
    arcade: Arcade, trouble: object
) -> None:
    """The 2 s are the worker's: the command has ended before anybody is asked."""
    arcade.cloud.keys["made-elsewhere"] = "principal-of-ada"
    arcade.write_credentials("made-elsewhere")
    arcade.cloud.behave(trouble)  # type: ignore[arg-type]  # parametrised

    arcade.run("show")
    began = time.monotonic()

    assert (arcade.identity()[0], True) == who(arcade.last())
    assert time.monotonic() - began < 8
    arcade.rest()
    arcade.cloud.behave(answer())
    arcade.run("show")
    assert ("principal-of-ada", False) == who(arcade.last())


def test_when_the_collector_is_away_a_login_is_safe_and_delivered_later(arcade: Arcade) -> None:
    arcade.collector.behave(status(503, retry_after=1))
    arcade.login()
    arcade.collector.behave(answer())
    arcade.run("usage", "flush")

    arcade.settle()
    assert "$identify" in [event["event"] for event in arcade.collector.events]
    assert ("principal-of-ada", False) == who(arcade.last())


def test_off_means_no_file_and_no_event_but_the_tool_works(arcade: Arcade) -> None:
    arcade.environ["ARCADE_USAGE_TRACKING"] = "0"

    assert "42\n" == arcade.run("toolkit", "run", "math").stdout
    arcade.login()
    arcade.run("whoami")

    assert ["credentials.yaml"] == [path.name for path in arcade.state.iterdir()]
    arcade.run("logout")
    assert [] == list(arcade.state.iterdir())
    assert (0, ()) == (arcade.collector.connections, arcade.collector.events)


def test_without_a_project_key_nothing_is_recorded(arcade: Arcade) -> None:
    arcade.run("show", ARCADE_POSTHOG_KEY="")

    assert not arcade.state.exists()


def test_many_first_commands_at_once_make_one_identity_and_lose_no_event(arcade: Arcade) -> None:
    command = [sys.executable, "-m", "arcade_cli", "show"]
    environment = arcade.environment()
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(8)
    ]
    assert [0] * 8 == [process.wait(60) for process in running]

    arcade.collector.wait_for_events(8)
    assert {(arcade.identity()[0], True)} == {who(event) for event in arcade.captures()}
    assert 8 == len({event["uuid"] for event in arcade.captures()})


def test_the_commands_do_what_they_say(arcade: Arcade) -> None:
    arcade.login()

    assert "ada@example.com (principal-of-ada)\n" == arcade.run("whoami").stdout
    assert "The engine is healthy.\n" == arcade.run("engine", "health").stdout
    assert {"math", "patience", "broken"} <= set(arcade.run("show").stdout.split())
    arcade.run("new", "my_tools")
    assert "def run()" in (arcade.home / "my_tools" / "tool.py").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["whoami"], "Nobody is logged in. Run: arcade login"),
        (["toolkit", "run", "nothing"], "There is no toolkit 'nothing'. See: arcade show"),
        (["new", "Not A Name"], "A toolkit's name is lower-case letters, digits and '_'."),
        (["engine", "health"], "The engine is not well (503)."),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arcade: Arcade, words: list[str], told: str
) -> None:
    arcade.cloud.behave(status(503))

    done = arcade.run(*words, check=False)

    assert (1, "", f"Error: {told}\n") == (done.returncode, done.stdout, done.stderr)
    assert ".".join(words[:-1]) in arcade.last()["properties"]["command_name"]


@pytest.mark.parametrize("content", ["", "[]", "cloud: 5", "{", "\x00", "cloud: {api: {}}"])
def test_credentials_that_cannot_be_read_are_said_in_one_line(arcade: Arcade, content: str) -> None:
    arcade.state.mkdir()
    arcade.credentials.write_text(content)

    done = arcade.run("whoami", check=False)

    assert 1 == done.returncode
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_a_key_that_was_withdrawn_is_said(arcade: Arcade) -> None:
    arcade.login()
    arcade.cloud.keys.clear()

    done = arcade.run("whoami", check=False)

    assert "Error: The API key is no longer valid. Run: arcade login\n" == done.stderr


def test_the_usage_commands_are_mounted(arcade: Arcade) -> None:
    arcade.run("show")
    arcade.settle()

    told = arcade.run("usage", "status").stdout
    assert str(arcade.state) in told
    arcade.run("usage", "disable")
    before = len(arcade.collector.events)
    arcade.run("show")
    assert before == len(arcade.collector.events)


def test_the_local_cloud_starts_with_one_command_and_says_how_to_use_it(arcade: Arcade) -> None:
    ports = ["--port", str(free_port()), "--collector-port", str(free_port())]
    command = [sys.executable, "-m", "arcade_cloud", *ports]
    environment = arcade.environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as cloud:
        try:
            assert cloud.stdout
            said = {}
            for line in cloud.stdout:
                name, is_setting, value = line.removeprefix("export ").strip().partition("=")
                if is_setting:
                    said[name] = value
                if line.startswith("What was collected"):
                    break
            arcade.environ.update(said)
            arcade.login()
            whoami = arcade.run("whoami").stdout
            arcade.settle()
        finally:
            cloud.terminate()

    assert "ada@example.com (principal-of-ada)\n" == whoami
    assert (0, ()) == (arcade.cloud.connections, arcade.collector.events)


def test_every_test_that_the_readme_names_exists() -> None:
    readme = (EXAMPLE / "README.md").read_text()
    tests = {
        f"{path.name}::{line.split('(')[0].removeprefix('def ')}"
        for path in Path(__file__).parent.glob("test_*.py")
        for line in path.read_text().splitlines()
        if line.startswith("def test_")
    }
    named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", readme))

    assert len(named) > 30
    assert set() == named - tests


def test_usage_json_has_the_two_keys_of_the_description_and_may_have_more(arcade: Arcade) -> None:
    arcade.login()
    arcade.settle()

    found = json.loads((arcade.state / "usage.json").read_text())
    assert ["anon_id", "linked_principal_id"] == list(found)[:2]
