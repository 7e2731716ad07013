"""A provider of raw sockets: it does exactly what a test says, byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

#: Gets the connection and the number of the request on it (from 0); False closes the connection.
Serve = Callable[[socket.socket, int], bool]


class RawServer:
    """Accepts connections, counts complete requests, and lets *serve* answer each."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        count = 0
        buffer = b""
        try:
            while data := connection.recv(65536):
                buffer += data
                while (request := _complete(buffer)) is not None:
                    buffer = buffer[len(request) :]
                    self.requests.append(request)
                    if not self._serve(connection, count):
                        connection.close()
                        return
                    count += 1
        except OSError:
            return


def _complete(buffer: bytes) -> bytes | None:
    head, end, _ = buffer.partition(b"\r\n\r\n")
    if not end:
        return None
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    total = len(head) + 4 + (int(lengths[0]) if lengths else 0)
    return buffer[:total] if len(buffer) >= total else None
