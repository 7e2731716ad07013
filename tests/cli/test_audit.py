"""The verbs ``audit``, ``log`` and ``privacy``: what they print, what they write, how they end."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from broadcaster.actions import contacts
from broadcaster.actions.runtime import Runtime
from broadcaster.cli.audit import audit, log
from broadcaster.cli.privacy import privacy
from broadcaster.core.errors import BroadcasterError
from tests import factories

COMMANDS: dict[str, click.Group] = {"audit": audit, "log": log, "privacy": privacy}


@dataclass
class Context:
    opened: Runtime
    actor: str = "cli:test"

    def runtime(self) -> Runtime:
        return self.opened


@pytest.fixture
def runtime(sqlite_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(sqlite_url, tmp_path) as made:
        _, purpose, _ = factories.brand_and_purpose(made)
        factories.contacts(made, 3, purpose_id=purpose)
        yield made


def run(runtime: Runtime, line: str) -> tuple[int, Result]:
    """Return the exit code that the command line ends with, and what was printed."""
    group, *arguments = line.split()
    result = CliRunner().invoke(COMMANDS[group], arguments, obj=Context(runtime))
    if isinstance(result.exception, BroadcasterError):
        return result.exception.exit_code, result
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result


def test_an_export_becomes_a_file_only_its_owner_reads(runtime: Runtime, tmp_path: Path) -> None:
    target = tmp_path / "log.csv"
    assert run(runtime, f"audit export -o {target}")[0] == 0
    assert len(target.read_bytes().split(b"\r\n")) == 1 + 3 + 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_an_existing_file_is_never_overwritten(runtime: Runtime, tmp_path: Path) -> None:
    target = tmp_path / "log.csv"
    target.write_text("mine")
    assert run(runtime, f"audit export -o {target}")[0] == 5
    assert target.read_text() == "mine"


@pytest.mark.parametrize(
    "line,code", [("--purpose nothing", 4), ("--unmasked", 3), ("--unmasked --reason a@b.example", 3)]
)
def test_a_failed_export_leaves_no_part_of_a_file(runtime: Runtime, tmp_path: Path, line: str, code: int) -> None:
    before = set(tmp_path.iterdir())
    assert run(runtime, f"audit export {line} -o {tmp_path / 'log.csv'}")[0] == code
    assert set(tmp_path.iterdir()) <= before


def test_without_its_folder_nothing_is_written(runtime: Runtime, tmp_path: Path) -> None:
    assert run(runtime, f"audit export -o {tmp_path / 'none' / 'log.csv'}")[0] == 4


def test_lines_go_to_the_screen(runtime: Runtime) -> None:
    code, result = run(runtime, "audit export --format jsonl --contact 2")
    assert code == 0
    assert [json.loads(line)["event_id"] for line in result.stdout.splitlines()] == [2]


def test_verifying_prints_one_object(runtime: Runtime) -> None:
    code, result = run(runtime, "log verify --json")
    assert code == 0
    assert json.loads(result.stdout)["ok"] is True


def test_a_log_that_does_not_hold_ends_with_8(runtime: Runtime) -> None:
    with runtime.db.transaction("cli:test") as session:
        session.connection().execute(text("DROP TRIGGER wording_no_update"))
    assert run(runtime, "log verify")[0] == 8
    code, result = run(runtime, "log verify --json")
    assert code == 8
    assert json.loads(result.stdout)["problems"] == ["the trigger wording_no_update is missing"]


def test_the_head_is_a_signed_note(runtime: Runtime) -> None:
    assert run(runtime, "log head")[0] == 4  # nothing has been numbered yet
    run(runtime, "privacy erase 3 --yes")
    code, result = run(runtime, "log head")
    assert code == 0
    assert result.stdout.startswith("broadcaster/log\n")


def test_erasing_needs_a_yes_where_nobody_can_be_asked(runtime: Runtime) -> None:
    code, result = run(runtime, "privacy erase 1 --json")
    assert code == 2
    assert "confirmation_needed" in result.stderr


def test_erasing_prints_one_object_and_twice_says_so(runtime: Runtime) -> None:
    first = json.loads(run(runtime, "privacy erase 1 --yes --json")[1].stdout)
    again = json.loads(run(runtime, "privacy erase 1 --yes --json")[1].stdout)
    assert (first["state"], again["state"]) == ("done", "already")


def test_a_person_is_found_by_address(runtime: Runtime) -> None:
    code, result = run(runtime, "privacy preview --address PERSON2@example.net --json")
    assert code == 0
    assert json.loads(result.stdout)["contact_id"] == 2


def test_a_shared_address_gives_the_choices(runtime: Runtime) -> None:
    contacts.add_address(runtime, 3, "email", "person2@example.net", actor="cli:test")
    code, result = run(runtime, "privacy erase --address person2@example.net --yes --json")
    assert code == 5
    assert json.loads(result.stdout)["choices"] == [2, 3]


@pytest.mark.parametrize("line,code", [("erase 99 --yes", 4), ("erase --address x@example.net --yes", 4), ("erase", 2)])
def test_nobody_is_erased_by_mistake(runtime: Runtime, line: str, code: int) -> None:
    assert run(runtime, f"privacy {line}")[0] == code


@pytest.mark.parametrize("line", ["privacy erase --yes", "privacy preview 1 --address ann@example.net"])
def test_naming_nobody_or_two_is_wrong_usage(runtime: Runtime, line: str) -> None:
    assert run(runtime, line)[0] == 2


def test_a_persons_data_is_a_file_that_only_its_owner_reads_and_none_is_overwritten(
    runtime: Runtime, tmp_path: Path
) -> None:
    path = tmp_path / "person.json"
    code, result = run(runtime, f"privacy export --address person2@example.net --output {path} --json")
    told = json.loads(path.read_text(encoding="utf-8"))
    assert (code, told["contact"], json.loads(result.stdout)["rows"]) == (0, 2, sum(map(len, told["data"].values())))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(runtime, f"privacy export 2 --output {path}")[0] == 2
    assert run(runtime, f"privacy export --request 9 --output {path}.2")[0] == 4
    assert run(runtime, f"privacy export 4711 --output {path}.2")[0] == 4
    assert not Path(f"{path}.2").exists()
