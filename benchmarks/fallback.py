"""Stand-ins for the compiled helpers where there is no C compiler: the same duties, much slower."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import struct
import sys
import time
from pathlib import Path

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TO = re.compile(rb'"chat_id":(-?\d+)|To=([^&]+)')


class Sink:
    """``sink.c`` in Python."""

    def __init__(self, latency: float, keep: Path | None, left: int = 2000) -> None:
        self.latency, self.left = latency, left
        self.kept = keep.open("wb") if keep else None
        self.posts = 0
        self.recipients: set[bytes] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                body = await reader.readexactly(int(found[1])) if found and head.startswith(b"POST") else b""
                writer.write(await self.answer(head, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, head: bytes, body: bytes) -> bytes:
        path = head.split(b" ", 2)[1]
        told = b"" if head.startswith(b"HEAD") else b'{"ok":true,"result":[]}'
        status = b"200"
        if head.startswith(b"POST") and b"/getUpdates" not in path:
            self.posts += 1
            to = _TO.search(body)
            who = (to[1] or to[2]) if to else body
            self.recipients.add(who)
            if self.kept and self.left > 0:
                self.left -= 1
                self.kept.write(struct.pack("=I", len(head) + len(body)) + head + body)
            if self.latency:
                await asyncio.sleep(self.latency)
            chat = b'{"id":%b,"type":"private"}' % (to[1] if to and to[1] else b"1")
            told = b'{"ok":true,"result":{"message_id":%d,"date":1,"chat":%b}}' % (self.posts, chat)
            if b"/Messages" in path:
                status, told = b"201", b'{"sid":"SM%032x","status":"queued"}' % self.posts
        return b"HTTP/1.1 %b OK\r\nContent-Length: %d\r\n\r\n%b" % (status, len(told), told)


async def sink(options: dict[str, str]) -> None:
    keep = Path(options["--keep"]) if "--keep" in options else None
    counter = Sink(float(options.get("--latency-ms", "0")) / 1000, keep)
    server = await asyncio.start_server(counter.serve, "127.0.0.1", 0)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    if counter.kept:
        counter.kept.close()
    print(json.dumps({"posts": counter.posts, "unique_recipients": len(counter.recipients)}))


async def blast(port: int, connections: int, count: int, file: Path) -> None:
    """``blast.c`` in Python: each connection posts and waits for its answer."""
    data, requests, at = file.read_bytes(), [], 0
    while at < len(data):
        (length,) = struct.unpack_from("=I", data, at)
        requests.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    turns = iter(range(count))

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in turns:
            writer.write(requests[turn % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            await reader.readexactly(int(found[1]) if found else 0)
        writer.close()

    await _timed(line, connections, count)


async def blast_mail(port: int, connections: int, count: int, file: Path) -> None:
    """``blast_mail.c`` in Python."""
    letter, turns = file.read_bytes() + b".\r\n", iter(range(count))
    envelope = b"MAIL FROM:<news@example.org>\r\nRCPT TO:<person1@example.net>\r\nDATA\r\n"

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()
        writer.write(b"EHLO bench.example.org\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        for _ in turns:
            writer.write(envelope)
            for _ in range(3):
                await reader.readline()
            writer.write(letter)
            await reader.readline()
        writer.close()

    await _timed(line, connections, count)


async def _timed(line: object, connections: int, count: int) -> None:
    begun = time.perf_counter()
    assert callable(line)
    await asyncio.gather(*(line() for _ in range(connections)))
    print(json.dumps({"posts": count, "seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time()}))


def main() -> None:
    name, arguments = sys.argv[1], sys.argv[2:]
    if name == "sink":
        asyncio.run(sink(dict(zip(arguments[::2], arguments[1::2], strict=True))))
        return
    port, connections, count = (int(one) for one in arguments[:3])
    work = {"blast": blast, "blast_mail": blast_mail}[name]
    asyncio.run(work(port, connections, count, Path(arguments[3])))


if __name__ == "__main__":
    main()
