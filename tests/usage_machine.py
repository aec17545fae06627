"""A person's machine with a tool that has the usage commands, for the tests of these."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from cli import Toolbox

TOOL = Path(__file__).with_name("usage_tool.py")


class Machine(Toolbox):
    """The tool of `usage_tool.py`, with what the person does and reads there."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(TOOL), *words]

    def do(self, *names: str, **environ: Any) -> None:
        for name in names:
            self.run("do", name, **environ)

    def usage(self, verb: str, *options: str, code: int = 0, **environ: Any) -> str:
        """What the command says on standard output; its exit code is *code*."""
        done = self.run("usage", verb, *options, check=False, **environ)
        assert code == done.returncode, done.stdout + done.stderr
        assert not done.stderr
        return done.stdout

    def look(self, verb: str, *, code: int = 0, **environ: Any) -> Any:
        return json.loads(self.usage(verb, "--json", code=code, **environ))

    def start_no_worker(self) -> None:
        """Keep what is recorded in the journal: as after a failure, for half an hour."""
        usage = self.state / "usage"
        usage.mkdir(parents=True, exist_ok=True)
        (usage / "lease").touch()
        later = time.time() + 1800
        os.utime(usage / "lease", (later, later))

    def without(self, *modules: str) -> None:
        """Let the tool run as where these modules are not installed."""
        folder = self.home / "site"
        folder.mkdir(exist_ok=True)
        hidden = "\n".join(f"sys.modules[{name!r}] = None" for name in modules)
        (folder / "sitecustomize.py").write_text(f"import sys\n{hidden}\n")
        self.environ["PYTHONPATH"] = str(folder)

    @property
    def consent(self) -> Path:
        return self.state / "usage" / "consent"
