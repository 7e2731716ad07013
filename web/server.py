"""The web server, with a limit on what it takes from a caller before any of our code has looked at it.

waitress reads a body whole before it hands it over. What has no length (chunked) could go on to its one limit for
everything, which has to be as wide as an import file.
"""

from __future__ import annotations

import copy
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer, create_server

from web.imports import MAX_UPLOAD
from web.security import BODY_BYTES

_LARGE = b"/imports/new"


class _Parser(HTTPRequestParser):
    def parse_header(self, header_plus: bytes) -> None:
        """Lower the limit as soon as it is known where a body without a length goes."""
        super().parse_header(header_plus)
        if self.chunked and header_plus.split(b" ", 2)[1].partition(b"?")[0] != _LARGE:
            self.adj = copy.copy(self.adj)
            self.adj.max_request_body_size = BODY_BYTES + 1


class _Channel(HTTPChannel):
    parser_class = _Parser


def listening(app: Flask, **options: Any) -> Any:
    """Return a server of *app*, listening; ``run`` serves and ``close`` ends it. Options: those of waitress."""
    TcpWSGIServer.channel_class = _Channel  # one address may be several sockets: the class is all they share
    return create_server(app, max_request_body_size=MAX_UPLOAD, ident="", **options)
