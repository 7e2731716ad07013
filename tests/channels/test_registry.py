"""Where a list must be complete, the list tests itself."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from broadcaster.channels.registry import CHANNELS, get
from broadcaster.core.errors import NotFound

HERE = Path(__file__).parent
#: Not HTTP: its own file proves the same promises in its protocol's words.
OWN_SUITE = {"smtp": "test_smtp.py"}


def _tested() -> set[type]:
    """Return the channel classes that a contract class under this folder tests."""
    modules = [importlib.import_module(f"tests.channels.{path.stem}") for path in sorted(HERE.glob("test_*.py"))]
    contracts = [vars(module)["TestContract"] for module in modules if hasattr(module, "TestContract")]
    return {type(contract.channel) for contract in contracts}


@pytest.mark.parametrize("name", CHANNELS)
def test_every_provider_keeps_the_contract(name: str) -> None:
    """A channel without a ``TestContract`` is a channel nobody has proved."""
    if name in OWN_SUITE:
        assert (HERE / OWN_SUITE[name]).is_file()
    else:
        assert type(CHANNELS[name]) in _tested()


@pytest.mark.parametrize("name", CHANNELS)
def test_every_provider_is_found_by_its_name(name: str) -> None:
    assert get(name) is CHANNELS[name]
    assert CHANNELS[name].capabilities.channel


def test_another_name_is_not_found() -> None:
    with pytest.raises(NotFound):
        get("pigeon")
