"""One transport by its name, every other plug-in by the way; none of them can hurt anybody."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import run
from textwrap import dedent

import pytest

from cli import Toolbox, wait_until
from faults.table import came_elsewhere
from usage_core.testing.behaviour import answer, refuse


@pytest.fixture
def site(tmp_path: Path, toolbox: Toolbox) -> Path:
    """A folder that distributions can be installed into, next to the core."""
    site = tmp_path / "site"
    site.mkdir()
    toolbox.environ["PYTHONPATH"] = str(site)
    return site


def install(site: Path, distribution: str, module: str, source: str, **points: str) -> None:
    """Install a distribution of one module; *points* are its entry points, group → name."""
    (site / f"{module}.py").write_text(dedent(source))
    information = site / f"{distribution}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
    )
    lines = [f"[{group.replace('_', '.')}]\n{name} = {module}\n" for group, name in points.items()]
    (information / "entry_points.txt").write_text("\n".join(lines))


FILE_TRANSPORT = """
    from pathlib import Path
    from usage_core import Runs, Transport, hookimpl

    class FileTransport(Transport):
        def __init__(self, path):
            self.path = Path(path)

        def send(self, batch, *, timeout):
            with self.path.open("a") as file:
                for message in batch:
                    print(type(message).__name__, message.distinct_id, file=file)

    @hookimpl
    def usage_transport(options):
        return FileTransport(options["path"])
"""


def test_an_installed_transport_is_found_by_its_name(toolbox: Toolbox, site: Path) -> None:
    out = site / "out.txt"
    install(site, "usage-file", "usage_file", FILE_TRANSPORT, usage_transports="file")
    toolbox.settings.update(transport="file", options={"path": str(out)})
    toolbox.run("login", "alice")
    toolbox.settle()

    assert ["Alias alice", "Capture alice"] == out.read_text().splitlines()
    assert not toolbox.collector.requests


@pytest.mark.fault("output", "a transport that is not installed", "the author names it")
def test_an_unknown_transport_is_told_where_a_person_looks_and_nothing_is_lost(
    toolbox: Toolbox, site: Path
) -> None:
    out = site / "out.txt"
    toolbox.settings.update(transport="file", options={"path": str(out)})
    done = toolbox.run("ok", "one")
    wait_until(lambda: "no transport named 'file' is installed" in str(toolbox.health()))
    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert "pip install usage-file" in str(toolbox.health())

    install(site, "usage-file", "usage_file", FILE_TRANSPORT, usage_transports="file")
    toolbox.end_pause()
    toolbox.run("ok", "two")
    toolbox.settle()
    assert 2 == len(out.read_text().splitlines())
    came_elsewhere(*out.read_text().splitlines())


@pytest.mark.fault(
    "output",
    "a third-party wheel claims an installed transport's name",
    "an installed distribution",
)
def test_a_name_that_two_distributions_claim_is_given_to_neither(
    toolbox: Toolbox, site: Path
) -> None:
    install(site, "usage-evil", "usage_evil", FILE_TRANSPORT, usage_transports="posthog")
    toolbox.run("ok", "one")
    wait_until(lambda: "several distributions provide" in str(toolbox.health()))

    assert "usage-evil" in str(toolbox.health())
    assert 1 == len(toolbox.records())
    assert not toolbox.collector.requests


@pytest.mark.parametrize(
    "source",
    [
        "raise RuntimeError('at import')",
        "import sys; sys.exit(3)",
        "this is no python",
        """
        from usage_core import hookimpl

        @hookimpl
        def usage_delivered(messages):
            raise SystemExit

        @hookimpl
        def usage_identity_changed(before, after, fact):
            print(1 / 0)

        @hookimpl
        def usage_principal(credential, timeout):
            raise ValueError("no idea")
        """,
    ],
    ids=["raises", "exits", "no-python", "hooks-raise"],
)
def test_a_broken_plug_in_stops_nobody(toolbox: Toolbox, site: Path, source: str) -> None:
    install(site, "broken", "broken", source, usage="broken")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()
    wait_until(lambda: "plug-in broken" in str(toolbox.health()))


@pytest.mark.fault("output", "a plug-in that hangs", "an installed distribution")
def test_a_plug_in_that_hangs_stops_nobody(toolbox: Toolbox, site: Path) -> None:
    source = """
        import time
        from usage_core import hookimpl

        @hookimpl
        def usage_principal(credential, timeout):
            time.sleep(60)
        """
    install(site, "hung", "hung", source, usage="hung")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert ["one"] == toolbox.names()


@pytest.mark.fault(
    "processes", "a record on which every worker dies", "a plug-in that calls os._exit"
)
def test_a_record_on_which_three_workers_died_is_set_aside(toolbox: Toolbox, site: Path) -> None:
    source = """
        import os
        from usage_core import hookimpl

        @hookimpl
        def usage_before_send(message):
            if message.properties["command_name"] == "deadly":
                os._exit(1)
            return message
        """
    install(site, "deadly", "deadly", source, usage="deadly")
    toolbox.collector.behave(refuse())
    toolbox.run("ok", "first")
    toolbox.wait_for_failure()
    toolbox.collector.behave(answer())
    for name in ("deadly", "last"):
        toolbox.run("ok", name)
    for _ in range(5):
        toolbox.end_pause()
        toolbox.run("ok", "again")
        wait_until(lambda: toolbox.worker() is None)
    toolbox.settle()

    assert "deadly" not in toolbox.names()
    assert {"first", "last", "again"} == set(toolbox.names())
    assert 7 == len(toolbox.names())
    assert "three workers died of it" in str(toolbox.health())


def test_a_message_leaves_as_the_plug_ins_made_it_or_not_at_all(
    toolbox: Toolbox, site: Path
) -> None:
    source = """
        import attrs
        from usage_core import hookimpl

        @hookimpl
        def usage_before_send(message):
            name = message.properties["command_name"]
            if name == "dropped":
                return None
            if name == "raises":
                raise ValueError
            return attrs.evolve(message, properties={"command_name": name.upper()})
        """
    install(site, "redact", "redact", source, usage="redact")
    for name in ("kept", "dropped", "raises"):
        toolbox.run("ok", name)
    toolbox.settle()

    assert ["KEPT"] == toolbox.names()
    assert "colour" not in toolbox.captures()[0]["properties"]


def test_plug_ins_are_told_what_became_of_messages_and_of_the_identity(
    toolbox: Toolbox, site: Path
) -> None:
    told = site / "told.txt"
    source = f"""
        from usage_core import hookimpl

        def tell(*words):
            with open({str(told)!r}, "a") as file:
                print(*words, file=file)

        @hookimpl
        def usage_delivered(messages):
            events = [message for message in messages if hasattr(message, "event")]
            tell("delivered", *(event.properties["command_name"] for event in events))

        @hookimpl
        def usage_undeliverable(messages, reason):
            tell("undeliverable", *(m.properties["command_name"] for m in messages), reason[:8])

        @hookimpl
        def usage_identity_changed(before, after, fact):
            tell("changed", type(before).__name__, type(after).__name__, fact.kind)
        """
    install(site, "listener", "listener", source, usage="listener")
    toolbox.collector.reject(lambda e: e["properties"].get("command_name") == "bad", status=400)
    for words in (("ok", "good"), ("ok", "bad"), ("login", "alice"), ("logout",)):
        toolbox.run(*words)
        toolbox.settle()
    wait_until(lambda: told.read_text().count("delivered") >= 3)

    lines = told.read_text().splitlines()
    assert ["delivered good", "undeliverable bad HTTP 400"] == [
        line for line in lines if "good" in line or "bad" in line
    ]
    assert [
        "changed NoneType Anonymous command",
        "changed Anonymous Linked login",
        "changed Linked Anonymous logout",
    ] == [line for line in lines if line.startswith("changed")]
    assert "delivered login" in lines
    assert "delivered logout" in lines


def test_a_plug_in_named_by_the_author_answers_who_it_is(toolbox: Toolbox, site: Path) -> None:
    (site / "who.py").write_text(
        dedent("""
        from usage_core import hookimpl

        @hookimpl
        def usage_principal(credential, timeout):
            return "dora" if credential else None
        """)
    )
    toolbox.settings["plugins"] = ["who"]
    toolbox.write_credentials("anything")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert "dora" == toolbox.captures()[0]["distinct_id"]
    assert not toolbox.auth.requests


@pytest.mark.fault("output", "the transport `null`", "TOOLBOX_USAGE_TRANSPORT")
def test_null_records_nothing_and_starts_nothing(toolbox: Toolbox) -> None:
    done = toolbox.run("ok", "one", TOOLBOX_USAGE_TRANSPORT="null")

    assert ("before\nafter\n", "") == (done.stdout, done.stderr)
    assert [] == toolbox.files()


@pytest.mark.fault("output", "the transport `stdout` while records wait", "TOOLBOX_USAGE_TRANSPORT")
def test_stdout_prints_each_message_at_once_and_swallows_nothing(toolbox: Toolbox) -> None:
    toolbox.collector.behave(refuse())
    toolbox.run("ok", "kept for posthog")
    wait_until(lambda: toolbox.worker() is None)
    done = toolbox.run("login", "alice", TOOLBOX_USAGE_TRANSPORT="stdout")

    first, alias, capture, last = done.stdout.splitlines()
    assert ("before", "after") == (first, last)
    assert ("alias", "alice") == (json.loads(alias)["kind"], json.loads(alias)["distinct_id"])
    assert "login" == json.loads(capture)["properties"]["command_name"]
    came_elsewhere("login")
    assert 1 == len(toolbox.records())


def test_a_swapped_in_transport_need_not_wait_until_the_worker_stops_lingering(
    toolbox: Toolbox,
) -> None:
    for _ in range(5):
        toolbox.run("ok", "through the worker")
        assert toolbox.worker()
        done = toolbox.run("ok", "looked at", TOOLBOX_USAGE_TRANSPORT="stdout")
        assert '"command_name": "looked at"' in done.stdout


def test_a_message_is_printed_even_by_a_process_that_is_ending(toolbox: Toolbox) -> None:
    program = (
        "import atexit; from usage_core import Tracker;"
        "tracker = Tracker('toolbox', version='1', transport='stdout');"
        "atexit.register(tracker.track, 'last')"
    )
    said = run(
        [sys.executable, "-c", program],
        env=toolbox.full_environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert '"command_name": "last"' in said.stdout


@pytest.mark.fault(
    "processes",
    "files named like libraries in the current folder",
    "nine of them, beside the command",
)
def test_a_file_named_like_a_library_in_the_current_folder_is_never_imported(
    toolbox: Toolbox, tmp_path: Path
) -> None:
    names = ("json", "requests", "posthog", "attrs", "attr", "pluggy", "filelock", "httpx", "yaml")
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in names:
        (folder / f"{name}.py").write_text(
            f"open({str(folder / 'executed')!r}, 'a').write('{name}')"
        )
    toolbox.write_credentials("key-of-alice")
    here = Path.cwd()
    try:
        os.chdir(folder)
        toolbox.run("ok", "one")
        toolbox.settle()
    finally:
        os.chdir(here)

    assert ["alice"] == [event["distinct_id"] for event in toolbox.captures()]
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("missing", ["httpx", "yaml"])
def test_a_missing_library_for_asking_says_what_to_install(
    toolbox: Toolbox, site: Path, missing: str
) -> None:
    (site / f"{missing}.py").write_text(f"raise ImportError('No module named {missing}')")
    toolbox.write_credentials("key-of-alice")
    toolbox.run("ok", "one")
    toolbox.settle()

    assert toolbox.captures()[0]["properties"]["is_anon"] is True
    wait_until(lambda: "pip install 'usage-core[whoami]'" in str(toolbox.health()))
