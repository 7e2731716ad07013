"""``keywords replay``: what a new version would read otherwise than was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broadcaster.cli.keywords import keywords
from broadcaster.core.errors import InvalidInput


def _replay(*told: dict[str, Any]) -> Result:
    lines = "\n".join(json.dumps(one) for one in told)
    return CliRunner().invoke(keywords, ["replay"], input=lines, standalone_mode=False)


def test_only_what_changed_is_written() -> None:
    ended = _replay(
        {"id": 1, "text": "STOP", "intent": "opt_out"},
        {"id": 2, "text": "hello", "intent": "opt_out"},
        {"id": 3, "text": "yes", "intent": "opt_in", "open_question": True},
    )
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        {"id": 2, "recorded": "opt_out", "intent": "none", "rule": "none"}
    ]
    assert "3 read, 1 changed" in ended.stderr


@pytest.mark.parametrize("told", [{"id": 1, "text": "STOP"}, {"id": 1, "text": "STOP", "intent": "halt"}])
def test_a_line_without_a_recorded_intent_is_refused(told: dict[str, Any]) -> None:
    ended = _replay(told)
    assert isinstance(ended.exception, InvalidInput)
    assert ended.exception.code == "intent_expected"
