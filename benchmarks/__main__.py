"""Run a benchmark: ``./run bench`` lists them, ``./run bench campaign --help`` says what one can be told."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = {
    "campaign": "a campaign to an HTTP sink and to a mail sink, small and large installation, against the ceiling",
    "planning": "a run of 10 000, 100 000 and 1 000 000 contacts planned",
    "promises": "what gate, barrier, log and encryption cost: each switched off in turn",
    "imports": "a CSV file of a million rows with consent evidence",
    "stops": "a burst of STOPs by webhook: each stored once and obeyed",
    "growth": "growth and loss over two years at the consent desk",
    "keywords": "one inbound message understood: median and slowest",
}


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in BENCHMARKS:
        for one, what in BENCHMARKS.items():
            print(f"{one:<10} {what}")
        return 2 if name else 0
    sys.argv[1:2] = []
    sys.argv[0] = f"{sys.argv[0]} {name}"
    importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
