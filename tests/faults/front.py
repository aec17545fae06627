"""What may stand before a server on loopback: TLS, a proxy's CONNECT, a name server."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager


@contextmanager
def front(port: int, tls: ssl.SSLContext | None = None, *, connect: bool = False) -> Generator[int]:
    """Relay to *port* what comes in at the port that is returned.

    With *connect*, a proxy's CONNECT is answered first and leads there wherever it wanted to go;
    with *tls*, TLS ends here.
    """

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                near = self.request
                if connect:
                    while b"\r\n\r\n" not in near.recv(4096, socket.MSG_PEEK):
                        pass
                    near.recv(4096)
                    near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                if tls is not None:
                    near = tls.wrap_socket(near, server_side=True)
                with near, socket.create_connection(("127.0.0.1", port)) as far:
                    back = threading.Thread(target=_pour, args=(far, near), daemon=True)
                    back.start()
                    _pour(near, far)
                    back.join()

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)
    with _serving(server):
        yield int(server.socket.getsockname()[1])


@contextmanager
def name_server(address: str, answers: dict[str, str]) -> Generator[list[bytes]]:
    """Answer queries for the names of *answers*, at port 53 of the loopback address *address*.

    A name that is not in there is never answered. Yields the queries as they come.
    """
    asked: list[bytes] = []

    class Names(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            query, door = self.request
            asked.append(query)
            end = query.index(b"\0", 12)
            name = b".".join(_labels(query[12:end])).decode()
            if name not in answers:
                return
            is_a = query[end + 1 : end + 3] == b"\0\1"
            head = query[:2] + struct.pack("!6H", 0x8180, 1, int(is_a), 0, 0, 0)[:10]
            record = struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(answers[name])
            reply = head + query[12 : end + 5] + (record if is_a else b"")
            door.sendto(reply, self.client_address)

    with _serving(socketserver.ThreadingUDPServer((address, 53), Names)):
        yield asked


def _labels(text: bytes) -> Iterator[bytes]:
    while text:
        yield text[1 : 1 + text[0]]
        text = text[1 + text[0] :]


def _pour(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def _serving(
    server: socketserver.ThreadingTCPServer | socketserver.ThreadingUDPServer,
) -> Generator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
