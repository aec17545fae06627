"""Every chore of this repository: `python3 noxfile.py -l` lists them, `-s tests` runs one.

Needed are Python 3.11 or newer, pip and git. Where nox cannot be imported, this file
makes an environment that has it, in `.nox/bootstrap`, and starts again from there.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
NOX = "nox>=2025.2.9"


def start_again_with_nox() -> NoReturn:
    """Run this same command from `.nox/bootstrap`, which is made if it has no nox yet.

    The environment gets no pip of its own, since Debian leaves out what that needs.
    `pip --target` is understood by every pip and allowed by a Python that is managed
    from outside (PEP 668).
    """
    home = ROOT / ".nox" / "bootstrap"
    base = {"base": str(home), "platbase": str(home)}
    suffix = sysconfig.get_config_var("EXE") or ""
    python = str(Path(sysconfig.get_path("scripts", "venv", base), f"python{suffix}"))

    if not has_nox(python):
        has_pip = importlib.util.find_spec("pip") is not None
        if not has_pip and importlib.util.find_spec("ensurepip") is None:
            sys.exit(f"noxfile.py needs pip, and {sys.executable} has none: install it first.")
        print("Installing nox into .nox/bootstrap", flush=True)
        venv.create(home, clear=True, symlinks=os.name != "nt", with_pip=not has_pip)
        pip = [sys.executable if has_pip else python, "-m", "pip", "install", "--quiet"]
        packages = sysconfig.get_path("purelib", "venv", base)
        quiet = {"PIP_REQUIRE_VIRTUALENV": "0", "PIP_ROOT_USER_ACTION": "ignore", "PIP_USER": "0"}
        subprocess.run([*pip, "--target", packages, NOX], env=os.environ | quiet, check=False)
        if not has_nox(python):
            sys.exit(f"noxfile.py needs {NOX}, and pip did not install it (see above).")

    again = [python, str(ROOT / "noxfile.py"), *sys.argv[1:]]
    if os.name == "nt":  # where exec returns to the prompt at once
        sys.exit(subprocess.call(again))
    os.execv(python, again)


def has_nox(python: str) -> bool:
    """Whether this interpreter is there, is of the version that runs now, and has a usable nox."""
    same = f"import sys; sys.exit(sys.version != {sys.version!r})"
    command = [python, "-c", f"from nox.project import dependency_groups; {same}"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__" and sys.version_info < (3, 11):
    sys.exit(f"noxfile.py needs Python 3.11 or newer; this is {sys.version.split()[0]}.")

try:
    import nox
    from nox.project import dependency_groups, load_toml
except ImportError:
    if __name__ != "__main__":
        raise
    start_again_with_nox()

nox.needs_version = NOX.removeprefix("nox")
nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = True
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"


def install(session: nox.Session, *groups: str, also: Sequence[str] = ()) -> None:
    """Bring these dependency groups and the four distributions, editable, into the session.

    All four go in one command: apart, pip would ask the registry for `usage-core`.
    """
    session.install(*requirements(*groups))
    folders = ["src/usage_core[whoami]", "src/usage_posthog", "src/usage_null", "src/usage_stdout"]
    folders += ["examples/usage_jsonl", "examples/arcade"]
    editable = [f"--editable={folder}" for folder in folders]
    session.install("--no-build-isolation", *editable, *also)


def requirements(*groups: str) -> Sequence[str]:
    """What these dependency groups of pyproject.toml ask for."""
    return dependency_groups(load_toml("pyproject.toml"), *groups)


def pytest(
    session: nox.Session, *arguments: str, env: Mapping[str, str | None] | None = None
) -> None:
    """Run pytest in the session's environment, with what was given after `--`.

    Most tests wait for another process most of the time: four at once are no crowd for two cores.
    """
    session.run("python", "-m", "pytest", "-n", "4", *arguments, *session.posargs, env=env)


@nox.session
def demo(session: nox.Session) -> None:
    """One person's story on a small command-line tool, and what the collector receives."""
    install(session, "build", "demo")
    session.run("python", "examples/demo/story.py", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, on the Python that runs nox; what follows `--` goes to pytest."""
    install(session, "test")
    pytest(session)


def python(version: str) -> str:
    """What nox finds this version by: its number, or its path where only pyenv knows it."""
    versions = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    kept = sorted(versions.glob(f"{version}.*[0-9]/bin/python"))
    return str(kept[-1]) if kept else version


@nox.session(name="tests-3.12", python=python("3.12"))
def tests_312(session: nox.Session) -> None:
    """All tests, on Python 3.12 where there is one."""
    install(session, "test")
    pytest(session)


@nox.session(name="tests-3.13", python=python("3.13"))
def tests_313(session: nox.Session) -> None:
    """All tests, on Python 3.13 where there is one."""
    install(session, "test")
    pytest(session)


@nox.session(name="tests-posthog-lowest")
def tests_posthog_lowest(session: nox.Session) -> None:
    """The tests of the PostHog transport, on the oldest PostHog client that it supports."""
    install(session, "test", also=["posthog==6.0.0"])
    pytest(session, "tests/test_posthog_transport.py")


@nox.session(name="arcade-original")
def arcade_original(session: nox.Session) -> None:
    """Arcade's own identity and ours take turns on the same files, in both directions."""
    install(session, "test", also=["arcade-core>=4.23"])
    pytest(session, "tests/test_arcade_original.py")


@nox.session
def reliability(session: nox.Session) -> None:
    """The hostile world: produce every fault, and write docs/reliability.md from what was seen."""
    install(session, "test")
    pytest(session, "-m", "fault", "--reliability")


@nox.session
def properties(session: nox.Session) -> None:
    """The properties of the identity at length: 100,000 steps, 100 crowds; prints the counts."""
    install(session, "test")
    names = ("lifecycle", "lifecycle_machine", "crashes", "clock", "crowd")
    files = [f"tests/test_{name}.py" for name in names]
    command = ["python", "-m", "pytest", "-s", *files, *session.posargs]
    session.run(*command, env={"THOROUGH": "40"})


@nox.session
def mutations(session: nox.Session) -> None:
    """Break the core in one line at a time: the tests notice each; words pick faults by name."""
    install(session, "test")
    session.run("python", "tests/mutations/run.py", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """All tests, and the lines and branches that they leave out, worker processes included."""
    install(session, "test", "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *session.posargs)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(reuse_venv=False)
def wheels(session: nox.Session) -> None:
    """The wheels of the core and one transport, alone in a fresh environment, run the demo."""
    folder = os.path.abspath(session.create_tmp())
    session.run(
        *["python", "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder],
        *["src/usage_core", "src/usage_stdout"],
    )
    session.install(*map(str, Path(folder).glob("*.whl")), *requirements("demo"))
    own = {"HOME": folder, "USERPROFILE": folder, "ACME_USAGE_TRANSPORT": "stdout"}
    unset = dict.fromkeys(["PYTHONPATH", "DO_NOT_TRACK", "USAGE_DISABLED", "ACME_USAGE_TRACKING"])
    command = ["python", "-P", "examples/demo/cli.py", "hello"]
    said = session.run(*command, env=own | unset, silent=True)
    session.log(said)
    if "CLI execution succeeded" not in str(said):
        session.error("the demo's command did not tell its event")


@nox.session
def bench(session: nox.Session) -> None:
    """Side by side with the peers, the floor, growth, a fleet; writes docs/benchmarks.md."""
    install(session, "build", "bench")
    measure(session, "benchmarks.report")


@nox.session(name="bench-quick")
def bench_quick(session: nox.Session) -> None:
    """What tracking adds to a command, in under a minute: for trying things out."""
    install(session, "build", "demo")
    measure(session, "benchmarks.command", "--quick")


def measure(session: nox.Session, module: str, *arguments: str) -> None:
    """Run a benchmark; its commands are to find their bytecode, as an installed tool would."""
    environment = {"PYTHONDONTWRITEBYTECODE": ""}
    session.run("python", "-m", module, *arguments, *session.posargs, env=environment)


@nox.session
def fuzz(session: nox.Session) -> None:
    """The fuzzing of the tests with fifty times as many examples; THOROUGH says how many times."""
    install(session, "test")
    times = os.environ.get("THOROUGH", "50")
    tests = sorted(map(str, Path("tests").glob("test_fuzz*.py")))
    pytest(session, *tests, env={"THOROUGH": times})


@nox.session
def frozen(session: nox.Session) -> None:
    """A tool that PyInstaller made one folder of, and one file."""
    install(session, "test", "frozen")
    session.run("python", "-m", "pytest", "tests/frozen", *session.posargs)


@nox.session
def audit(session: nox.Session) -> None:
    """bandit on the sources, and known vulnerabilities of what they need, if anybody can be asked.

    What bandit rates low, ruff's rules of the same names have asked a reason for on each line.
    """
    install(session, "build", "audit")
    # B104 takes the address of nobody, in an event, for one to listen at.
    medium = ["--severity-level", "medium", "--skip", "B104"]
    session.run("bandit", "--quiet", "--recursive", *medium, "src")
    session.run("python", "-m", "pip", "check")
    ask = ["pip-audit", "--vulnerability-service", "osv", "--progress-spinner", "off"]
    said = str(session.run(*ask, silent=True, success_codes=[0, 1]))
    if "No known vulnerabilities found" in said:
        session.log("No known vulnerabilities in what is installed.")
    elif "known vulnerabilit" in said:
        session.error(said)
    else:
        session.warn("osv.dev cannot be reached: nothing was compared with known vulnerabilities.")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation as pages, in .nox/docs-pages; a warning is an error."""
    install(session, "test", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-q", "docs", ".nox/docs-pages")


@nox.session
def types(session: nox.Session) -> None:
    """mypy and pyright, strict on src; tests and examples may leave their own types out."""
    install(session, "test", "types")
    session.run("mypy", "src", "noxfile.py")
    relaxed = ["--allow-untyped-defs", "--allow-incomplete-defs", "--allow-untyped-calls"]
    unseen = "--disable-error-code=import-not-found"  # what is installed or made by a test
    session.run("mypy", *relaxed, "--no-warn-return-any", unseen, "benchmarks", "examples", "tests")
    session.run("pyright", "--pythonpath", str(Path(session.bin, "python")))


@nox.session
def lint(session: nox.Session) -> None:
    """ruff: its format and the rules of pyproject.toml."""
    session.install(*requirements("lint"))
    session.run("ruff", "format", "--check")
    session.run("ruff", "check")


if __name__ == "__main__":
    os.chdir(ROOT)
    nox.main()
