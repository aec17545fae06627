"""Compose a fact: how a command ended and where it ran, as the text of one record.

The text is JSON, written without the `json` of the standard library, whose import alone would cost
a small command half its budget.
"""

import os
import sys
import time

from usage_core._recording import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import cast
else:

    def cast(_: str, value: object) -> object:
        """Do what typing.cast does, without the import."""
        return value


__all__ = [
    "DEEPEST",
    "compose",
    "dumps",
    "exit_code",
    "name",
    "plain",
    "refuse",
    "session",
    "surroundings",
    "uuid4",
]

DEEPEST = 50
_LARGEST = LARGEST - 4 * 1024  # the worker adds the principal and what it knows of the machine
_UNSET = (b"", b"0", b"false")
_WORDS = {True: "true", False: "false", None: "null"}

# The most specific first; `CI` alone says that it is one, not which.
_CI = {
    b"GITHUB_ACTIONS": "github_actions",
    b"GITLAB_CI": "gitlab_ci",
    b"CIRCLECI": "circleci",
    b"TRAVIS": "travis",
    b"JENKINS_URL": "jenkins",
    b"BUILDKITE": "buildkite",
    b"TF_BUILD": "azure_pipelines",
    b"TEAMCITY_VERSION": "teamcity",
    b"BITBUCKET_BUILD_NUMBER": "bitbucket",
    b"CODEBUILD_BUILD_ID": "codebuild",
    b"APPVEYOR": "appveyor",
    b"DRONE": "drone",
    b"CI": "",
}

# Set by the agents for what they start. Left out on purpose: variables of editors and hosts in
# whose terminals a person may type as well (CURSOR_TRACE_ID, REPL_ID).
_AGENTS = {
    b"CLAUDECODE": "claude_code",
    b"CODEX_SANDBOX": "codex",
    b"CODEX_CI": "codex",
    b"CURSOR_AGENT": "cursor",
    b"GEMINI_CLI": "gemini",
    b"COPILOT_CLI": "copilot",
    b"CLINE_ACTIVE": "cline",
    b"OPENCODE": "opencode",
    b"AUGMENT_AGENT": "augment",
    b"QWEN_CODE": "qwen",
    b"VSCODE_AGENT": "vscode",
    b"AI_AGENT": "other",
    b"AGENT": "other",
}


def name(time_ns: int, number: int) -> str:
    """Return the name of a fact's record: names sort by time, and no two processes share one."""
    return f"{max(time_ns, 0):020d}-{os.getpid()}-{number}"


def compose(
    kind: str,
    event: str,
    properties: "Mapping[str, object]",
    *,
    time_ns: int,
    transport: str,
    credential: "str | None",
    principal: "str | None",
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
        text = dumps(whole, other=plain)
        if len(text) <= _LARGEST:
            return text
    except (ValueError, RecursionError):
        pass
    from usage_core._recording.misfit import fitting

    whole["properties"] = {}
    whole["properties"] = fitting(properties, _LARGEST - len(dumps(whole)))
    return dumps(whole, other=plain)


def uuid4() -> str:
    """Return a new random uuid (RFC 9562, version 4)."""
    return _uuid(int.from_bytes(os.urandom(16), "big"), 4)


def exit_code(error: "BaseException | str | None") -> int:
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


def surroundings(environ: "Mapping[bytes, bytes]") -> "dict[str, object]":
    """Return `is_ci`, `ci_name` and `agent` where known, and `is_tty`: whether a person sees it."""
    found: dict[str, object] = {}
    ci = _first(environ, _CI)
    found["is_ci"] = ci is not None
    if ci:
        found["ci_name"] = ci
    agent = _first(environ, _AGENTS)
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


def dumps(value: object, *, other: "Callable[[object], object] | None" = None) -> str:
    """Return *value* as JSON text in ASCII, on one line.

    Carries what JSON carries: dicts with string keys, lists and tuples, strings, integers, finite
    floats, booleans and None. Anything else is passed through *other* first; without it, or when
    nested more than fifty deep, it raises `ValueError` and says where the value is.
    """
    try:
        return _written(value, other or refuse, DEEPEST)
    except ValueError:
        if other is not None:
            raise
        from usage_core._recording.misfit import explain

        raise ValueError(explain(value)) from None


def refuse(value: object) -> object:
    """Raise `ValueError`: what `dumps` does with what JSON cannot carry, unless told otherwise."""
    raise ValueError(value)


def plain(value: object) -> str:
    """Return *value* as text, whatever it is: what a property becomes that JSON cannot carry."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return type(value).__name__


def _first(environ: "Mapping[bytes, bytes]", known: "Mapping[bytes, str]") -> "str | None":
    for variable, name in known.items():
        if variable in environ and environ[variable].strip().lower() not in _UNSET:
            return name
    return None


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


def _written(value: object, other: "Callable[[object], object]", depth: int) -> str:
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
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        members: list[str] = []
        for key, member in cast("dict[object, object]", value).items():
            name = key if isinstance(key, str) else str(other(key))
            members.append(f"{_quoted(name)}:{_written(member, other, depth - 1)}")
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        return f"[{','.join([_written(item, other, depth - 1) for item in items])}]"
    return _written(other(value), refuse, depth - 1)


def _quoted(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    try:
        # What json.encoder itself uses. It may be a shared library, which takes time to load.
        from _json import encode_basestring_ascii as quoted
    except ImportError:  # an interpreter without the accelerator
        from json.encoder import encode_basestring_ascii as quoted
    return quoted(text)
