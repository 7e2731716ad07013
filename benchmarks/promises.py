"""What each promise costs: the same campaign with one of them switched off, in turn with all of them on.

    ./run bench promises                        20 000 people, three rounds, PostgreSQL and Valkey, HTTP
    ./run bench promises --people 5000 --rounds 1

CPU of workers and database per message is compared, and the median of the rounds is told: a share is what the whole
would save. ``without.py`` says what each switch leaves out. Writing ahead is in every figure: it is how a step moves.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import campaign, tools, without
from tests import factories

_PARTS = ("workers", "database")


def rounds(options: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """Run every case once per round, on one installation; return the figures of each."""
    cases = {"all promises": "", **{f"without {one}": one for one in without.SWITCHES}}
    cases["without any of them"] = ",".join(without.SWITCHES)
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in cases}
    with campaign.installation(True) as place, tools.sink(tools.compiled("sink", options.folder)) as (port, _pid, _end):
        brand, purpose, wording = factories.brand_and_purpose(place.runtime)
        base = {"base_url": f"http://127.0.0.1:{port}", "settings": {"token": "123456:benchmark"}}
        account = factories.account(place.runtime, brand, "telegram", **base)
        common: dict[str, Any] = {
            "channel": "telegram",
            "account": account,
            "scoped": True,
            "purpose": purpose,
            "wording": wording,
        }
        campaign.people(place, options.people, **common)

        def launch() -> int:
            lanes = [("telegram", account)]
            return factories.campaign(
                place.runtime, brand_id=brand, purpose_id=purpose, lanes=lanes, text=campaign.TEXT
            )

        for _ in range(options.rounds):
            for name, off in cases.items():
                command = [sys.executable, "-m", "benchmarks.without", off, "worker", "--unsupervised"]
                told[name].append(campaign.run_product(place, launch, place.parts, command))
    return told


def cost(run: dict[str, Any]) -> float:
    return float(sum(run["cpu_us_per_message"][part] for part in _PARTS))


def row_of(name: str, runs: list[dict[str, Any]], all_on: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one column of the table; its share is the median over the rounds."""
    shares = [1 - cost(run) / cost(on) for run, on in zip(runs, all_on, strict=True)]
    row: dict[str, Any] = {"case": name}
    for part in _PARTS:
        row[f"CPU us/message {part}"] = round(statistics.median(run["cpu_us_per_message"][part] for run in runs))
    row["share of the whole"] = "-" if runs is all_on else f"{statistics.median(shares):.0%}"
    row["messages/s"] = round(statistics.median(run["per_second"] for run in runs))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("promises.json"), help="where the figures go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        options.folder = Path(folder)
        told = rounds(options)
    rows = [row_of(name, runs, told["all promises"]) for name, runs in told.items()]
    tools.show(rows)
    tools.keep(options.json, {"people": options.people, "rounds": told, "table": rows})


if __name__ == "__main__":
    main()
