"""Time what a command imports for recording, in a process that has loaded Typer."""

from __future__ import annotations

import json
import time
from importlib import import_module

import typer

app = typer.Typer()
app.command()(lambda: None)
typer.main.get_command(app)

began = time.perf_counter()
import_module("usage_core")
import_module("usage_core._recorder")
took = (time.perf_counter() - began) * 1000

print(json.dumps({"usage_core": [took]}))
