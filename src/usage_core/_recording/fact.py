"""Compose a fact: how a command ended and where it ran, as the text of one record.

The text is JSON, written without the `json` of the standard library, whose import alone would cost
a small command half its budget.
"""

from __future__ import annotations

import os
import sys
import time

from usage_core._recording.files import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import cast
else:

    def cast(_: str, value: object) -> object:
        """Do what typing.cast does, without the import."""
        return value


__all__ = ["compose", "dumps", "exit_code", "name", "session", "surroundings", "uuid4"]

_CUT = 1000
_LARGEST = LARGEST - 4 * 1024  # the worker adds the principal and what it knows of the machine
_WORDS = {True: "true", False: "false", None: "null"}
_DEEPEST = 50

# The most specific first; `CI` alone says that it is one, not which.
_CI = (
    ("GITHUB_ACTIONS", "github_actions"),
    ("GITLAB_CI", "gitlab_ci"),
    ("CIRCLECI", "circleci"),
    ("TRAVIS", "travis"),
    ("JENKINS_URL", "jenkins"),
    ("BUILDKITE", "buildkite"),
    ("TF_BUILD", "azure_pipelines"),
    ("TEAMCITY_VERSION", "teamcity"),
    ("BITBUCKET_BUILD_NUMBER", "bitbucket"),
    ("CODEBUILD_BUILD_ID", "codebuild"),
    ("APPVEYOR", "appveyor"),
    ("DRONE", "drone"),
    ("CI", ""),
)

# Set by the agents for what they start. Left out on purpose: variables of editors and hosts in
# whose terminals a person may type as well (CURSOR_TRACE_ID, REPL_ID).
_AGENTS = (
    ("CLAUDECODE", "claude_code"),
    ("CODEX_SANDBOX", "codex"),
    ("CODEX_CI", "codex"),
    ("CURSOR_AGENT", "cursor"),
    ("GEMINI_CLI", "gemini"),
    ("COPILOT_CLI", "copilot"),
    ("CLINE_ACTIVE", "cline"),
    ("OPENCODE", "opencode"),
    ("AUGMENT_AGENT", "augment"),
    ("QWEN_CODE", "qwen"),
    ("VSCODE_AGENT", "vscode"),
    ("AI_AGENT", "other"),
    ("AGENT", "other"),
)


def name(time_ns: int, number: int) -> str:
    """Return the name of a fact's record: names sort by time, and no two processes share one."""
    return f"{max(time_ns, 0):020d}-{os.getpid()}-{number}"


def compose(
    kind: str,
    event: str,
    properties: Mapping[str, object],
    *,
    time_ns: int,
    transport: str,
    credential: str | None,
    principal: str | None,
) -> str:
    """Return a fact as JSON text of at most 28 KiB, with its ids and its time minted here.

    Properties that JSON cannot carry become their `str`. A fact that would be too long loses the
    ends of long strings, then whole properties, those that were added last; never anything else.
    """
    whole: dict[str, object] = {
        "v": 1,
        "id": _uuid7(time_ns),
        "at": _timestamp(time_ns),
        "kind": kind,
        "event": event,
        "credential": credential,
        "principal": principal,
        "transport": transport,
        "fresh": [uuid4(), uuid4()],
        "properties": properties,
    }
    try:
        text = dumps(whole, other=_plain)
        if len(text) <= _LARGEST:
            return text
    except (ValueError, RecursionError):
        pass
    whole["properties"] = {}
    room = _LARGEST - len(dumps(whole))
    whole["properties"] = _fitting(properties, room)
    return dumps(whole, other=_plain)


def uuid4() -> str:
    """Return a new random uuid (RFC 9562, version 4)."""
    return _uuid(int.from_bytes(os.urandom(16), "big"), 4)


def exit_code(error: BaseException | str | None) -> int:
    """Return the exit code that a program leaves when *error* comes out of its command.

    Recognises what click and Typer raise by their `exit_code`, so that neither need be imported.
    """
    if error is None:
        return 0
    if isinstance(error, str):
        return 1
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = error.code if isinstance(error, SystemExit) else getattr(error, "exit_code", 1)
    if code is None:
        return 0
    return int(code) if isinstance(code, int) else 1


def surroundings(environ: Mapping[str, str]) -> dict[str, object]:
    """Return `is_ci`, `ci_name` and `agent` where known, and `is_tty`: whether a person sees it."""
    found: dict[str, object] = {}
    there = frozenset(environ)  # to ask os.environ for what is missing costs an exception each
    ci = _first(environ, there, _CI)
    found["is_ci"] = ci is not None
    if ci:
        found["ci_name"] = ci
    agent = _first(environ, there, _AGENTS)
    if agent:
        found["agent"] = agent
    try:
        found["is_tty"] = sys.stdout.isatty()
    except (AttributeError, ValueError):  # no standard output, or a closed one
        found["is_tty"] = False
    return found


def session() -> int:
    """Return a number that the commands of one terminal share: that of its session's leader."""
    return os.getsid(0) if hasattr(os, "getsid") else os.getppid()


def dumps(value: object, *, other: Callable[[object], object] | None = None) -> str:
    """Return *value* as JSON text in ASCII, on one line.

    Carries what JSON carries: dicts with string keys, lists and tuples, strings, integers, finite
    floats, booleans and None. Anything else is passed through *other* first; without it, or when
    nested more than fifty deep, it raises `ValueError` and says where the value is.
    """
    try:
        return _written(value, other, _DEEPEST)
    except _Misfit as found:
        raise ValueError(f"value{''.join(reversed(found.steps))} {found.why}") from None


def _first(
    environ: Mapping[str, str], there: frozenset[str], known: tuple[tuple[str, str], ...]
) -> str | None:
    for variable, name in known:
        if variable in there and environ[variable].strip().lower() not in ("", "0", "false"):
            return name
    return None


def _fitting(properties: Mapping[str, object], room: int) -> dict[str, object]:
    kept: dict[str, object] = {}
    for key, value in properties.items():
        cut = value[:_CUT] if isinstance(value, str) else value
        try:
            size = len(dumps({key: cut}, other=_plain))
        except (ValueError, RecursionError):  # nested too deep
            continue
        if size <= room:
            room -= size
            kept[key] = cut
    return kept


def _plain(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return type(value).__name__


def _timestamp(time_ns: int) -> str:
    """Return *time_ns* (nanoseconds since 1970) as RFC 3339 in UTC, to the millisecond."""
    milliseconds = time_ns // 1_000_000
    seconds, rest = divmod(milliseconds, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:03d}Z"


def _uuid7(time_ns: int) -> str:
    """Return a new uuid that carries *time_ns* to the millisecond (RFC 9562, version 7)."""
    milliseconds = time_ns // 1_000_000 & (1 << 48) - 1
    return _uuid(milliseconds << 80 | int.from_bytes(os.urandom(10), "big"), 7)


def _uuid(bits: int, version: int) -> str:
    bits = bits & ~(0xF << 76) | version << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class _Misfit(Exception):
    """What JSON cannot carry, and the *steps* that lead to it, the last one first."""

    def __init__(self, why: str) -> None:
        self.why = why
        self.steps: list[str] = []


def _written(value: object, other: Callable[[object], object] | None, depth: int) -> str:
    kind = type(value)
    if isinstance(value, str) and kind is str:
        return _quoted(value)
    if value is None or kind is bool:
        return _WORDS[value]  # type: ignore[index]  # narrowed by the line above
    if kind is int:
        return str(value)
    if kind is float and value - value == 0:  # type: ignore[operator]  # finite: neither inf nor nan
        return repr(value)
    if depth == 0:
        raise _Misfit("is nested too deep")
    if isinstance(value, dict):
        return _object(cast("dict[object, object]", value), other, depth - 1)
    if isinstance(value, (list, tuple)):
        return _array(cast("list[object]", value), other, depth - 1)
    if other is None:
        raise _Misfit(f"is {value!r}, which JSON cannot carry")
    return _written(other(value), None, depth - 1)


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        # What json.encoder itself uses. It may be a shared library, which takes time to load.
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # an interpreter without the accelerator
        from json.encoder import encode_basestring_ascii as quoted
    return quoted(text)


def _object(
    value: dict[object, object], other: Callable[[object], object] | None, depth: int
) -> str:
    key: object = None
    members: list[str] = []
    try:
        for key, member in value.items():
            if not isinstance(key, str) and other is None:
                break
            members.append(f"{_quoted(str(key))}:{_written(member, other, depth)}")
        else:
            return f"{{{','.join(members)}}}"
    except _Misfit as found:
        found.steps.append(f"[{key!r}]")
        raise
    raise _Misfit(f"has the key {key!r}, which is not a string")


def _array(value: list[object], other: Callable[[object], object] | None, depth: int) -> str:
    items: list[str] = []
    try:
        for item in value:
            items.append(_written(item, other, depth))  # noqa: PERF401  # how far it came is told
    except _Misfit as found:
        found.steps.append(f"[{len(items)}]")
        raise
    return f"[{','.join(items)}]"
