"""Two people who agreed, and the provider they write by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from broadcaster.actions import consent
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action
from broadcaster.fakes.twilio import FakeTwilio
from tests.actions.scene import Scene, scene
from tests.actions.talk import NOW


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as server:
        yield server


@pytest.fixture
def s(runtime: Runtime, fake: FakeTwilio) -> Scene:
    """Two people who agreed an hour ago."""
    made = scene(runtime, fake, 2, consenting=False)
    acts = [made.act(Action.GRANTED, address, at=NOW - timedelta(hours=1)) for _, address in made.people]
    consent.record(runtime, acts, actor="person")
    return made
