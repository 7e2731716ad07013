"""Senders from a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster.actions.runtime import Runtime
from broadcaster.cli.accounts import accounts
from broadcaster.core.errors import InvalidInput
from tests import factories
from tests.cli.test_campaigns import Terminal


def test_a_warm_up_is_set_listed_and_ended(runtime: Runtime, tmp_path: Path) -> None:
    terminal = Terminal(runtime, tmp_path)
    factories.brand_and_purpose(runtime)
    add = ("add", "sandbox", "--name", "Try", "--brand", "example", "--warm-up", "100, 200")
    assert terminal.run(accounts, *add) == "account 1\n"
    assert terminal.json(accounts, "list")["accounts"][0]["warm_up"] == [100, 200]
    assert terminal.run(accounts, "warm-up", "1", "200 x 1.5 x 3") == "3 days: 200, 300, 450\n"
    assert terminal.run(accounts, "warm-up", "1", "") == "no warm-up\n"
    with pytest.raises(InvalidInput):
        terminal.run(accounts, "warm-up", "1", "soon")


def test_numbers_by_domain_are_set_listed_and_ended(runtime: Runtime, tmp_path: Path) -> None:
    terminal = Terminal(runtime, tmp_path)
    factories.brand_and_purpose(runtime)
    add = ("add", "sandbox", "--name", "Try", "--brand", "example", "--domain-rates", "gmail.com = 600")
    assert terminal.run(accounts, *add) == "account 1\n"
    assert terminal.json(accounts, "list")["accounts"][0]["domain_rates"] == {"gmail.com": 600}
    assert terminal.run(accounts, "domain-rates", "1", "gmail.com = 5, * = 9") == "gmail.com = 5, * = 9\n"
    assert terminal.run(accounts, "domain-rates", "1", "") == "no limit by domain\n"
    with pytest.raises(InvalidInput):
        terminal.run(accounts, "domain-rates", "1", "gmail.com")
