"""One HTTP call and the libcurl handle that carries it: what was asked, what came back, and what left the machine.

``transport.HttpWindow`` runs many of these at once.
"""

from __future__ import annotations

import os.path
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from io import BytesIO

import pycurl

from broadcaster.channels.contract import boottime

_CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class HttpError(StrEnum):
    """Why a call has no complete answer; whether a byte left is said by ``HttpResult.started``."""

    LATE = "late"  #: the deadline had passed when the connection was ready; nothing was written
    CONNECT = "connect"  #: name, connection or TLS; nothing was written
    ADDRESS = "address"  #: not an http or https URL
    TIMEOUT = "timeout"
    BROKEN = "broken"  #: reset, closed early, or not HTTP
    REPEAT = "repeat"  #: closed without an answer; a second send was refused
    TOO_LARGE = "too_large"  #: the answer exceeded the cap


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one call, in seconds and bytes. ``ca_file`` replaces the system's certificate authorities."""

    connect_seconds: float = 5.0
    first_byte_seconds: float = 20.0  #: from the first byte of the request
    total_seconds: float = 30.0
    body_max: int = 65536
    idle_seconds: int = 50  #: a connection idle for longer is not used again
    ca_file: str = ""


@dataclass(slots=True)
class HttpCall:
    """One request. URL, headers and body may hold secrets or a text: none is in its repr.

    Share one ``headers`` tuple between calls: an unchanged tuple is not handed to libcurl again.
    """

    method: str
    url: str = field(repr=False)
    headers: tuple[str, ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class HttpResult:
    """What came of a call. ``status`` is None when no status line arrived."""

    status: int | None
    started: bool  #: a byte of the request may have been written
    error: HttpError | None = None
    retry_after: str | None = None  #: the header as it came
    body: bytes = field(default=b"", repr=False)


@cache
def _default_ca_file() -> str | None:
    """Return the system's certificate authorities; a wheel's libcurl may have been built with another system's path."""
    found = ssl.get_default_verify_paths().cafile
    return next((path for path in (found, *_CA_FILES) if path and os.path.isfile(path)), None)


class Line:
    """One reusable libcurl handle with the call it carries."""

    __slots__ = ("begun_at", "body", "curl", "deadline", "head", "headers", "late", "method", "ref", "repeat", "url")

    def __init__(self, limits: HttpLimits) -> None:
        self.curl = pycurl.Curl()
        self.head = BytesIO()
        self.body = BytesIO()
        self.method = self.url = ""
        self.headers: tuple[str, ...] = ()
        self.ref: int | None = None  #: None: a warm-up
        self.deadline = 0.0
        self.begun_at = 0.0  #: boottime of the first byte, 0 before
        self.late = self.repeat = False
        self._configure(limits)

    def _configure(self, limits: HttpLimits) -> None:
        set_option = self.curl.setopt
        set_option(pycurl.NOSIGNAL, 1)
        set_option(pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS)
        set_option(pycurl.FOLLOWLOCATION, 0)
        set_option(pycurl.PROXY, "")  # an empty name switches the proxies of the environment off
        set_option(pycurl.NETRC, pycurl.NETRC_IGNORED)
        set_option(pycurl.SSL_VERIFYPEER, 1)
        set_option(pycurl.SSL_VERIFYHOST, 2)
        ca_file = limits.ca_file or _default_ca_file()
        if ca_file:
            set_option(pycurl.CAINFO, ca_file)
        set_option(pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_2TLS)
        set_option(pycurl.TCP_NODELAY, 1)
        set_option(pycurl.CONNECTTIMEOUT_MS, int(limits.connect_seconds * 1000))
        set_option(pycurl.TIMEOUT_MS, int(limits.total_seconds * 1000))
        set_option(pycurl.MAXAGE_CONN, limits.idle_seconds)
        set_option(pycurl.MAXFILESIZE, limits.body_max)
        set_option(pycurl.BUFFERSIZE, 16384)
        set_option(pycurl.USERAGENT, "broadcaster")
        set_option(pycurl.HEADERFUNCTION, self.head.write)
        set_option(pycurl.WRITEFUNCTION, self.body.write)
        set_option(pycurl.PREREQFUNCTION, self._may_begin)

    def load(self, ref: int | None, call: HttpCall, deadline: float) -> None:
        """Make the handle ready for *call*."""
        curl = self.curl
        if call.url != self.url:
            curl.setopt(pycurl.URL, call.url)
            curl.setopt(pycurl.PIPEWAIT, int(call.url.startswith("https:")))  # wait for HTTP/2 rather than open 64
            self.url = call.url
        if call.method != self.method:
            self._set_method(call.method)
        if call.method == "POST":
            curl.setopt(pycurl.POSTFIELDS, call.body)
        if call.headers is not self.headers:
            curl.setopt(pycurl.HTTPHEADER, ["Expect:", *call.headers])
            self.headers = call.headers
        self.ref, self.deadline = ref, deadline
        self.begun_at = 0.0
        self.late = self.repeat = False
        self.head.seek(0)
        self.head.truncate()
        self.body.seek(0)
        self.body.truncate()

    def _set_method(self, method: str) -> None:
        options = {"POST": pycurl.POST, "GET": pycurl.HTTPGET, "HEAD": pycurl.NOBODY}
        self.curl.setopt(pycurl.NOBODY, 0)
        self.curl.setopt(options[method], 1)
        self.method = method

    def _may_begin(self, *_addresses: object) -> int:
        """Decide, right before the request is written, whether it may be: once, and in time."""
        if self.begun_at:
            self.repeat = True
            return pycurl.PREREQFUNC_ABORT
        now = boottime()
        if now > self.deadline:
            self.late = True
            return pycurl.PREREQFUNC_ABORT
        self.begun_at = now
        return pycurl.PREREQFUNC_OK

    def result(self, code: int) -> HttpResult:
        """Return the evidence after libcurl ended with *code*."""
        status = self.curl.getinfo(pycurl.RESPONSE_CODE) or None
        error = self._error(code) if code else None
        wait = None if status is None or status < 300 else _retry_after(self.head.getvalue())
        return HttpResult(status, self.begun_at > 0.0, error, wait, self.body.getvalue())

    def _error(self, code: int) -> HttpError:
        if self.repeat:
            return HttpError.REPEAT
        if self.late:
            return HttpError.LATE
        if not self.begun_at:
            wrong_url = code in (pycurl.E_UNSUPPORTED_PROTOCOL, pycurl.E_URL_MALFORMAT)
            return HttpError.ADDRESS if wrong_url else HttpError.CONNECT
        if code == pycurl.E_OPERATION_TIMEDOUT:
            return HttpError.TIMEOUT
        return HttpError.TOO_LARGE if code == pycurl.E_FILESIZE_EXCEEDED else HttpError.BROKEN


def _retry_after(head: bytes) -> str | None:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after":
            return value.strip().decode("latin-1")
    return None
