"""The collector takes and refuses what PostHog's capture takes and refuses."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from usage_core.testing.behaviour import hang, lost_reply, status
from usage_posthog.collector import Collector

_PATIENCE = 30.0
_UUID = "0195b3a0-0000-7000-8000-00000000000{}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def event(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "event": "ran",
        "distinct_id": "anna",
        "uuid": _UUID.format(number),
        "properties": {"n": number},
        **fields,
    }


def post(url: str, body: object, **headers: str) -> tuple[int, str]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=_PATIENCE) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def send(collector: Collector, *events: object, **envelope: object) -> int:
    body = {"api_key": "phc_test", "batch": events, **envelope}
    return post(collector.url + "/batch/", body)[0]


def test_events_are_kept_as_they_came_and_in_order(collector: Collector) -> None:
    code, body = post(collector.url + "/batch/", {"api_key": "phc_a", "batch": [event(1)]})
    assert (200, {"status": 1}) == (code, json.loads(body))
    send(collector, event(2), event(3), sent_at="2026-11-22T10:11:12Z", historical_migration=True)

    assert (event(1), event(2), event(3)) == collector.events
    first, second = collector.batches
    assert ("phc_a", None, False) == (first.api_key, first.sent_at, first.historical_migration)
    assert ("2026-11-22T10:11:12Z", True) == (second.sent_at, second.historical_migration)
    assert first.request.received <= second.request.received


@pytest.mark.parametrize("path", ["/batch", "/batch/", "/i/v0/e/", "/capture/", "/e/", "/track/"])
def test_each_capture_path_takes_batches_lists_and_single_events(
    collector: Collector, path: str
) -> None:
    single = event(token="phc_x")
    for body in ({"api_key": "phc_x", "batch": [event()]}, [single], single):
        assert post(collector.url + path, body)[0] == 200
    assert (event(), single, single) == collector.events


def test_gzip_is_known_by_its_header_or_by_its_first_bytes(collector: Collector) -> None:
    packed = gzip.compress(json.dumps({"api_key": "k", "batch": [event()]}).encode())
    assert post(collector.url + "/batch/", packed, **{"Content-Encoding": "gzip"})[0] == 200
    assert post(collector.url + "/batch/", packed)[0] == 200
    assert post(collector.url + "/batch/", packed[:-9])[0] == 400
    assert (event(), event()) == collector.events


@pytest.mark.parametrize(
    "bad",
    [
        "not an object",
        event(event=""),
        event(event=" "),
        event(event=None),
        event(event=5),
        event(distinct_id=""),
        event(distinct_id="  "),
        event(distinct_id=None),
        event(properties=[]),
        event(uuid="not a uuid"),
        event(properties={"text": "\ud800"}),
        event(properties={"number": float("nan")}),
    ],
)
def test_one_bad_event_refuses_the_whole_batch(collector: Collector, bad: object) -> None:
    assert send(collector, event(1), bad, event(2)) == 400
    assert not collector.events
    assert [400] == [refusal.status for refusal in collector.refusals]


@pytest.mark.parametrize(
    "good",
    [
        event(distinct_id=0),
        event(distinct_id=None, properties={"distinct_id": "from the properties"}),
        event(distinct_id=" blanks around "),
        {"event": "bare", "distinct_id": "d"},
        event(uuid=None),
    ],
)
def test_what_only_looks_bad_is_taken(collector: Collector, good: object) -> None:
    assert send(collector, good) == 200
    assert (good,) == collector.events


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"5", b'{"batch": 5}', b"[" * 100_000])
def test_what_cannot_be_parsed_is_a_400(collector: Collector, body: bytes) -> None:
    assert post(collector.url + "/batch/", body)[0] == 400


def test_an_empty_batch_is_a_400(collector: Collector) -> None:
    assert send(collector) == 400


@pytest.mark.parametrize(
    "key", [None, "", "  ", "x" * 65, "schlüssel", "phx_personal", "nul\0", pytest.param(0, id="0")]
)
def test_an_unusable_key_is_a_401(collector: Collector, key: object) -> None:
    assert send(collector, event(), api_key=key) == 401
    assert not collector.events


def test_a_key_may_have_64_characters_and_blanks_around_it(collector: Collector) -> None:
    assert send(collector, event(), api_key=" " + "x" * 64 + "\n") == 200
    assert collector.batches[0].api_key == "x" * 64


def test_two_keys_in_one_list_are_a_401(collector: Collector) -> None:
    mixed = [event(token="phc_a"), event(token="phc_b")]
    assert post(collector.url + "/e/", mixed)[0] == 401


def test_too_big_is_a_413() -> None:
    with Collector(batch_limit=3000, event_limit=1000) as collector:
        big = event(properties={"text": "x" * 1000})
        assert send(collector, event(1), big) == 413
        assert send(collector, *(event(n, properties={"text": "x" * 700}) for n in range(5))) == 413
        packed = gzip.compress(json.dumps([event(token="k") for _ in range(99)]).encode())
        assert len(packed) < 1000
        assert post(collector.url + "/batch/", packed)[0] == 413
        assert send(collector, event(2)) == 200
        assert (event(2),) == collector.events


def test_the_limits_are_those_of_posthog(collector: Collector) -> None:
    assert send(collector, event(properties={"text": "x" * 990_000})) == 200
    assert send(collector, event(properties={"text": "x" * 1_000_000})) == 413


def test_bisecting_finds_the_event_that_was_told_to_be_refused(collector: Collector) -> None:
    collector.reject(_UUID.format(3))
    collector.reject(lambda event: event["properties"]["n"] == 5, status=413)

    def bisect(events: list[dict[str, Any]]) -> None:
        if send(collector, *events) != 200 and len(events) > 1:
            middle = len(events) // 2
            bisect(events[:middle])
            bisect(events[middle:])

    bisect([event(n) for n in range(8)])

    assert [0, 1, 2, 4, 6, 7] == [event["properties"]["n"] for event in collector.events]
    assert {400, 413} == {refusal.status for refusal in collector.refusals}


def test_a_scripted_failure_keeps_nothing_unless_it_processed(collector: Collector) -> None:
    collector.behave(status(500), times=1)
    assert send(collector, event(1)) == 500
    assert not collector.events

    collector.behave(status(500, processed=True), times=1)
    assert send(collector, event(2)) == 500
    assert (event(2),) == collector.events

    collector.behave(lost_reply(), times=1)
    with pytest.raises(ConnectionError):
        send(collector, event(3))
    assert (event(2), event(3)) == collector.wait_for_events(2)


def test_waiting_for_events_wakes_when_they_came(collector: Collector) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(collector.wait_for_events, 2, _PATIENCE)
        send(collector, event(1))
        assert not waiting.done()
        send(collector, event(2))
        assert (event(1), event(2)) == waiting.result(_PATIENCE)
    with pytest.raises(TimeoutError, match="POST /batch/"):
        collector.wait_for_events(3, timeout=0.1)


def test_64_clients_at_once_lose_nothing(collector: Collector) -> None:
    with ThreadPoolExecutor(64) as pool:
        codes = list(pool.map(lambda n: send(collector, event(distinct_id=n), event()), range(256)))
    assert set(codes) == {200}
    assert {batch.events[0]["distinct_id"] for batch in collector.batches} == {*range(256)}
    assert len(collector.events) == 512


def test_the_page_shows_what_came_and_runs_none_of_it(collector: Collector) -> None:
    send(collector, event(event="<script>alert(1)</script>", distinct_id="anna"))
    with urllib.request.urlopen(collector.url, timeout=_PATIENCE) as response:
        page = response.read().decode()
    assert "anna" in page
    assert "<script>" not in page
    assert collector.events[0]["event"] == "<script>alert(1)</script>"


@pytest.mark.parametrize("path", ["/flags/?v=4", "/decide/?v=3", "/array/phc_x/config", "/e/flags"])
def test_what_else_a_client_asks_gets_a_harmless_answer(collector: Collector, path: str) -> None:
    code, body = post(collector.url + path, {"api_key": "k"})
    assert code == (404 if path == "/e/flags" else 200)
    assert isinstance(json.loads(body), dict)
    assert collector.batches == ()


# The official client, in whichever version is installed.


@pytest.mark.parametrize("packed", [False, True])
def test_the_official_client_delivers(collector: Collector, packed: bool) -> None:
    from posthog.request import batch_post

    batch = [event(n) for n in range(3)]
    batch_post("phc_test", collector.url, gzip=packed, timeout=5, batch=batch)

    assert tuple(batch) == collector.events
    assert packed == (collector.requests[0].headers.get("content-encoding") == "gzip")
    assert collector.batches[0].api_key == "phc_test"


@pytest.mark.parametrize("code", [400, 401, 413, 429, 503])
def test_the_official_client_reports_a_refusal(collector: Collector, code: int) -> None:
    from posthog.request import APIError, batch_post

    collector.behave(status(code, retry_after=7))
    with pytest.raises(APIError) as caught:
        batch_post("phc_test", collector.url, timeout=5, batch=[event()])
    assert code == caught.value.status
    assert getattr(caught.value, "retry_after", 7) == 7  # versions before 7 do not have it


def test_the_official_client_gives_up_on_a_collector_that_hangs(collector: Collector) -> None:
    from posthog.request import batch_post
    from requests import Timeout

    collector.behave(hang())
    with pytest.raises(Timeout):
        batch_post("phc_test", collector.url, timeout=0.2, batch=[event()])
    assert not collector.events


def test_the_whole_official_client_works(collector: Collector) -> None:
    from posthog import Posthog
    from posthog.request import flags

    assert flags("phc_test", collector.url, timeout=5)["flags"] == {}

    client = Posthog("phc_test", host=collector.url)
    client.capture("ran", distinct_id="anna", properties={"$process_person_profile": False})
    client.alias("anna", "principal")
    client.flush()
    client.shutdown()

    assert {"ran", "$create_alias"} <= {event["event"] for event in collector.wait_for_events(2)}


# The collector as a program.


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "usage_posthog.collector", *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_says_where_it_is_and_what_comes(
    tmp_path: Path, number: signal.Signals
) -> None:
    saved = tmp_path / "saved.jsonl"
    anonymous = event(event="first\nrun", properties={"$process_person_profile": False})
    with start("--save", str(saved)) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        body = {"api_key": "k", "batch": [anonymous, event(event="second", distinct_id="bea")]}
        assert post(url + "/batch/", body)[0] == 200
        assert post(url + "/batch/", b"{")[0] == 400
        lines = [process.stdout.readline() for _ in range(3)]
        process.send_signal(number)
        rest, errors = process.communicate(timeout=_PATIENCE)

    assert ["first?run", "anna", "anonymous"] == lines[0].split()[1:]
    assert ["second", "bea", "identified"] == lines[1].split()[1:]
    assert "refused with 400" in lines[2]
    assert (0, "", "") == (process.returncode, rest, errors)
    assert body["batch"] == [json.loads(line) for line in saved.read_text().splitlines()]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("arguments", [[], ["--quiet"]])
def test_the_program_serves_on_when_nobody_reads_its_output(arguments: list[str]) -> None:
    """Its reader may stop reading, or leave: 64 KiB of lines would fill the pipe."""
    with start(*arguments) as process:
        assert process.stdout
        url = process.stdout.readline().strip()
        body = {"api_key": "k", "batch": [event(distinct_id="x" * 190) for _ in range(1000)]}
        assert [200, 200] == [post(url + "/batch/", body)[0] for _ in range(2)]
        process.stdout.close()
        assert post(url + "/batch/", body)[0] == 200
        process.terminate()
        assert process.wait(_PATIENCE) == 0
        assert process.stderr
        assert process.stderr.read() == ""


def test_the_program_says_what_is_wrong_with_its_arguments(
    collector: Collector, tmp_path: Path
) -> None:
    for arguments, complaint in [
        (["--save", str(tmp_path)], "cannot write"),
        (["--port", str(collector.port)], "cannot listen"),
    ]:
        with start(*arguments) as process:
            output, errors = process.communicate(timeout=_PATIENCE)
        assert process.returncode
        assert complaint in errors
        assert "Traceback" not in output + errors
