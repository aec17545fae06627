"""HTTP as a `LocalServer` reads and writes it: a request, a reply, and the bytes between."""

from __future__ import annotations

import gzip
import http
import json
import socket
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, parse_headers
from types import MappingProxyType
from typing import Any, BinaryIO
from urllib.parse import urlsplit

__all__ = ["Reply", "Request", "head", "json_reply", "read_request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, read whole. Header names are in lower case, times are `time.monotonic()`.

    `body` is unzipped when it is gzip, whatever the headers call it; `number` counts from 1 in
    the order of arrival.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    began: float
    received: float
    number: int = 0

    def json(self) -> Any:
        """The body as JSON; raises ValueError when it is not."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answers."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def json_reply(value: object, code: int = 200) -> Reply:
    """A reply that carries *value* as JSON."""
    return Reply(code, json.dumps(value).encode(), {"Content-Type": "application/json"})


def read_request(stream: BinaryIO, connection: socket.socket) -> Request | None:
    """Read the next request, or None when the client has left.

    Raises ValueError for what is not HTTP, OSError or HTTPException when the client breaks off.
    """
    line = stream.readline(65536)
    if not line.strip():
        return None
    began = time.monotonic()
    method, target, version = line.decode("latin-1").split()
    headers = {name.lower(): value for name, value in parse_headers(stream).items()}
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    if headers.get("expect", "").lower() == "100-continue":
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = b"".join(_chunks(stream))
    else:
        body = _exactly(stream, int(headers.get("content-length", 0)))
    where = urlsplit(target)
    return Request(
        method,
        where.path,
        where.query,
        MappingProxyType(headers),
        _unzipped(body),
        began,
        time.monotonic(),
    )


def head(reply: Reply) -> bytes:
    """The status line and headers of *reply*, as they go on the wire before its body."""
    known = {known.value: known.phrase for known in http.HTTPStatus}
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    lines = [f"HTTP/1.1 {reply.status} {known.get(reply.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _chunks(stream: BinaryIO) -> list[bytes]:
    chunks: list[bytes] = []
    while size := int(stream.readline(65536).split(b";")[0], 16):
        chunks.append(_exactly(stream, size))
        stream.readline(65536)
    while stream.readline(65536).strip():
        pass
    return chunks


def _exactly(stream: BinaryIO, size: int) -> bytes:
    body = stream.read(size)
    if len(body) < size:
        raise HTTPException("the client left in the middle of its request")
    return body


def _unzipped(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        return body
