"""The HTTP client: what it says of a call is what happened on the wire."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from broadcaster.channels.contract import boottime
from broadcaster.channels.evidence import classify, request_once, retry_after_seconds
from broadcaster.channels.transport import HttpCall, HttpError, HttpFinished, HttpLimits, HttpResult, HttpWindow
from broadcaster.core.deliveries import Outcome
from broadcaster.core.messages import CallResult
from tests.channels.wire import OK, RawServer

QUICK = HttpLimits(connect_seconds=1.0, first_byte_seconds=0.3, total_seconds=1.5)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
def window() -> Iterator[HttpWindow]:
    opened = HttpWindow(8, QUICK)
    yield opened
    opened.close()


def run(window: HttpWindow, *calls: HttpCall, deadline: float | None = None) -> list[HttpResult]:
    for ref, call in enumerate(calls):
        window.start(ref, call, boottime() + 5 if deadline is None else deadline)
    results: dict[int, HttpResult] = {}
    while len(results) < len(calls):
        ended = window.finished(5)
        assert ended, "a started call must end"
        results |= {done.ref: done.result for done in ended}
    assert window.slots() == 8
    return [results[ref] for ref in range(len(calls))]


def post(url: str, body: bytes = b"{}") -> HttpCall:
    return HttpCall("POST", url, ("Content-Type: application/json",), body)


def answer(data: bytes) -> RawServer:
    def serve(connection: socket.socket, _count: int) -> bool:
        connection.sendall(data)
        return True

    return RawServer(serve)


def test_calls_share_kept_connections(window: HttpWindow) -> None:
    with answer(OK) as server:
        for _ in range(5):
            [result] = run(window, post(server.url, b'{"n":1}'))
            assert result == HttpResult(200, True, None, None, b"{}")
        assert server.connections == 1
        assert server.requests[0].endswith(b'{"n":1}')


def test_a_connection_closed_without_an_answer_is_never_used_to_send_again(window: HttpWindow) -> None:
    """libcurl by itself repeats a request on a kept connection that closed: the person would get two messages."""

    def first_answers_second_closes(connection: socket.socket, count: int) -> bool:
        if count == 0:
            connection.sendall(OK)
            return True
        return False

    with RawServer(first_answers_second_closes) as server:
        for number in range(30):
            body = b'{"call":%d}' % number
            [result] = run(window, post(server.url, body))
            assert sum(request.endswith(body) for request in server.requests) == 1, "each call exactly once"
            if number % 2:
                assert (result.status, result.started, result.error) == (None, True, HttpError.REPEAT)
            else:
                assert result.status == 200
        assert len(server.requests) == 30


def test_many_closed_connections_at_once_repeat_nothing(window: HttpWindow) -> None:
    bodies = [b'{"call":"%d"}' % number for number in range(8)]
    barrier = threading.Barrier(8, timeout=5)

    def close_all_together(connection: socket.socket, count: int) -> bool:
        if count == 0:
            connection.sendall(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n")
            return True
        barrier.wait()
        return False

    with RawServer(close_all_together) as server:
        window.warm(server.url, 8)
        results = run(window, *(post(server.url, body) for body in bodies))
        posts = [request for request in server.requests if request.startswith(b"POST")]
        assert sorted(request.rpartition(b"\r\n")[2] for request in posts) == sorted(bodies)
        assert {result.error for result in results} == {HttpError.REPEAT}


def test_nothing_is_written_after_the_deadline(window: HttpWindow) -> None:
    with answer(OK) as server:
        [result] = run(window, post(server.url), deadline=boottime() - 0.001)
        assert (result.status, result.started, result.error) == (None, False, HttpError.LATE)
        assert server.requests == []
        [result] = run(window, post(server.url))
        assert result.status == 200, "the line is fit for use again"


def test_a_slow_connection_spends_the_deadline_and_writes_nothing() -> None:
    """The gate's permission ends while the connection is still being made: the handshake waits for its second try."""
    window = HttpWindow(8, HttpLimits(connect_seconds=5.0))
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as stack:
        address = listener.getsockname()
        stack.enter_context(socket.create_connection(address, 1))  # fills the backlog
        window.start(1, post(f"http://127.0.0.1:{address[1]}/"), boottime() + 0.2)
        assert window.finished(0.3) == [], "not connected yet"
        listener.accept()[0].close()
        [done] = window.finished(5)
        assert done.result == HttpResult(None, False, HttpError.LATE)
        window.close()
        late = stack.enter_context(listener.accept()[0])
        assert late.recv(100) == b"", "not a byte of the request"


def test_a_slow_tls_like_start_spends_the_deadline(window: HttpWindow) -> None:
    """Connected at once, but ready too late: the hook runs when the connection is ready, not when it is asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        window.start(1, post(f"https://127.0.0.1:{listener.getsockname()[1]}/"), boottime() + 0.1)
        assert window.finished(0.2) == []
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(5)[0] == 22, "only the handshake"
        [done] = window.finished(5)
        assert (done.result.started, done.result.error) == (False, HttpError.CONNECT)


def test_nobody_listening_writes_nothing(window: HttpWindow) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    [result] = run(window, post(f"http://127.0.0.1:{port}/"))
    assert (result.started, result.error) == (False, HttpError.CONNECT)


def test_no_answer_in_time_is_a_time_out_after_the_start(window: HttpWindow) -> None:
    with RawServer(lambda _connection, _count: True) as server:
        [result] = run(window, post(server.url))
        assert (result.status, result.started, result.error) == (None, True, HttpError.TIMEOUT)
        assert len(server.requests) == 1


def test_an_answer_that_never_ends_meets_the_total_limit(window: HttpWindow) -> None:
    with answer(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{") as server:
        [result] = run(window, post(server.url))
        assert (result.status, result.error, result.body) == (200, HttpError.TIMEOUT, b"{")


@pytest.mark.parametrize("head", [b"Content-Length: 10000000", b"X: y"], ids=["announced", "unannounced"])
def test_an_answer_is_read_up_to_the_cap(window: HttpWindow, head: bytes) -> None:
    def flood(connection: socket.socket, _count: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % head)
        for _ in range(1000):
            connection.sendall(b"x" * 10000)
        return False

    with RawServer(flood) as server:
        [result] = run(window, post(server.url))
        assert (result.status, result.error) == (200, HttpError.TOO_LARGE)
        assert len(result.body) <= 65536 + 16384


def test_an_answer_cut_short_or_not_http_is_broken(window: HttpWindow) -> None:
    def cut(connection: socket.socket, _count: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        return False

    with RawServer(cut) as server:
        [result] = run(window, post(server.url))
        assert (result.status, result.started, result.error) == (200, True, HttpError.BROKEN)
    with answer(b"220 mail.example ESMTP\r\n\r\n") as server:
        [result] = run(window, post(server.url))
        assert (result.started, result.error) == (True, HttpError.BROKEN)


def test_redirects_are_not_followed(window: HttpWindow) -> None:
    with answer(OK) as elsewhere, answer(b"HTTP/1.1 307 X\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n") as server:
        [result] = run(window, post(server.url))
        assert result.status == 307
        assert elsewhere.requests == []


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "", "http://"])
def test_only_http_is_spoken(window: HttpWindow, url: str) -> None:
    [result] = run(window, post(url))
    assert (result.status, result.started, result.error) == (None, False, HttpError.ADDRESS)


def test_proxies_of_the_environment_and_cookies_are_ignored(
    window: HttpWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with answer(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}") as server:
        for _ in range(2):
            assert run(window, post(server.url))[0].status == 200
        assert b"cookie" not in server.requests[1].lower()


def test_warming_opens_connections_and_is_not_repeated(window: HttpWindow) -> None:
    with answer(b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n") as server:
        window.warm(server.url, 5)
        window.warm(server.url, 5)
        assert (server.connections, len(server.requests)) == (5, 5)
        run(window, *(post(server.url) for _ in range(5)))
        assert server.connections == 5


def test_warming_nobody_is_silent(window: HttpWindow) -> None:
    window.warm("http://127.0.0.1:1/", 5)
    assert window.slots() == 8


def test_one_call_for_admin_purposes() -> None:
    with answer(OK) as server:
        assert request_once(HttpCall("GET", server.url)).body == b"{}"
        assert server.requests[0].startswith(b"GET / HTTP/1.1\r\n")


def test_a_call_shows_neither_url_nor_text() -> None:
    """A Telegram token is part of the URL; a text belongs to a person."""
    call = HttpCall("POST", "https://provider.test/botSECRET/send", ("Authorization: SECRET",), b"SECRET")
    assert "SECRET" not in repr(call)
    assert "SECRET" not in repr(HttpResult(200, True, None, None, b"SECRET"))


@pytest.mark.parametrize(
    "value, seconds",
    [
        (None, None),
        ("5", 5.0),
        ("120", 120.0),
        ("0", 1.0),
        ("-1", 1.0),
        ("1.5", 1.5),
        ("1000000000", 3600.0),
        ("soon", None),
        ("", None),
        ("nan", None),
        ("inf", 3600.0),
        ("Mon, 23 Nov 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 1.0),
        ("Mon, 23 Nov 2099 12:01:30 GMT", 3600.0),
        ("Mon, 99 Nov 2026 99:01:30 GMT", None),
    ],
)
def test_a_stated_wait_is_clamped(value: str | None, seconds: float | None) -> None:
    """Neither a busy loop nor a lost campaign follows from what a provider says."""
    assert retry_after_seconds(value, NOW) == seconds


def _says_nothing(_result: HttpResult) -> CallResult | None:
    return None


def _cannot_read(_result: HttpResult) -> CallResult | None:
    raise ValueError("garbage")


@pytest.mark.parametrize("read", [_says_nothing, _cannot_read])
@pytest.mark.parametrize(
    "result, outcome",
    [
        (HttpResult(None, False, HttpError.LATE), Outcome.NOT_STARTED),
        (HttpResult(None, False, HttpError.CONNECT), Outcome.TRANSIENT),
        (HttpResult(None, False, HttpError.ADDRESS), Outcome.CREDENTIAL),
        (HttpResult(None, True, HttpError.TIMEOUT), Outcome.UNKNOWN),
        (HttpResult(None, True, HttpError.BROKEN), Outcome.UNKNOWN),
        (HttpResult(None, True, HttpError.REPEAT), Outcome.UNKNOWN),
        (HttpResult(200, True, HttpError.BROKEN), Outcome.UNKNOWN),
        (HttpResult(200, True, HttpError.TOO_LARGE), Outcome.UNKNOWN),
        (HttpResult(200, True), Outcome.UNKNOWN),
        (HttpResult(204, True), Outcome.UNKNOWN),
        (HttpResult(302, True), Outcome.UNKNOWN),
        (HttpResult(308, True), Outcome.CREDENTIAL),
        (HttpResult(400, True), Outcome.MESSAGE_REJECTED),
        (HttpResult(401, True), Outcome.CREDENTIAL),
        (HttpResult(403, True), Outcome.CREDENTIAL),
        (HttpResult(408, True), Outcome.UNKNOWN),
        (HttpResult(413, True), Outcome.MESSAGE_REJECTED),
        (HttpResult(425, True), Outcome.TRANSIENT),
        (HttpResult(429, True), Outcome.THROTTLED),
        (HttpResult(500, True), Outcome.UNKNOWN),
        (HttpResult(502, True), Outcome.UNKNOWN),
        (HttpResult(503, True), Outcome.UNKNOWN),
        (HttpResult(503, True, None, "soon"), Outcome.THROTTLED),
        (HttpResult(504, True), Outcome.UNKNOWN),
        (HttpResult(599, True), Outcome.UNKNOWN),
    ],
    ids=repr,
)
def test_doubt_about_a_call_ends_in_unknown(result: HttpResult, outcome: Outcome, read: object) -> None:
    assert classify(result, read, NOW).outcome is outcome  # type: ignore[arg-type]


def test_a_call_beyond_the_slots_waits_for_one_until_its_deadline(window: HttpWindow) -> None:
    with answer(OK) as server:
        for ref in range(20):
            window.start(ref, post(server.url), boottime() + 5)
        assert window.slots() == 0
        ended: list[HttpFinished] = []
        while len(ended) < 20:
            ended += window.finished(5)
        assert sorted(done.ref for done in ended) == list(range(20))
        assert {done.result.status for done in ended} == {200}
        assert server.connections <= 8


def test_a_call_whose_deadline_passes_while_it_waits_was_not_started(window: HttpWindow) -> None:
    def keep_waiting(connection: socket.socket, _count: int) -> bool:
        time.sleep(0.05)
        connection.sendall(OK)
        return True

    with RawServer(keep_waiting) as server:
        for ref in range(8):
            window.start(ref, post(server.url), boottime() + 5)
        window.start(8, post(server.url), boottime() - 0.001)
        ended: dict[int, HttpResult] = {}
        while len(ended) < 9:
            ended |= {done.ref: done.result for done in window.finished(5)}
        assert (ended[8].started, ended[8].error) == (False, HttpError.LATE)
        assert len(server.requests) == 8
