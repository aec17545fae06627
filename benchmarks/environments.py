"""Environments: one for each system, installed from the registry; ours from this work tree."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

import attrs

__all__ = ["INSTRUMENTED", "SYSTEMS", "System", "prepare", "versions"]

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".nox" / "bench-systems"
OURS = ("usage_core", "usage_posthog")
HOST = ("click==8.3.3", "rich==14.3.4", "typer==0.16.1")
"""What the hosts are made with, in every environment: the newest that arcade-mcp can be beside."""
NEEDED = ("attrs", "filelock", "httpx", "pluggy", "posthog", "pyyaml", "requests")


@attrs.frozen
class System:
    """A system to compare: what is installed for it, and how a person says no to it.

    *environment* is the name of the system whose environment it shares, if not its own.
    """

    name: str
    title: str
    requirements: tuple[str, ...]
    opt_out: Mapping[str, str] | None
    environment: str | None = None

    @property
    def python(self) -> str:
        """The interpreter of its environment."""
        return str(FOLDER / (self.environment or self.name) / "bin" / "python")


_NO = {"DO_NOT_TRACK": "1"}
SYSTEMS = (
    System("usage", "usage (this project)", NEEDED, _NO),
    System("arcade", "Arcade's CommandTracker", ("arcade-mcp",), {"ARCADE_USAGE_TRACKING": "0"}),
    System(
        "iterative",
        "iterative-telemetry",
        ("iterative-telemetry",),
        {"ITERATIVE_DO_NOT_TRACK": "1"},
    ),
    System("azure", "azure-cli-telemetry", ("azure-cli-telemetry",), None),
    System("posthog", "posthog, in the process", ("posthog",), _NO),
    System("segment", "Segment, in the process", ("segment-analytics-python",), _NO),
)

INSTRUMENTED = System("usage_instrument", "usage, with `instrument`", (), _NO, environment="usage")


def prepare(system: System) -> None:
    """Make the system's environment, unless it is there; ours is brought up to date each time."""
    folder = FOLDER / system.name
    pip = [sys.executable, "-m", "pip", "--python", system.python, "install", "--quiet"]
    if not Path(system.python).exists():
        print(f"Installing {', '.join(system.requirements)}", file=sys.stderr, flush=True)
        venv.create(folder, symlinks=True)
        _run([*pip, *HOST, *system.requirements])
        if system.name == "azure":
            _point_home(folder)
    if system.name == "usage":
        _install_ours(pip)


def _install_ours(pip: list[str]) -> None:
    """Install wheels of this work tree, as a person would have them; no registry is asked."""
    with tempfile.TemporaryDirectory() as wheels:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        sources = [f"{ROOT}/src/{name}" for name in OURS]
        _run([*build, "--no-build-isolation", "--wheel-dir", wheels, *sources])
        built = [str(path) for path in Path(wheels).glob("*.whl")]
        _run([*pip, "--no-deps", "--no-index", "--force-reinstall", *built])


def versions(system: System) -> str:
    """Return what is measured, with its version."""
    if system.name == "usage":
        return "this work tree"
    code = "import sys; from importlib.metadata import version as v; print(v(sys.argv[1]))"
    command = [system.python, "-c", code, system.requirements[0]]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return f"{system.requirements[0]} {found}"


def _point_home(folder: Path) -> None:
    """Send the uploader of azure-cli-telemetry to loopback: its address is a constant."""
    base = {"base": str(folder), "platbase": str(folder)}
    sender = Path(sysconfig.get_path("purelib", "venv", base)) / "applicationinsights" / "channel"
    file = sender / "SenderBase.py"
    here = "__import__('os').environ['BENCH_COLLECTOR'] + '/v2/track'"
    text = file.read_text("utf-8")
    changed = text.replace("'https://dc.services.visualstudio.com/v2/track'", here)
    if changed == text:
        raise RuntimeError(f"{file} holds no address that could be replaced")
    file.write_text(changed, "utf-8")


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)
