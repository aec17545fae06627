"""The door on `localhost` through which the browser brings the answer of a login.

A thread for each connection reads one request, hands it over as a `Visit` and waits for the page
to show. Everything is decided by whoever takes the visits, one after the other.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import attrs

from arcade_cli import pages
from arcade_cli.errors import LoginError

LONGEST_TARGET = 8 * 1024
ENDED = pages.failure("This login has ended already."), 410
TOO_LARGE = "The request was too large."
# What the base class cannot take: its status, ours, and what the page says.
REFUSED = {
    414: (414, TOO_LARGE),
    431: (431, TOO_LARGE),
    501: (405, "Only a GET can answer a login."),
}


@attrs.define(eq=False)
class Visit:
    """One request, whose sender waits for `answer`. *problem* says why it cannot be a callback."""

    target: str
    problem: str = ""
    status: int = 200
    page: str = ""
    answered: threading.Event = attrs.field(factory=threading.Event)
    gone: threading.Event = attrs.field(factory=threading.Event)

    def answer(self, page: str, status: int = 200) -> None:
        """Show *page*, and wait until the browser has it, a second at most."""
        self.page, self.status = page, status
        self.answered.set()
        self.gone.wait(1.0)


class Callback:
    """Listens while the `with` block lasts. Raises `LoginError` on entry when the port is taken."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.open = True
        self.arrived: queue.Queue[Visit] = queue.Queue()

    def visits(self, until: float) -> Iterator[Visit]:
        """Return the visits as they come, until that moment of `time.monotonic()`."""
        while (left := until - time.monotonic()) > 0:
            try:
                # A long wait would keep Ctrl-C waiting on Windows.
                yield self.arrived.get(timeout=min(left, 0.5))
            except queue.Empty:
                continue

    def __enter__(self) -> Self:
        try:
            self._server = _Server(self)
        except OSError as error:
            raise LoginError(
                f"Port {self.port} is needed for the answer and cannot be had ({error.strerror})."
                " Another login may be waiting there: end it, or set ARCADE_CALLBACK_PORT."
            ) from None
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self.open = False
        while not self.arrived.empty():
            self.arrived.get().answer(*ENDED)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere it lets two programs share a port

    def __init__(self, door: Callback) -> None:
        self.door = door
        super().__init__(("127.0.0.1", door.port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 5.0

    def do_GET(self) -> None:
        if len(self.path) > LONGEST_TARGET:
            self.send_error(414)
        else:
            self._hand_over(Visit(self.path))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Show what the server itself cannot take in a page like all others."""
        status, problem = REFUSED.get(code, (code, "The request was not understood."))
        self._hand_over(Visit("", problem, status))

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to the command."""

    def _hand_over(self, visit: Visit) -> None:
        door = self.server.door
        door.arrived.put(visit)
        if door.open or visit.answered.is_set():
            visit.answered.wait()
        else:
            visit.page, visit.status = ENDED
        try:
            self._reply(visit.page, visit.status)
        finally:
            visit.gone.set()

    def _reply(self, page: str, status: int) -> None:
        body = page.encode()
        self.close_connection = True
        self.request_version = self.protocol_version  # what is no HTTP gets a status line too
        self.send_response_only(status)
        for name, value in {**pages.HEADERS, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
