"""What understanding one inbound message costs: processor microseconds per message, median and the slowest.

    ./run bench keywords                     the messages of the tests, all languages, ten rounds
    ./run bench keywords --rounds 50

Texts: the labelled corpus and the lists per language of the tests, then hostile ones as long as a person can write.
Processor time of the one thread, so that whatever else the machine does is not counted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import tools
from broadcaster.core.keywords import VERSION, classify

TESTS = tools.ROOT / "tests" / "core"
LONGEST = 4096  #: what Telegram lets a person write: the longest of our channels
#: One per shape that costs a matcher most: repetition, many marks, many words, no spaces, look-alikes.
STRANGE = {
    "the same word": "stop " * (LONGEST // 5),
    "not": "do not " * (LONGEST // 7),
    "letters": "a" * LONGEST,
    "marks": "a\u0301" * (LONGEST // 2),
    "emoji": "🛑👍" * (LONGEST // 2),
    "look-alikes": "ЅТОР " * (LONGEST // 5),
    "Chinese": "请不要再给我发短信" * (LONGEST // 9),
    "quoted": "> stop\n" * (LONGEST // 7),
}


def texts() -> list[str]:
    """Return the messages of the tests."""
    corpus = [json.loads(line)["text"] for line in (TESTS / "corpus.jsonl").read_text("utf-8").splitlines()]
    lines = [
        line for path in sorted((TESTS / "messages").glob("*.txt")) for line in path.read_text("utf-8").splitlines()
    ]
    return corpus + [line for line in lines if line.strip() and not line.startswith(("[", "#"))]


def timed(messages: Sequence[str], rounds: int) -> list[float]:
    """Return the microseconds of each reading, sorted."""
    found = []
    for _ in range(rounds):
        for message in messages:
            begun = time.thread_time_ns()
            classify(message)
            found.append((time.thread_time_ns() - begun) / 1000)
    return sorted(found)


def row(name: str, messages: Sequence[str], rounds: int) -> dict[str, Any]:
    found = timed(messages, rounds)
    at = {"p50 us": 0.5, "p99 us": 0.99, "p99.9 us": 0.999}
    told = {words: round(found[min(int(len(found) * share), len(found) - 1)]) for words, share in at.items()}
    return {"texts": name, "messages": len(messages), "readings": len(found), **told, "slowest us": round(found[-1])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    known = texts()
    timed(known[:50], 1)  # the lists are read and compiled
    rows = [row("of the tests", known, options.rounds)]
    rows += [row(name, [text], options.rounds) for name, text in STRANGE.items()]
    tools.show(rows)
    if options.json:
        tools.keep(options.json, {"keywords": VERSION, "rows": rows})
