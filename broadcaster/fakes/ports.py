"""Ports of this machine."""

from __future__ import annotations

import socket


def free_port(host: str = "127.0.0.1", *, wanted: int = 0) -> int:
    """Return *wanted* if nobody listens there, otherwise any port that is free now."""
    for port in (wanted, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except OSError:
                continue
            found: int = trial.getsockname()[1]
            return found
    raise OSError("no port is free")
