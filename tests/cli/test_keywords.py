"""``keywords replay``: what a new version would read otherwise than was recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broadcaster.actions.runtime import Runtime
from broadcaster.cli.keywords import keywords
from broadcaster.core.errors import InvalidInput
from tests import factories
from tests.cli.test_consent import Shell


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


def test_own_words_are_added_listed_and_removed(runtime: Runtime) -> None:
    _, _, wording = factories.brand_and_purpose(runtime)
    shell = Shell(runtime)
    told = ["add", "Gourmet", "--channel", "sms", "--kind", "join", "--wording", str(wording)]
    assert shell.run(keywords, *told).exit_code == 0
    [one] = shell.json(keywords, "list")
    assert (one["written"], one["wording_id"], one["messages"]) == ("Gourmet", wording, 0)
    assert shell.problem(keywords, *told).code == "word_twice"
    assert shell.run(keywords, "remove", str(one["id"])).exit_code == 0
    assert shell.json(keywords, "list") == []
