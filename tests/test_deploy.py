"""What ``deploy/`` tells others to run exists here: commands, their options, settings, files, time to stop."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from broadcaster.cli.main import broadcaster
from broadcaster.config import PREFIX, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
#: A slice of work, the calls under way at its end, the loop's last job.
STOP_SECONDS = 5 + 35 + 35


def commands() -> list[list[str]]:
    """Return the words that each file gives to our command line."""
    found = []
    for name in ("compose.yaml", "kubernetes/web.yaml", "kubernetes/worker.yaml"):
        lists = re.findall(r"^ +(?:command|args): (\[.*\])$", (DEPLOY / name).read_text(), flags=re.MULTILINE)
        found += [words for words in map(json.loads, lists) if words[0] != "valkey-server"]
    for unit in UNITS:
        [line] = re.findall(r"^ExecStart=\S+ -m broadcaster (.*)$", unit.read_text(), flags=re.MULTILINE)
        found.append(shlex.split(line.replace("%i", "email")))
    [words] = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [*found, json.loads(words)]


def test_each_file_starts_pages_and_workers() -> None:
    assert len(commands()) == 4 + 2 + 2 + 1
    assert {words[0] for words in commands()} == {"serve", "worker"}


def test_every_command_is_understood() -> None:
    for verb, *options in commands():
        found = broadcaster.get_command(click.Context(broadcaster), verb)
        assert found is not None
        found.make_context(verb, options)


def test_every_setting_exists() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    named = {name for path in FILES for name in re.findall(r"BROADCASTER_[A-Z_]+", path.read_text())}
    assert named
    assert named <= known


def test_the_image_copies_what_exists_and_installs_by_hash() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for name in re.findall(r"^COPY (?!--from)(\S+)", text, flags=re.MULTILINE):
        assert (ROOT / name).exists(), name
        assert f"!{name}" in (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert "--require-hashes" in text
    assert text.index("USER 10001") < text.index("ENTRYPOINT")


@pytest.mark.parametrize("name", ["compose.yaml", "kubernetes/worker.yaml", "systemd/broadcaster-worker@.service"])
def test_a_worker_is_given_the_time_it_takes_to_stop(name: str) -> None:
    known = r"(?:TimeoutStopSec=|stop_grace_period: |terminationGracePeriodSeconds: )(\d+)"
    assert max(map(int, re.findall(known, (DEPLOY / name).read_text()))) > STOP_SECONDS


def test_systemd_stops_the_supervisor_alone() -> None:
    """Celery's children die at once of the signal that the supervisor obeys in good order."""
    assert "KillMode=mixed" in (DEPLOY / "systemd/broadcaster-worker@.service").read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_the_units(unit: Path, tmp_path: Path) -> None:
    """The program and its user are not there, and nothing else may be wrong."""
    copy = tmp_path / unit.name.replace("@", "@email")
    copy.write_text(unit.read_text().replace("/opt/broadcaster/.venv/bin/python", "/bin/true"))
    told = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True).stderr
    assert [line for line in told.splitlines() if unit.stem.split("@")[0] in line and "not-found" not in line] == []
