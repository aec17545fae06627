"""Where a command ran: in CI, under a coding agent, at a terminal. Names from fixed lists only."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["describe", "session"]

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


def describe(environ: Mapping[str, str]) -> dict[str, object]:
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


def _first(
    environ: Mapping[str, str], there: frozenset[str], known: tuple[tuple[str, str], ...]
) -> str | None:
    for variable, name in known:
        if variable in there and environ[variable].strip().lower() not in ("", "0", "false"):
            return name
    return None
