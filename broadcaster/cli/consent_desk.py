"""``consent`` for everybody at once: totals at a moment, growth and loss, what runs out, what waits for a decision."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

import click

from broadcaster.actions import consent_desk, consent_history, reviews
from broadcaster.actions.consent_desk import Growth
from broadcaster.cli.context import Context, Id
from broadcaster.cli.moments import moment_of
from broadcaster.storage import consent as ledger
from broadcaster.storage.consent_desk import Change

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@click.option("--as-of", metavar="TIME", help="What was known then: 2026-05-31T14:00+02:00.")
@_JSON
@click.pass_obj
def totals(obj: Context, as_of: str | None, as_json: bool) -> None:
    """Count where all addresses stand, purpose by purpose, now or at a past moment."""
    at, found = consent_desk.totals(obj.runtime(), moment=None if as_of is None else moment_of(as_of, "as-of"))
    if as_json:
        told = {one.purpose.key: dict(one.standings) for one in found}
        click.echo(json.dumps({"as_of": at.isoformat(), "purposes": told}, indent=2))
        return
    for one in found:
        click.echo(f"{one.purpose.key}: " + ", ".join(f"{count} {name}" for name, count in one.standings.items()))


@click.command()
@click.option("--from", "first", required=True, type=_DAY, help="First day, on the organisation's clocks.")
@click.option("--to", "last", required=True, type=_DAY, help="Last day.")
@click.option("--by", type=click.Choice(["month", "week"]), default="month", show_default=True)
@click.option("--purpose", help="A purpose's key; all, if left out.")
@_JSON
@click.pass_obj
def growth(
    obj: Context, first: datetime, last: datetime, by: Literal["month", "week"], purpose: str | None, as_json: bool
) -> None:
    """Show what was gained and lost, by source, campaign and the rule that understood the words."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        purpose_id = None if purpose is None else ledger.purpose_id(session, purpose)
    found = consent_desk.growth(runtime, first=first.date(), last=last.date(), by=by, purpose_id=purpose_id)
    if as_json:
        click.echo(json.dumps(_growth(found), indent=2))
        return
    for period, changes in zip(found.periods, found.changes, strict=True):
        won, lost = _sum(changes, gained=True), _sum(changes, gained=False)
        click.echo(f"{period.first} to {period.last}: +{won} -{lost}")
        for one in sorted(changes, key=lambda change: -change.count):
            cause = " ".join(str(part) for part in (one.source, one.rule, _campaign(one.campaign_id)) if part)
            click.echo(f"    {'+' if one.gained else '-'}{one.count} {found.purposes[one.purpose_id].key}: {cause}")


def _campaign(campaign_id: int | None) -> str:
    return "" if campaign_id is None else f"campaign {campaign_id}"


def _sum(changes: tuple[Change, ...], *, gained: bool) -> int:
    return sum(one.count for one in changes if one.gained is gained)


def _growth(found: Growth) -> dict[str, Any]:
    rows = [
        {
            "from": period.first.isoformat(),
            "to": period.last.isoformat(),
            "gained": _sum(changes, gained=True),
            "lost": _sum(changes, gained=False),
            "changes": [
                {
                    "purpose": found.purposes[one.purpose_id].key,
                    "gained": one.gained,
                    "source": one.source,
                    "campaign": one.campaign_id,
                    "rule": one.rule,
                    "count": one.count,
                }
                for one in changes
            ],
        }
        for period, changes in zip(found.periods, found.changes, strict=True)
    ]
    return {"zone": found.zone, "periods": rows}


@click.command()
@_JSON
@click.pass_obj
def ending(obj: Context, as_json: bool) -> None:
    """Count the valid consents that run out within 30, 60 and 90 days."""
    found = consent_desk.ending(obj.runtime())
    if as_json:
        click.echo(json.dumps({purpose.key: {str(days): n for days, n in told.items()} for purpose, told in found}))
        return
    for purpose, told in found:
        click.echo(f"{purpose.key}: " + ", ".join(f"{n} within {days} days" for days, n in told.items()))


@click.command("ask-again")
@click.argument("purpose")
@click.option("--days", type=int, default=30, show_default=True, help="30, 60 or 90.")
@click.option("--name", required=True, help="Of the audience and of the campaign.")
@click.pass_obj
def ask_again(obj: Context, purpose: str, days: int, name: str) -> None:
    """Draft a campaign to those whose consent still holds and soon runs out."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        purpose_id = ledger.purpose_id(session, purpose)
    made = consent_desk.ask_again(runtime, purpose_id=purpose_id, days=days, name=name, actor=obj.actor)
    click.echo(f"campaign {made}")


@click.command("reviews")
@_JSON
@click.pass_obj
def reviews_(obj: Context, as_json: bool) -> None:
    """Show the unclear messages that wait for a decision; their senders get no marketing meanwhile."""
    found = reviews.waiting(obj.runtime())
    rows = [
        {
            "conversation": one.conversation_id,
            "address_id": one.address_id,
            "channel": one.channel,
            "address": one.masked,
            "intent": one.intent,
            "rule": one.rule,
            "said_at": one.said_at.isoformat(),
            "deadline": None if one.deadline is None else one.deadline.isoformat(),
            "words": one.words,
        }
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"waiting": rows}, ensure_ascii=False, indent=2))
        return
    for row in rows:
        words = "".join(sign if sign.isprintable() else " " for sign in str(row["words"]))[:200]
        click.echo(f"{row['conversation']}  until {row['deadline']}  {row['address']}  “{words}”")


@click.command()
@click.argument("conversation", type=Id())
@click.argument("decision", type=click.Choice(["stop", "go_on"]))
@click.option("--reason", required=True, help="Why; it stays with the consent.")
@click.pass_obj
def decide(obj: Context, conversation: int, decision: Literal["stop", "go_on"], reason: str) -> None:
    """Decide what an unclear message meant: stop all marketing there, or go on as before."""
    done = reviews.decide(obj.runtime(), conversation, decision, reason=reason, actor=obj.actor)
    click.echo(f"Recorded: event {', '.join(map(str, done.event_ids)) or 'none; another message still waits'}.")


@click.command()
@click.argument("wording", type=Id())
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_JSON
@click.pass_obj
def wording(obj: Context, wording: int, limit: int, as_json: bool) -> None:
    """Show exact words, how often people did what by them, and the newest of these events."""
    runtime = obj.runtime()
    told = consent_desk.by_words(runtime, wording)
    found = consent_history.newest(runtime, wording_id=wording, limit=limit)
    shown: dict[str, Any] = {
        "id": told.wording.id,
        "purpose": told.purpose.key,
        "language": told.wording.language,
        "version": told.wording.version,
        "sha256": told.wording.sha256,
        "text": told.wording.text,
        "actions": dict(told.actions),
        "events": [
            {"event_id": one.id, "address_id": one.address_id, "action": one.action, "at": one.occurred_at.isoformat()}
            for one in found
        ],
    }
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    click.echo(f"{shown['purpose']} {shown['language']} v{shown['version']} {shown['sha256']}")
    click.echo(", ".join(f"{count} {action}" for action, count in told.actions.items()) or "nobody yet")
    for one in found:
        click.echo(f"    {one.occurred_at:%Y-%m-%d %H:%M %Z}  {one.action} {one.masked} ({one.source})")


COMMANDS = (totals, growth, ending, ask_again, reviews_, decide, wording)
