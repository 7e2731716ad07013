"""A migrated database on both engines, with something in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.actions.runtime import Runtime
from tests import factories


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """An installation whose sending windows are open, on each engine in turn."""
    with factories.installation(database_url, tmp_path) as made:
        yield made
