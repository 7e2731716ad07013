"""Every fault of the table against real processes, and the twelve properties after each: `./run prove`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.proof import checker
from tests.proof.faults import Fault
from tests.proof.trial import trial

pytestmark = pytest.mark.timeout(0)  # a million people take what they take; every wait has a limit of its own


def test_the_promises_hold(fault: Fault, engine: str, seed: int, tmp_path: Path, report: list[dict[str, Any]]) -> None:
    told: dict[str, Any] = {"fault": fault.name, "title": fault.title, "engine": engine, "seed": seed}
    report.append(told)
    with fault.around(tmp_path), trial(engine, tmp_path, people=fault.people, seed=seed, **fault.account) as t:
        try:
            fault.inject(t)
            broken = checker.check(t)
        finally:
            told |= t.figures
    told["broken"] = broken
    assert broken == []
