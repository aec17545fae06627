"""A local HTTP server that keeps what it sees and behaves as told.

    with LocalServer() as server:
        server.behave(status(429, retry_after=60), times=2)
        ...
        server.wait_for(lambda: len(server.requests) == 3)

A subclass answers requests by overriding `handle`.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http.client import HTTPException
from typing import BinaryIO, Self

from usage_core.testing.behaviour import Behaviour, act, answer, reset, status
from usage_core.testing.exchange import Reply, Request, json_reply, read_request

__all__ = ["LocalServer"]

_BACKLOG = 256
_NOTES = 1000


class LocalServer:
    """An HTTP/1.1 server on loopback, with a thread for each connection.

    It listens from `start()` to `stop()`, or inside a `with` block; what it saw can be read
    afterwards too. All of its methods may be called from any thread.
    """

    def __init__(self, port: int = 0, *, host: str = "127.0.0.1") -> None:
        self.port = port
        self.host = host
        self.connections = 0
        self.changed = threading.Condition()
        self._requests: list[Request] = []
        self._behaviour = answer()
        self._next: deque[Behaviour] = deque()
        self._notes: deque[str] = deque(maxlen=_NOTES)
        self._door = "closed"
        self._open: dict[socket.socket, threading.Thread] = {}
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        """The address, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request that was read whole, in the order of arrival."""
        with self.changed:
            return tuple(self._requests)

    def handle(self, request: Request) -> Reply:
        """Process one request. Called from many threads at once; hold `changed` to change state."""
        return json_reply({"path": request.path})

    def behave(self, behaviour: Behaviour, *, times: int | None = None) -> None:
        """Treat all requests so from now on, or the next *times* requests and then as before.

        Several calls with *times* queue up; a call without it ends them. When it returns, the
        server behaves so. Raises ValueError when asked to count what it will never see.
        """
        shut = behaviour.kind in ("refuse", "never_accept")
        if times is not None and shut:
            raise ValueError(f"{behaviour.kind} cannot be counted: end it with behave(answer())")
        with self.changed:
            if times is None:
                self._next.clear()
                self._behaviour = behaviour
            else:
                self._next.extend([behaviour] * times)
            self._ring()

    def wait_for(self, predicate: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until *predicate* holds; it is asked again whenever the server saw or did something.

        Raises TimeoutError, which says what was seen.
        """
        with self.changed:
            if not self.changed.wait_for(predicate, timeout):
                seen = ", ".join(f"{r.method} {r.path}" for r in self._requests) or "none"
                raise TimeoutError(f"not so after {timeout:g} s; requests: {seen}")

    def note(self, line: str) -> None:
        """Say *line* when this server runs as a program."""
        with self.changed:
            self._notes.append(line)
            self.changed.notify_all()

    def run(self, *, quiet: bool = False) -> None:
        """Serve as a program until SIGINT or SIGTERM: say the address, then the notes."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.default_int_handler)
        try:
            self.start()
            _say(self.url)
            while True:
                for line in self._news():
                    if not quiet:
                        _say(line)
        except KeyboardInterrupt:
            self.stop()
        except OSError as error:
            raise SystemExit(f"cannot listen on port {self.port}: {error.strerror}") from None

    def _news(self) -> deque[str]:
        with self.changed:
            # A short wait, because on Windows a signal does not end a long one.
            self.changed.wait_for(lambda: bool(self._notes), 0.5)
            news, self._notes = self._notes, deque[str](maxlen=_NOTES)
            return news

    def start(self) -> Self:
        """Listen; raises OSError when the port is taken."""
        door = self._bind()
        door.listen(_BACKLOG)
        self.port = door.getsockname()[1]
        self._bell, bell = socket.socketpair()
        self._stopped.clear()
        self._door = "open"
        self._keeper = threading.Thread(target=self._keep_door, args=(door, bell), daemon=True)
        self._keeper.start()
        self._ring()
        return self

    def stop(self) -> None:
        """Close everything at once, whatever the clients do."""
        if self._stopped.is_set() or self._door == "closed":
            return
        self._stopped.set()
        self._bell.send(b"!")
        self._keeper.join(5.0)
        self._bell.close()
        for thread in self._cut():
            thread.join(1.0)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # The door: one thread owns the listening socket.

    def _wanted(self) -> str:
        if self._stopped.is_set():
            return "closed"
        return {"refuse": "locked", "never_accept": "ignored"}.get(self._behaviour.kind, "open")

    def _ring(self) -> None:
        """Have the door moved to where it is wanted, and wait until it is there."""
        with self.changed:
            if self._door in ("closed", self._wanted()):
                return
            self._bell.send(b"!")
            if not self.changed.wait_for(lambda: self._door in ("closed", self._wanted()), 5.0):
                raise TimeoutError(f"the port {self.port} is {self._door} still")

    def _bind(self) -> socket.socket:
        door = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        reuse = os.name == "posix"  # elsewhere it lets two servers share a port
        try:
            if self.port and reuse:
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind((self.host, self.port))
            if reuse:  # only now: a free port must not be one that a locked door reserves
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.setblocking(False)
        except OSError:
            door.close()
            raise
        return door

    def _keep_door(self, door: socket.socket, bell: socket.socket) -> None:
        with bell, selectors.DefaultSelector() as selector:
            selector.register(bell, selectors.EVENT_READ)
            selector.register(door, selectors.EVENT_READ)
            while self._door != "closed":
                ready = {key.fileobj for key, _ in selector.select()}
                if door in ready:
                    self._accept(door)
                if bell in ready:
                    bell.recv(4096)
                    door = self._move_door(door, selector)

    def _move_door(self, door: socket.socket, selector: selectors.BaseSelector) -> socket.socket:
        with self.changed:
            was, wanted = self._door, self._wanted()
            if was == wanted:
                return door
            if was == "open":
                selector.unregister(door)
            if wanted in ("closed", "locked"):
                door.close()
                self._cut()
            if wanted == "locked":
                door = self._bind()  # bound and not listening: refused, and nobody else's
            elif was == "locked" and wanted != "closed":
                door.listen(_BACKLOG)
            if wanted == "open":
                selector.register(door, selectors.EVENT_READ)
            self._door = wanted
            self.changed.notify_all()
            return door

    def _cut(self) -> list[threading.Thread]:
        with self.changed:
            for connection in self._open:
                with contextlib.suppress(OSError):  # it is closed already
                    connection.shutdown(socket.SHUT_RDWR)
            return list(self._open.values())

    def _accept(self, door: socket.socket) -> None:
        try:
            connection, _ = door.accept()
        except OSError:  # the client was quicker to leave
            return
        connection.setblocking(True)
        thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
        with self.changed:
            self.connections += 1
            self._open[connection] = thread
            self.changed.notify_all()
        thread.start()

    # The conversation: a thread for each connection.

    def _take(self) -> Behaviour:
        with self.changed:
            return self._next.popleft() if self._next else self._behaviour

    def _resets(self) -> bool:
        """Whether a new connection is reset; if so, it counts as a request."""
        with self.changed:
            behaviour = self._next[0] if self._next else self._behaviour
            return behaviour.kind == "reset" and self._take() is behaviour

    def _converse(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._resets():
                    act(reset(), Reply(), connection, self._stopped)
                    return
                while self._exchange(connection, stream):
                    pass
        except (OSError, HTTPException):
            pass  # the client left, or was cut off
        finally:
            with self.changed:
                self._open.pop(connection, None)
                self.changed.notify_all()

    def _exchange(self, connection: socket.socket, stream: BinaryIO) -> bool:
        """Serve one request; True when the connection stays open for another."""
        try:
            request = read_request(stream, connection)
        except ValueError:
            return act(status(400), Reply(), connection, self._stopped)
        if request is None:
            return False
        with self.changed:
            request = replace(request, number=len(self._requests) + 1)
            self._requests.append(request)
            behaviour = self._take()
            self.changed.notify_all()
        reply = self.handle(request) if behaviour.processed else Reply()
        stays = act(behaviour, reply, connection, self._stopped)
        return stays and request.headers.get("connection", "").lower() != "close"


def _say(line: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    text = "".join(character if character.isprintable() else "?" for character in line)
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(text, flush=True)  # noqa: T201 - a program says its address
    except OSError:  # nobody reads any more: go on serving
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
