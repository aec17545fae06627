"""The transport `jsonl`: each message as a line of JSON at the end of a file."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from usage_core import Message, Transport, Unavailable, hookimpl


@attrs.frozen
class JsonLinesTransport(Transport):
    path: Path

    def send(self, batch: Sequence[Message], *, timeout: float) -> None:
        lines = [json.dumps(attrs.asdict(message), default=str) + "\n" for message in batch]
        try:
            with self.path.open("a") as file:
                file.writelines(lines)
        except OSError as error:
            raise Unavailable(str(error)) from error


@hookimpl
def usage_transport(options: Mapping[str, str]) -> Transport:
    # The worker runs in the tool's own folder, ~/.<app>: that is where a bare name lands.
    return JsonLinesTransport(Path(options.get("path", "events.jsonl")).expanduser())
