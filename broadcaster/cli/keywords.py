"""``keywords classify`` and ``replay``: need neither database nor keys."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from broadcaster.core.errors import InvalidInput
from broadcaster.core.keywords import VERSION, Intent, classify


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


@keywords.command("replay")
@click.argument("source", type=click.File("r", encoding="utf-8"), default="-")
def replay(source: TextIO) -> None:
    """Read JSON lines {"id", "text", "intent"} and write those that this version reads otherwise than recorded."""
    read = changed = 0
    for number, line in enumerate(source, start=1):
        if line.strip():
            told = _message(line, number)
            recorded = _recorded(told, number)
            decision = classify(told["text"], open_question=told.get("open_question") is True)
            read += 1
            if decision.intent is not recorded:
                changed += 1
                answer = {"id": told["id"], "recorded": recorded, "intent": decision.intent, "rule": decision.rule}
                click.echo(json.dumps(answer, ensure_ascii=False))
    click.echo(f"version {VERSION}: {read} read, {changed} changed", err=True)


def _recorded(told: dict[str, Any], number: int) -> Intent:
    try:
        return Intent(told["intent"])
    except (KeyError, ValueError):
        known = ", ".join(Intent)
        raise InvalidInput(f'an "intent" is expected: {known}', line=number, code="intent_expected") from None


def _message(line: str, number: int) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidInput('not JSON; write {"id": ..., "text": "..."}', line=number, code="not_json") from None
    if not isinstance(told, dict) or "id" not in told or not isinstance(told.get("text"), str):
        raise InvalidInput('an object with "id" and a "text" string is expected', line=number, code="object_expected")
    return told
