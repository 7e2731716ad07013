"""What the repository promises about its own files."""

from __future__ import annotations

import hashlib
import re
from importlib.metadata import requires
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
VENDOR = ROOT / "web" / "static" / "vendor"
LOCKS = ["requirements.txt", "requirements-dev.txt"]


def pins(lock: str) -> dict[str, str]:
    """Requirement line -> its hashes, as text."""
    text = ROOT.joinpath(lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return dict(line.partition(" --hash")[::2] for line in text.splitlines() if line.strip())


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_by_hash(lock: str) -> None:
    loose = [name for name, hashes in pins(lock).items() if "==" not in name or "sha256:" not in hashes]
    assert not loose


@pytest.mark.parametrize("lock", LOCKS)
def test_requirements_name_no_address(lock: str) -> None:
    text = ROOT.joinpath(lock).read_text(encoding="utf-8")
    assert not re.findall(r"\S*://\S*|\S+ @ \S+|^\s*-.*index.*|^\s*-f.*|.*find-links.*", text, flags=re.MULTILINE)


def test_tests_run_with_the_versions_that_are_shipped() -> None:
    shipped, tested = (dict(pin.strip().split("==", 1) for pin in pins(lock)) for lock in LOCKS)
    assert shipped.items() <= tested.items()


def test_what_is_shipped_can_speak_to_a_broker() -> None:
    """The tests' own packages must not hide that one of kombu's is missing for a user."""
    shipped = {pin.partition("==")[0] for pin in pins("requirements.txt")}
    asked = [one for one in requires("kombu") or [] if re.search(r"extra == .redis", one)]
    assert asked
    assert {re.split(r"[<>=! ;\[]", one)[0] for one in asked} <= shipped


def vendored() -> list[list[str]]:
    """One line a file: name version licence sha256 path."""
    listing = VENDOR / "VENDOR.txt"
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.exists() else []
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def test_vendored_files_are_the_ones_we_looked_at() -> None:
    for name, _version, _licence, sha256, path in vendored():
        assert hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() == sha256, name


def test_every_vendored_file_is_listed() -> None:
    listed = {path for *_, path in vendored()} | {"VENDOR.txt"}
    present = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}
    assert not present or present == listed
