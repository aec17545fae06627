"""The ways in which a `LocalServer` can treat a request: one value, and a function for each way.

`processed` says whether the request takes effect, whatever the client gets to see of it.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

from usage_core.testing.exchange import Reply, head

__all__ = [
    "Behaviour",
    "act",
    "answer",
    "drip",
    "hang",
    "lost_reply",
    "lost_request",
    "never_accept",
    "nonsense",
    "redirect",
    "refuse",
    "reset",
    "slow",
    "status",
]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a request is treated. The functions below make every one there is."""

    kind: Literal["answer", "drip", "hang", "close", "reset", "refuse", "never_accept"]
    processed: bool = False
    seconds: float = 0.0
    reply: Reply | bytes | None = None
    padding: int = 0


def answer() -> Behaviour:
    """Answer normally."""
    return Behaviour("answer", processed=True)


def slow(seconds: float) -> Behaviour:
    """Process the request and answer normally, *seconds* later."""
    return Behaviour("answer", processed=True, seconds=seconds)


def status(
    code: int, *, retry_after: float | datetime | None = None, processed: bool = False
) -> Behaviour:
    """Answer with *code*.

    *retry_after* is sent as seconds, or as an HTTP date when it is an aware datetime.
    """
    headers = {"Content-Type": "text/plain"}
    if isinstance(retry_after, datetime):
        headers["Retry-After"] = format_datetime(retry_after.astimezone(UTC), usegmt=True)
    elif retry_after is not None:
        headers["Retry-After"] = f"{retry_after:g}"
    return Behaviour("answer", processed, reply=Reply(code, b"as scripted", headers))


def redirect(url: str, *, code: int = 307) -> Behaviour:
    """Send the client to *url*."""
    return Behaviour("answer", reply=Reply(code, headers={"Location": url}))


def nonsense(
    kind: Literal["not_http", "not_json", "empty", "huge", "torn"], *, processed: bool = False
) -> Behaviour:
    """Answer with something that no client of this server expects.

    `not_http` speaks another protocol and `torn` ends before its Content-Length; the others are
    a 200 with the page of a hotel's network, with nothing, and with 32 MiB.
    """
    replies: dict[str, Reply | bytes] = {
        "not_http": b"220 mail.example ESMTP ready\r\n",
        "not_json": Reply(200, b"<html>Sign in to go online</html>", {"Content-Type": "text/html"}),
        "empty": Reply(),
        "huge": Reply(body=b"x" * (32 << 20 if kind == "huge" else 0)),
        "torn": b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"',
    }
    return Behaviour("answer", processed, reply=replies[kind])


def drip(every: float, *, size: int = 4096, processed: bool = True) -> Behaviour:
    """Answer normally, but one byte every *every* seconds and with *size* blanks behind it.

    Every wait for the next byte is short; the whole takes longer than anybody can wait.
    """
    return Behaviour("drip", processed, seconds=every, padding=size)


def hang(*, processed: bool = False) -> Behaviour:
    """Read the request and never answer; the connection stays open."""
    return Behaviour("hang", processed)


def lost_reply() -> Behaviour:
    """Process the request, then close the connection without an answer."""
    return Behaviour("close", processed=True)


def lost_request() -> Behaviour:
    """Read the request and close the connection; nothing is processed."""
    return Behaviour("close")


def reset() -> Behaviour:
    """Accept and reset the connection, unread (one that was open before: at its next request)."""
    return Behaviour("reset")


def refuse() -> Behaviour:
    """Cut all connections and stop listening; the port stays ours."""
    return Behaviour("refuse")


def never_accept() -> Behaviour:
    """Leave new connections in the backlog; they are served when this ends."""
    return Behaviour("never_accept")


def act(
    behaviour: Behaviour, reply: Reply, connection: socket.socket, stopped: threading.Event
) -> bool:
    """Send *reply*, or do what *behaviour* says instead; True when another request may follow."""
    match behaviour.kind:
        case "answer" if not stopped.wait(behaviour.seconds):
            return _send(behaviour.reply or reply, connection)
        case "drip":
            padded = replace(reply, body=reply.body + b" " * behaviour.padding)
            for byte in head(padded) + padded.body:
                connection.sendall(bytes([byte]))
                if stopped.wait(behaviour.seconds):
                    break
        case "hang" | "never_accept":
            while connection.recv(65536):  # until the client leaves or the server stops
                pass
        case "reset":
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        case "answer" | "close" | "refuse":
            pass
    return False


def _send(reply: Reply | bytes, connection: socket.socket) -> bool:
    if isinstance(reply, bytes):
        connection.sendall(reply)
        return False
    connection.sendall(head(reply))
    connection.sendall(reply.body)
    return True
