"""Worker processes for the proofs: each a runtime from a URL and a key file, and the loop with nobody to ring for it.

    python -m tests.proof.worker          # then, on standard input, one JSON line [URL, KEY FILE] for each worker

Everything is imported once; a worker is forked from here before there is a thread or a socket, so that a new one stands
a moment after the last was killed. Its process id is printed. All end when standard input does.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from broadcaster.actions.loop import Loop
from broadcaster.actions.runtime import open_runtime


def work(database_url: str, key_file: str, alive: int) -> None:
    """Run the loop until *alive* ends."""
    runtime = open_runtime(
        database_url=database_url,
        keys_text=Path(key_file).read_text(),
        home=Path(key_file).parent,
        public_url="https://news.example.org",
    )
    Loop(runtime).start()
    os.read(alive, 1)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not kept
    alive, ours = os.pipe()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os.close(ours)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            try:
                work(*json.loads(line), alive)  # type: ignore[call-arg]
            finally:
                os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
