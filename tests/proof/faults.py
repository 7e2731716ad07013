"""The table of faults: a number (``docs/reliability.md``), what is done, and the function that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.proof import brokers, databases, kills, launches, processes, providers, renderers, stops
from tests.proof.trial import Trial

BOTH = ("sqlite", "postgres")


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    title: str
    inject: Callable[[Trial], None]  #: launches, does the damage, and returns when the campaign has ended
    engines: tuple[str, ...] = BOTH
    people: int = 600
    account: Mapping[str, Any] = field(default_factory=dict)  #: how the sender is set up
    around: Callable[[Path], AbstractContextManager[object]] = nullcontext  #: what its folder stands on


SLOWLY = {"rate_per_second": 25.0}  #: so that there is something left to send when the fault comes
POSTGRES = ("postgres",)

FAULTS = (
    Fault("F07", "broker frozen for 30 s", brokers.frozen, people=1200, account=SLOWLY),
    Fault("F09a", "wrong types at the broker's keys", brokers.wrong_type, engines=POSTGRES, account=SLOWLY),
    Fault("F09b", "broker full", brokers.full, engines=POSTGRES, account=SLOWLY),
    Fault("F10", "20 000 messages that are no tasks", brokers.junk, engines=POSTGRES, account=SLOWLY),
    Fault("F13", "odd values of Retry-After", providers.odd_retry_after, account=SLOWLY),
    Fault("F16", "one provider id for two people", providers.same_id, account=SLOWLY),
    Fault("F19", "pages killed before they answer", processes.unanswered, account=SLOWLY),
    Fault("F20", "stops aimed at messages in flight, workers killed", stops.in_flight, people=2000),
    Fault("F21", "other refusals aimed at messages in flight", stops.other_roads, people=1000),
    Fault("F27", "launched fifty times at once", launches.fifty_times, people=100),
    Fault("F29", "a message that ends who renders it", renderers.deadly, engines=POSTGRES),
    Fault("F30", "clocks ten minutes apart", processes.clocks_apart, engines=POSTGRES),
    Fault("F33", "connections cut every 2 s", databases.cut, engines=POSTGRES, people=1200, account=SLOWLY),
    Fault(
        "F34",
        "disk full for 20 s",
        databases.full,
        engines=("sqlite",),
        people=1200,
        account=SLOWLY,
        around=databases.small_disk,
    ),
    Fault("F42", "64 open files", processes.few_files),
)

#: Not among the others: it takes hours.
MILLION = Fault(
    "M",
    "workers, broker and database killed at random",
    kills.of_everything,
    people=1_000_000,
    account={"concurrency": 32},
)
