"""``keywords``: say what messages mean (needs neither database nor keys), and the organisation's own words."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from broadcaster.actions import own_words
from broadcaster.cli.context import Context
from broadcaster.core.errors import InvalidInput
from broadcaster.core.keywords import VERSION, Intent, classify
from broadcaster.core.keywords.own import WordKind
from broadcaster.storage import consent as ledger


@click.group()
def keywords() -> None:
    """Say what inbound messages mean; words of your own."""


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


@keywords.command("add")
@click.argument("word")
@click.option("--channel", required=True, type=click.Choice(own_words.channels()))
@click.option("--kind", required=True, type=click.Choice([one.value for one in WordKind]))
@click.option("--wording", "wording_id", type=int, help="join: the number of the words people agree to.")
@click.option("--purpose", help="topic: the key of the purpose that STOP and this word closes.")
@click.option("--answer", default="", help="contest: what people read.")
@click.option("--campaign", "campaign_id", type=int, help="The campaign it belongs to.")
@click.pass_obj
def add(
    obj: Context,
    word: str,
    channel: str,
    kind: str,
    wording_id: int | None,
    purpose: str | None,
    answer: str,
    campaign_id: int | None,
) -> None:
    """Add a word of your own to a channel: to join, for a contest, or another name of a purpose."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        purpose_id = ledger.purpose_id(session, purpose) if purpose else None
    new = own_words.NewWord(channel, word, WordKind(kind), purpose_id, wording_id, campaign_id, answer)
    click.echo(f"word {own_words.add(runtime, new, actor=obj.actor)}")


@keywords.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """Show your own words, and how many messages were one."""
    names = ("id", "channel", "written", "kind", "purpose_id", "wording_id", "campaign_id", "answer")
    told = [
        {**{name: getattr(word, name) for name in names}, "messages": count}
        for word, count in own_words.every(obj.runtime())
    ]
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for one in told:
        leads = (
            one["answer"] or f"wording {one['wording_id']}"
            if one["kind"] != "topic"
            else f"purpose {one['purpose_id']}"
        )
        click.echo(
            f"{one['id']} {one['channel']} {one['written']} ({one['kind']}): {leads}, {one['messages']} messages"
        )


@keywords.command("remove")
@click.argument("word_id", type=int)
@click.pass_obj
def remove(obj: Context, word_id: int) -> None:
    """Take a word of your own away."""
    own_words.remove(obj.runtime(), word_id, actor=obj.actor)
