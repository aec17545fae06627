"""What is private does not leave the machine in an error message, and what is useful does.

`python tests/test_scrubbing.py` prints the figures and the known misses of docs/scrubbing.md.
"""

from __future__ import annotations

import json
import random
import re
import string
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usage_core._error import describe_error
from usage_core._scrub import scrub

_HERE = Path(__file__).parent
_PAGE = _HERE.parent / "docs" / "scrubbing.md"
_DATA = tomllib.loads((_HERE / "data" / "error_messages.toml").read_text("utf-8"))
_ALPHABETS = {
    "base32": string.ascii_uppercase + "234567",
    "base62": string.ascii_letters + string.digits,
    "base64": string.ascii_letters + string.digits + "+/",
    "base64url": string.ascii_letters + string.digits + "-_",
    "hex": string.hexdigits[:16],
    "letters": string.ascii_letters,
}


@attrs.frozen
class Message:
    """One message of the corpus, its keys drawn."""

    kind: str
    text: str
    home: str
    user: str
    gone: list[str]
    missed: list[str]
    kept: list[str]
    lost: list[str]

    def scrubbed(self) -> str:
        return scrub(self.text, home=self.home, user=self.user)


def draw(key: str, seed: int = 0) -> str:
    """Return an invented key of the shape that the corpus gives under this name."""
    shape = _DATA["keys"][key]
    chance = random.Random(f"{key} {seed}")
    drawn = "".join(chance.choices(_ALPHABETS[shape["of"]], k=shape["length"]))
    return "".join([*shape["begins"], drawn, shape.get("ends", "")])


def messages() -> list[Message]:
    return [_message(entry) for entry in _DATA["message"]]


def _message(entry: dict[str, Any]) -> Message:
    def filled(text: str) -> str:
        return re.sub("«(\\w+)»", lambda match: draw(match[1]), text)

    def parts(name: str) -> list[str]:
        return [filled(part) for part in entry.get(name, [])]

    text, kept = filled(entry["text"]), parts("kept")
    if entry["kind"] == "harmless" and not kept:
        kept = [text]
    person = _DATA["people"][entry.get("system", "linux")]
    return Message(
        kind=entry["kind"],
        text=text,
        home=person["home"],
        user=person["user"],
        gone=parts("gone"),
        missed=parts("missed"),
        kept=kept,
        lost=parts("lost"),
    )


def counts() -> str:
    """Return the table of docs/scrubbing.md: what of the corpus survives and what does not."""
    rows = ["| messages | | private parts | of these missed | useful parts | of these lost |"]
    rows.append("|---|---|---|---|---|---|")
    everything = messages()
    for kind in [*dict.fromkeys(message.kind for message in everything), "all"]:
        those = [message for message in everything if kind in (message.kind, "all")]
        leaks = [p for m in those for p in m.gone + m.missed if p in m.scrubbed()]
        losses = [p for m in those for p in m.kept + m.lost if p not in m.scrubbed()]
        private = sum(len(m.gone + m.missed) for m in those)
        useful = sum(len(m.kept + m.lost) for m in those)
        figures = (kind, len(those), private, len(leaks), useful, len(losses))
        rows.append(f"| {' | '.join(map(str, figures))} |")
    return "\n".join(rows)


def surviving_draws() -> dict[str, int]:
    """Return for each shape of key how many of 200 draws survive where nothing announces them."""
    return {
        key: sum(one in scrub(f"No such command '{one}'.", home="", user="") for one in drawn)
        for key in _DATA["keys"]
        if key != "short"
        for drawn in [[draw(key, seed) for seed in range(200)]]
    }


def draws() -> str:
    """Return the sentence of docs/scrubbing.md on keys of which nothing but chance is known."""
    found = surviving_draws()
    some = ", ".join(f"{key} {n}" for key, n in found.items() if n)
    return f"{len(found)} shapes of keys, 200 draws of each; survivors: {some or 'none'}."


def survivors() -> str:
    """Return the known misses and losses of docs/scrubbing.md, before and after."""
    lines = []
    for title, name in (("Missed", "missed"), ("Lost", "lost")):
        lines += [f"{title}:", ""]
        for message in messages():
            if parts := getattr(message, name):
                shown = ", ".join(f"`{part}`" for part in parts)
                lines.append(f"- {shown} in `` {message.text} ``")
        lines.append("")
    return "\n".join(lines).strip().replace(draw("short"), "«short»")


def ids(message: Message) -> str:
    return message.text[:60].encode("ascii", "replace").decode()


@pytest.mark.parametrize("message", messages(), ids=ids)
def test_what_is_private_goes_and_what_is_useful_stays(message: Message) -> None:
    scrubbed = message.scrubbed()
    survived = [part for part in message.gone if part.lower() in scrubbed.lower()]
    suffered = [part for part in message.kept if part not in scrubbed]
    assert (survived, suffered) == ([], []), scrubbed


@pytest.mark.parametrize(
    "message", [message for message in messages() if message.missed + message.lost], ids=ids
)
def test_a_published_weakness_is_still_one(message: Message) -> None:
    scrubbed = message.scrubbed()
    assert [part for part in message.missed if part not in scrubbed] == []
    assert [part for part in message.lost if part in scrubbed] == []


def test_the_page_publishes_the_counts_and_the_weaknesses() -> None:
    page = _PAGE.read_text("utf-8")
    assert counts() in page
    assert draws() in page
    assert survivors() in page


def test_the_corpus_is_large_and_every_part_stands_in_its_message() -> None:
    corpus = messages()
    assert len([m for m in corpus if m.gone]) >= 120
    assert len([m for m in corpus if m.kind == "harmless" and not m.lost]) >= 30
    assert {entry.get("system", "linux") for entry in _DATA["message"]} == set(_DATA["people"])
    for m in corpus:
        readable = " ".join(m.text.split())
        strays = [p for p in m.gone + m.missed + m.kept + m.lost if p not in m.text]
        assert [stray for stray in strays if stray not in readable.replace("\0", " ")] == [], m


def test_a_key_with_a_prefix_goes_however_it_is_drawn() -> None:
    marked = {key for key, shape in _DATA["keys"].items() if len("".join(shape["begins"])) > 1}
    assert len(marked) > 30
    assert {key: n for key, n in surviving_draws().items() if key in marked and n} == {}


_HOSTILE = (
    "/ \\ \\\\ ' \" ` @ %40 . : :: - -- = ; < > ? # ~ C:\\ :// http:// file:// arn:aws: jdbc:x: "
    "password password= token: cookie=a= host= user= bearer -----BEGIN Authorization: 10.0.0.1 "
    "Traceback \x1b[ \x1b] \x1b \0 \n \r\n \t \x85 \u2028 \u200b \u202e \ud800 \udcff é anna "
    "<path> <user> <secret>"
)
_PIECES = st.sampled_from([m.text for m in messages()] + _HOSTILE.split(" "))
_TEXTS = st.text() | st.lists(_PIECES | st.text(max_size=5)).map("".join)
_HOMES = st.sampled_from(["/home/anna", "/", "", "~", "C:\\Users\\Anna B", "/a/path", "\\\\x\\y"])


@settings(deadline=None)
@given(_TEXTS, _HOMES | st.text(), st.sampled_from(["anna", "path", "", "x"]) | st.text())
@example(" " * 5000, "/home/anna", "anna")
@example("x" * 5000, "/home/anna", "anna")
def test_any_text_becomes_one_short_line_that_stays_as_it_is(
    text: str, home: str, user: str
) -> None:
    """For every message, home and user: scrub(scrub(m)) == scrub(m), one line, 300 at most."""
    scrubbed = scrub(text, home=home, user=user)
    assert scrub(scrubbed, home=home, user=user) == scrubbed
    assert len(scrubbed) <= 300
    assert len(scrubbed.splitlines()) <= 1
    assert scrubbed.isprintable()
    assert scrubbed.encode().decode() == scrubbed


@settings(deadline=None)
@given(st.lists(st.sampled_from(["tool", "failed:", "(x)", "for", "\n", "-"])), st.integers(0, 999))
def test_a_key_goes_whatever_stands_around_it(words: list[str], seed: int) -> None:
    """For every key of a vendor and words around it: the key is not in what is sent."""
    key = draw("github", seed)
    around = " ".join(words)
    assert key[-20:] not in scrub(f"{around} {key} {around}", home="", user="")


@pytest.mark.parametrize(
    "part", ["a/", "'/", "a.", "user=", "host=", "a@", "1:", "password=\\", "/a b "]
)
def test_a_message_made_to_be_slow_is_not(part: str) -> None:
    """Were one pattern to try again from the start at each turn, this would not end."""
    assert len(scrub(part * 100_000, home="/home/anna", user="anna")) <= 300


def test_half_a_key_at_the_end_of_what_is_read_goes_too() -> None:
    key = draw("github")
    padding = "-----BEGIN X-----" + "a " * ((4000 - 17 - 17 - 10) // 2) + "-----END X----- "
    assert len(padding) < 4000
    assert key[:8] not in scrub(padding + key, home="", user="")


def test_the_home_folder_and_the_user_are_those_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in {"HOME": "/weird/Anna B", "USERPROFILE": "/weird/Anna B"}.items():
        monkeypatch.setenv(variable, value)
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, "annab")
    assert "<path> is not of <user>" == scrub("/weird/Anna B/x is not of annab")


def test_a_role_that_many_share_is_not_taken_for_a_person() -> None:
    assert "root may not run this" == scrub("root may not run this", home="/root", user="root")


def test_scrubbing_loads_nothing_but_what_any_command_has_loaded() -> None:
    code = (
        "import json, os, re, sys; before = {*sys.modules, '__future__'}\n"
        "from usage_core._scrub import scrub\n"
        f"for text in {[m.text for m in messages()]!r}: scrub(text)\n"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert [name for name in json.loads(done.stdout) if not name.startswith("usage_core")] == []


def test_with_errors_type_no_word_of_the_message_is_sent() -> None:
    about = describe_error(ValueError("the merger with Initech"), "type")
    assert {"error_type": "ValueError", "error_message": "ValueError"} == about


@pytest.mark.parametrize("errors", ["message", "type"])
def test_a_usage_label_is_sent_in_place_of_the_message(errors: str) -> None:
    error = ValueError("the merger with Initech")
    error.usage_label = "quota exceeded"  # type: ignore[attr-defined]  # how an author labels one
    about = describe_error(error, errors)
    assert {"error_type": "ValueError", "error_message": "quota exceeded"} == about


if __name__ == "__main__":
    sys.stdout.write(f"{counts()}\n\n{draws()}\n\n{survivors()}\n")
