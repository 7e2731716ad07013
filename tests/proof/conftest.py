"""Options and report of `./run prove`."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.proof.faults import FAULTS, MILLION

_HEAD = ("fault", "title", "engine", "seed", "broken")
_reports: list[dict[str, Any]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("prove")
    group.addoption("--people", type=int, help="how many people each campaign goes to")
    group.addoption("--faults", default="", help="only those whose number begins so: F07,F20")
    group.addoption("--engines", default="sqlite,postgres", help="only these databases")
    group.addoption("--seed", type=int, help="repeat a run's random choices")
    group.addoption("--json", type=Path, help="write the figures to this file")
    group.addoption("--million", action="store_true", help="a million people (or --people) and kill -9 of everything")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "fault" not in metafunc.fixturenames:
        return
    option = metafunc.config.getoption
    chosen = [MILLION] if option("--million") else [*FAULTS]
    if names := option("--faults"):
        chosen = [one for one in FAULTS if one.name.startswith(tuple(names.split(",")))]
    people, engines = option("--people"), option("--engines").split(",")
    found = [
        pytest.param(replace(one, people=people or one.people), engine, id=f"{one.name}-{engine}")
        for one in chosen
        for engine in one.engines
        if engine in engines
    ]
    metafunc.parametrize("fault, engine", found)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    given: int | None = request.config.getoption("--seed")
    return random.SystemRandom().randrange(10**6) if given is None else given


@pytest.fixture
def report() -> list[dict[str, Any]]:
    return _reports


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _reports:
        return
    terminalreporter.section("the promises")
    for one in _reports:
        figures = ", ".join(f"{name} {value}" for name, value in one.items() if name not in _HEAD)
        verdict = "not tried" if "broken" not in one else "; ".join(one["broken"]) or "held"
        terminalreporter.write_line(f"{one['fault']} {one['title']} ({one['engine']}, seed {one['seed']}): {verdict}")
        terminalreporter.write_line(f"    {figures}")
    if file := config.getoption("--json"):
        file.write_text(json.dumps(_reports, indent=1) + "\n")
