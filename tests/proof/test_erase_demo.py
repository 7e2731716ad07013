"""One of the demonstration's people is erased by command line, and then nothing anywhere tells of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from broadcaster.cli.demo_people import HEADER, Invented, invent
from tests import canary

ROOT = Path(__file__).parents[2]
PEOPLE = 50
pytestmark = pytest.mark.timeout(300)


def broadcaster(home: Path, *words: str, expected: int = 0) -> Any:
    """Run a command as a user would, keep what it said beside the data, and return its JSON."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BROADCASTER_")}
    environment = {**clean, "PYTHONPATH": str(ROOT), "BROADCASTER_HOME": str(home)}
    command = [sys.executable, "-m", "broadcaster", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == expected, done.stdout + done.stderr
    if "find" not in words:  # which is asked for the person's data
        with (home / "output.log").open("a") as log:
            log.write(done.stdout + done.stderr)
    return json.loads(done.stdout)


def again(home: Path, person: Invented) -> Path:
    """Write a file in which the person agrees, with everything a consent needs."""
    proof = "2026-11-01T10:00:00Z,Yes,web form,https://example.com/join"
    file = home.parent / "again.csv"
    row = f"{person.first},{person.last},{person.email},{person.phone},fr,FR,1980,yes,yes,{proof}"
    file.write_text(f"{','.join(HEADER)}\n{row}\n")
    return file


def test_one_of_the_demonstrations_people_is_erased(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    assert broadcaster(home, "demo", "--exit", "--json", "--people", str(PEOPLE))["ok"]
    person = next(one for one in invent(PEOPLE) if one.email_yes and one.sms_yes)
    data = home / "demo"
    assert len(broadcaster(data, "contacts", "find", person.email, "--json")["contacts"]) == 1
    done = broadcaster(data, "privacy", "erase", "--address", person.email, "--yes", "--json")
    assert done["state"] == "done"
    assert done["rows"]["sends"] > 0, "somebody who was written to"
    report = broadcaster(data, "contacts", "import", str(again(home, person)), "--json")
    assert (report["created"], report["refused"], set(report["refusals"])) == (0, 1, {"suppressed"})
    assert broadcaster(data, "contacts", "find", person.email, "--json")["contacts"] == []
    words = [person.email, person.phone, person.phone.lstrip("+"), f"{person.first} {person.last}"]
    assert canary.hits(["Maison Lumi"], [home]), "the search finds what is there"
    assert canary.hits(words, [home]) == []
    assert broadcaster(data, "log", "verify", "--json")["ok"]
