"""Arcade's own `UsageIdentity` and ours, on the same files: each reads what the other wrote.

Needs arcade-core: `python3 noxfile.py -s arcade-original` brings it.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arcade_machine import Arcade, machine

if importlib.util.find_spec("arcade_core") is None:
    pytest.skip(
        "arcade-core is not installed: python3 noxfile.py -s arcade-original",
        allow_module_level=True,
    )

DRIVER = """
import json, sys
from arcade_core.usage.identity import UsageIdentity

verb, *words = sys.argv[1:]
identity = UsageIdentity()
identity.load_or_create()
if verb == "link":
    identity.set_linked_principal_id(words[0])
elif verb == "reset":
    identity.reset_to_anonymous()
elif verb == "watch":
    print("watching", flush=True)
    seen = []
    for _ in range(int(words[0])):
        fresh = UsageIdentity()
        fresh.load_or_create()
        if not seen or seen[-1] != fresh.anon_id:
            seen.append(fresh.anon_id)
    print(json.dumps(seen))
    raise SystemExit
print(json.dumps({
    "anon_id": identity.anon_id,
    "distinct_id": identity.get_distinct_id(),
    "principal_id": identity.get_principal_id(),
    "should_alias": identity.should_alias(),
}))
"""


@pytest.fixture
def arcade(tmp_path: Path) -> Iterator[Arcade]:
    with machine(tmp_path) as arcade:
        yield arcade


def command(*words: str) -> list[str]:
    return [sys.executable, "-c", DRIVER, *words]


def environment(arcade: Arcade) -> dict[str, str]:
    # This version of the original means the folder itself by it, not the one above.
    return arcade.environment(ARCADE_WORK_DIR=str(arcade.state))


def original(arcade: Arcade, *words: str) -> dict[str, object]:
    """Have the original do something, and return who it then says it is."""
    arcade.settle()
    done = subprocess.run(
        command(*words),
        env=environment(arcade),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def ours(arcade: Arcade) -> tuple[str, str | None]:
    """Have ours record a command; return the two values, which its event agrees with."""
    arcade.run("show")
    event = arcade.last()
    anon_id, linked = arcade.identity()
    assert event["distinct_id"] == (linked or anon_id)
    assert event["properties"]["is_anon"] is (linked is None)
    return anon_id, linked


def test_we_go_on_under_the_anonymous_id_that_the_original_made(arcade: Arcade) -> None:
    theirs = original(arcade, "look")

    assert (theirs["anon_id"], None) == ours(arcade)


def test_the_original_goes_on_under_the_anonymous_id_that_we_made(arcade: Arcade) -> None:
    anon_id, _ = ours(arcade)

    theirs = original(arcade, "look")
    assert (anon_id, anon_id) == (theirs["anon_id"], theirs["distinct_id"])
    assert anon_id == arcade.identity()[0]


def test_the_original_knows_whom_we_linked_and_links_nobody_again(arcade: Arcade) -> None:
    arcade.login()
    arcade.settle()

    theirs = original(arcade, "look")
    assert "principal-of-ada" == theirs["distinct_id"] == theirs["principal_id"]
    assert theirs["should_alias"] is False


def test_we_know_whom_the_original_linked(arcade: Arcade) -> None:
    arcade.cloud.keys["key"] = "principal-of-ada"
    arcade.write_credentials("key")
    theirs = original(arcade, "link", "principal-of-ada")

    assert (theirs["anon_id"], "principal-of-ada") == ours(arcade)


def test_the_original_reads_the_credentials_that_our_login_wrote(arcade: Arcade) -> None:
    arcade.environ["ARCADE_USAGE_TRACKING"] = "0"
    arcade.login()
    assert not (arcade.state / "usage.json").exists()

    theirs = original(arcade, "look")
    assert "principal-of-ada" == theirs["principal_id"]
    assert theirs["should_alias"] is True


def test_after_our_logout_the_original_is_someone_new(arcade: Arcade) -> None:
    arcade.login()
    before = arcade.identity()[0]
    arcade.run("logout")

    theirs = original(arcade, "look")
    assert theirs["anon_id"] == theirs["distinct_id"] != before
    assert None is theirs["principal_id"]


def test_after_the_originals_logout_we_are_someone_new(arcade: Arcade) -> None:
    arcade.login()
    before = arcade.identity()[0]
    arcade.credentials.unlink()
    theirs = original(arcade, "reset")

    anon_id, linked = ours(arcade)
    assert (theirs["anon_id"], None) == (anon_id, linked)
    assert before != anon_id


def test_what_we_keep_beside_the_two_keys_survives_the_originals_link(arcade: Arcade) -> None:
    arcade.login()
    arcade.settle()
    kept = json.loads((arcade.state / "usage.json").read_text())

    original(arcade, "link", "principal-of-ada")

    assert kept == json.loads((arcade.state / "usage.json").read_text())


def test_taking_turns_they_agree_after_every_turn(arcade: Arcade) -> None:
    """Two accounts, three anonymous ids; whoever acts, the other goes on from there."""
    anonymous = [original(arcade, "look")["anon_id"]]
    assert (anonymous[0], None) == ours(arcade)
    for turn, email in enumerate(["ada@example.com", "bob@example.com"]):
        principal = f"principal-of-{email[:3]}"
        arcade.login(email)
        assert principal == original(arcade, "look")["distinct_id"]
        assert (anonymous[-1], principal) == ours(arcade)
        if turn == 0:
            arcade.run("logout")
        else:
            arcade.credentials.unlink()
            original(arcade, "reset")
        anonymous.append(original(arcade, "look")["anon_id"])
        assert (anonymous[-1], None) == ours(arcade)

    assert 3 == len(set(anonymous))


def test_the_original_never_reads_half_a_file_while_we_write(arcade: Arcade) -> None:
    """What it cannot read it replaces by someone new, so every id that it saw must be ours."""
    arcade.login()
    known = {arcade.identity()[0]}
    with subprocess.Popen(
        command("watch", "30000"), env=environment(arcade), stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        assert "watching\n" == watching.stdout.readline()
        for email in ("bob@example.com", "ada@example.com"):
            arcade.login(email)
            known.add(arcade.identity()[0])
        seen = set(json.loads(watching.stdout.readline()))

    assert seen <= known
    assert 3 == len(known)
