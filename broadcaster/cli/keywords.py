"""``keywords classify``: needs neither database nor keys."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from broadcaster.core.errors import InvalidInput
from broadcaster.core.keywords import classify


@click.group()
def keywords() -> None:
    """Say what inbound messages mean."""


@keywords.command("classify")
@click.argument("source", type=click.File("r", encoding="utf-8"), default="-")
@click.option("--open-question", is_flag=True, help="Take every message as an answer to an open double opt-in.")
def classify_lines(source: TextIO, open_question: bool) -> None:
    """Read JSON lines {"id", "text"} and write {"id", "intent", "rule"}, one for each; no language is given."""
    for number, line in enumerate(source, start=1):
        if line.strip():
            told = _message(line, number)
            decision = classify(told["text"], open_question=open_question)
            answer = {"id": told["id"], "intent": decision.intent.value, "rule": decision.rule}
            click.echo(json.dumps(answer, ensure_ascii=False))


def _message(line: str, number: int) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput('not JSON; write {"id": ..., "text": "..."}', line=number, code="not_json") from None
    if not isinstance(told, dict) or "id" not in told or not isinstance(told.get("text"), str):
        raise InvalidInput('an object with "id" and a "text" string is expected', line=number, code="object_expected")
    return told
