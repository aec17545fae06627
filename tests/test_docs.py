"""Every code block of the documentation does what the page says, when a reader follows the page.

The blocks of a page are taken in their order, in one folder, as one reader would. A block of code
is written to the file that its first line names; a console block is typed into a shell, and what
it prints is compared with what the page shows, where `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib.metadata import entry_points, version
from pathlib import Path

import attrs
import pytest

from cli import clean_environment, wait_until

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if "```" in page.read_text())
PORT = "8010"  # the pages' collector


@attrs.define
class Reader:
    """Somebody who follows a page: a folder, a home, and what was left running."""

    folder: Path
    port: str
    running: list[subprocess.Popen[str]] = attrs.field(factory=list)

    def follow(self, language: str, code: str) -> None:
        code = code.replace(PORT, self.port)
        if language == "console":
            for command, shown in commands(code):
                self.type(command, shown)
            return
        first = re.match(r"(?:#|//|;) file: (\S+)\n", code)
        assert first, f"this block is not run, and names no file:\n{code}"
        path = self.folder / first[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)

    def type(self, command: str, shown: str) -> None:
        if command.startswith(("pip install", "python -m pip install")):
            for name in re.findall(r"usage[-\w]+", command):
                assert version(name)
            return
        if command.endswith(" &"):
            self.start(command.removesuffix(" &"))
            return
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=60,
            check=False,
        )
        said, shown = plain(done.stdout), plain(shown)
        pattern = shown.replace("[", "[[]").replace("?", "[?]").replace("…", "*")
        assert fnmatchcase(said, pattern), f"$ {command}\n{said}\nThe page shows:\n{shown}"

    def start(self, command: str) -> None:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.running.append(process)
        wait_until(lambda: is_open(int(self.port)), f"{command} does not listen")

    @property
    def environ(self) -> dict[str, str]:
        own = clean_environment(self.folder / "home")
        path = f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"
        return own | {"PATH": path, "TERM": "dumb", "COLUMNS": "100", "NO_COLOR": "1"}


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    block = re.compile(r"^```([\w{}-]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    for found in block.finditer(page.read_text()):
        yield found[1], found[2]


def commands(block: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.split("\n", 1)
        yield re.sub(r"\s+# .*$", "", lines[0]), lines[1] if len(lines) > 1 else ""


def plain(text: str) -> str:
    lines = (line.rstrip() for line in text.strip().splitlines())
    return "\n".join(re.sub(r" {2,}", "  ", line) for line in lines)


def is_open(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> str:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return str(tried.getsockname()[1])


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "home").mkdir(exist_ok=True)
    reader = Reader(tmp_path, free_port())
    yield reader
    for process in reader.running:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_comes_out_as_it_says(page: Path, reader: Reader) -> None:
    for language, code in blocks(page):
        if language != "text" and not language.startswith("{"):
            reader.follow(language, code)


def test_the_links_lead_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_transports_that_the_pages_name_are_installed() -> None:
    built_on_a_page = {"lines"}
    installed = entry_points(group="usage.transports").names | built_on_a_page
    pages = "".join(page.read_text() for page in DOCS.glob("*.md"))

    assert set(re.findall(r"USAGE_TRANSPORT=(\w+)", pages)) <= installed
