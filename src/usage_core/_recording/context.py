"""The context of an event: how the command ended, and where it ran.

What is told of an error is safe to leave the machine; of where it ran, names from fixed lists only.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe_error", "exit_code", "session", "surroundings"]

_REFUSALS = frozenset({"ArgumentError", "UsageError"})  # of argparse; of click and Typer

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


def describe_error(error: BaseException | str, errors: str) -> dict[str, object]:
    """Return `error_type` and `error_message` of *error*, safe to leave the machine.

    With *errors* `"message"` it is the scrubbed text, one line of at most 300 characters; with
    `"type"` only the type's name. An exception's `usage_label`, a string, replaces either. What a
    parser refuses is a `UsageError` without its text, which quotes what was typed.
    """
    if isinstance(error, str):
        return {"error_message": _scrubbed(error) if errors == "message" else "error"}
    kind = type(error).__name__
    label = getattr(error, "usage_label", None)
    if isinstance(label, str):
        return {"error_type": kind, "error_message": " ".join(label.split())[:300]}
    if any(base.__name__ in _REFUSALS for base in type(error).__mro__):
        return {"error_type": "UsageError", "error_message": "usage error"}
    return {"error_type": kind, "error_message": _text(error, errors) or kind}


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


def _text(error: BaseException, errors: str) -> str:
    if errors != "message":
        return ""
    is_exit = type(error).__name__ == "Exit"  # of click and Typer
    if is_exit or (isinstance(error, SystemExit) and not isinstance(error.code, str)):
        return f"exit code {exit_code(error)}"
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return ""
    return _scrubbed(text)


def _scrubbed(text: str) -> str:
    from usage_core._recording.scrub import scrub  # compiles patterns: only when something failed

    return scrub(text)


def _first(
    environ: Mapping[str, str], there: frozenset[str], known: tuple[tuple[str, str], ...]
) -> str | None:
    for variable, name in known:
        if variable in there and environ[variable].strip().lower() not in ("", "0", "false"):
            return name
    return None
