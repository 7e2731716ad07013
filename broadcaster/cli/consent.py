"""``consent``: read the history of an address or a contact, record what somebody said, rebuild the projection."""

from __future__ import annotations

import json
from typing import Any

import click

from broadcaster.actions import consent_history, double_optin, optin, whereabouts
from broadcaster.actions.consent_history import Entry, Standing
from broadcaster.actions.optin import Proof, Told
from broadcaster.cli import consent_desk, law
from broadcaster.cli.context import Context, confirm
from broadcaster.cli.moments import moment_of
from broadcaster.core.consent import Source
from broadcaster.core.law.terms import Offer
from broadcaster.storage import consent as ledger

ACTIONS = ("grant", "ask", "withdraw", "object", "restrict", "release")


@click.group()
def consent() -> None:
    """Show and record consent."""


@consent.command()
@click.option("--contact", type=click.IntRange(1), help="A contact's number.")
@click.option("--channel", help="Where the address is: email, sms, telegram:3 ...")
@click.option("--address", help="The address itself.")
@click.option("--as-of", metavar="TIME", help="What was known then: 2026-05-31T14:00+02:00.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def history(
    obj: Context, contact: int | None, channel: str | None, address: str | None, as_of: str | None, as_json: bool
) -> None:
    """Show everything that happened, with the words shown and the proof, and where each purpose stands."""
    runtime = obj.runtime()
    moment = None if as_of is None else moment_of(as_of, "as-of")
    if contact is not None:
        with runtime.db.reading() as session:
            ids = consent_history.of_contact(session, contact)
    elif channel and address:
        ids = [whereabouts.find(runtime, channel, address)]
    else:
        raise click.UsageError("say --contact, or --channel and --address")
    found = [entry for entry in consent_history.history(runtime, ids) if moment is None or entry.received_at <= moment]
    states = {one: consent_history.standings(runtime, one, moment=moment) for one in ids}
    if as_json:
        told = {"addresses": [_state(one, states[one]) for one in ids], "events": [_event(entry) for entry in found]}
        click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        return
    for entry in found:
        _print(entry)
    for one in ids:
        for state in states[one]:
            click.echo(f"address {one}: {state.purpose.key} is {state.standing or 'unknown, which is no'}")


def _state(address_id: int, standings: list[Standing]) -> dict[str, Any]:
    rows = [
        {
            "purpose": one.purpose.key,
            "standing": one.standing,
            "since": None if one.since is None else one.since.isoformat(),
            "event_id": one.event_id,
        }
        for one in standings
    ]
    return {"address_id": address_id, "purposes": rows}


def _event(entry: Entry) -> dict[str, Any]:
    words = entry.wording
    return {
        "event_id": entry.id,
        "address_id": entry.address_id,
        "channel": entry.channel,
        "purpose": entry.purpose.key,
        "action": entry.action,
        "actor": entry.actor,
        "source": entry.source,
        "basis": entry.basis,
        "occurred_at": entry.occurred_at.isoformat(),
        "received_at": entry.received_at.isoformat(),
        "expires_at": None if entry.expires_at is None else entry.expires_at.isoformat(),
        "effective": not entry.ineffective,
        "staff_id": entry.staff_id,
        "import_id": entry.import_id,
        "step_id": entry.step_id,
        "position": entry.position,
        "wording": None
        if words is None
        else {
            "id": words.id,
            "language": words.language,
            "version": words.version,
            "sha256": words.sha256,
            "text": words.text,
        },
        "evidence": None if entry.evidence is None else dict(entry.evidence),
        "intact": entry.intact,
    }


def _print(entry: Entry) -> None:
    effect = " WITHOUT EFFECT: a refusal stands" if entry.ineffective else ""
    when = entry.occurred_at.strftime("%Y-%m-%d %H:%M %Z")
    click.echo(f"{when}  {entry.action} {entry.purpose.key} ({entry.source}, {entry.actor}) {entry.masked}{effect}")
    if entry.wording is not None:
        click.echo(f"    words: {entry.wording.language} v{entry.wording.version} “{_line(entry.wording.text)}”")
    for name, value in (entry.evidence or {}).items():
        if name in {"proof", "reason", "words", "form", "file", "line"} and value:
            click.echo(f"    {name}: {_line(str(value))}")
    if entry.evidence is None:
        click.echo("    proof: erased" if entry.intact else "    proof: DOES NOT VERIFY")


def _line(text: str) -> str:
    """Return words on one line, without what a terminal would obey."""
    return "".join(sign if sign.isprintable() else " " for sign in " ".join(text.split()))[:200]


@consent.command()
@click.option("--action", required=True, type=click.Choice(ACTIONS))
@click.option("--channel", required=True, help="email, sms, telegram:3 ...")
@click.option("--address", required=True)
@click.option("--purpose", help="A purpose's key; without it, a refusal is of all marketing.")
@click.option("--wording", type=click.IntRange(1), help="Number of the wording agreed to (`purposes list`).")
@click.option("--date", "date", metavar="TIME", help="With its zone: 2026-05-31T14:00+02:00; now, if left out.")
@click.option("--source", type=click.Choice([one.value for one in optin.SOURCES]), help="How they told us.")
@click.option("--proof", default="", help="What was said or signed, or where it is kept; the reason of a hold.")
@click.option("--order", default="", help="What was bought: a soft opt-in rests on a sale.")
@click.option("--family", default="", help="Its family of products; only similar ones may be offered.")
@click.option("--refusal-offered", is_flag=True, help="They could refuse when the address was asked for.")
@click.option("--everywhere", is_flag=True, help="A refusal: at every address of this person.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def record(
    obj: Context,
    action: str,
    channel: str,
    address: str,
    purpose: str | None,
    wording: int | None,
    date: str | None,
    source: str | None,
    proof: str,
    order: str,
    family: str,
    refusal_offered: bool,
    everywhere: bool,
    as_json: bool,
) -> None:
    """Record what a person said: a yes with its proof, a no at once, a hold with its reason."""
    _check_usage(action, purpose, wording, date, source)
    runtime = obj.runtime()
    if action in ("restrict", "release"):
        address_id = whereabouts.ensure(runtime, channel, address, by_person=True, actor=obj.actor)
        verb = optin.restrict if action == "restrict" else optin.release
        _tell(verb(runtime, address_id=address_id, reason=proof, actor=obj.actor), as_json=as_json)
        return
    yes = action in ("grant", "ask")
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
        purpose_id = None if purpose is None else ledger.purpose_id(session, purpose)
        told = Proof(Source(source or ""), now if date is None else moment_of(date, "date"), proof)
        optin.check_proof(told, now=now, needs_text=yes)
        if yes:
            optin.agreed(session, purpose_id or 0, wording or 0)
    address_id = whereabouts.ensure(runtime, channel, address, by_person=not yes, actor=obj.actor)
    if yes:
        offer = Offer(order, family, refusal_offered) if order or family or refusal_offered else None
        _yes(obj, action, address_id, purpose_id or 0, wording or 0, told, offer, as_json=as_json)
        return
    what = purpose_id if action == "withdraw" else None
    refused = optin.refuse(
        runtime, address_id=address_id, purpose_id=what, everywhere=everywhere, proof=told, actor=obj.actor
    )
    _tell(refused, as_json=as_json)


def _check_usage(action: str, purpose: str | None, wording: int | None, date: str | None, source: str | None) -> None:
    """Raise UsageError for what an action cannot do without, before anything is opened."""
    if action in ("restrict", "release"):
        return
    if source is None:
        raise click.UsageError("say --source: how the person told us")
    if action in ("grant", "ask") and (purpose is None or wording is None):
        raise click.UsageError("a consent needs --purpose and --wording")
    if action == "grant" and date is None:
        raise click.UsageError("a consent needs --date")
    if action == "withdraw" and purpose is None:
        raise click.UsageError("say which --purpose is withdrawn; `--action object` stops all marketing")


def _yes(
    obj: Context,
    action: str,
    address_id: int,
    purpose_id: int,
    wording_id: int,
    told: Proof,
    offer: Offer | None,
    *,
    as_json: bool,
) -> None:
    runtime = obj.runtime()
    what: dict[str, Any] = {"address_id": address_id, "purpose_id": purpose_id, "wording_id": wording_id}
    if action == "grant":
        _tell(optin.grant(runtime, **what, proof=told, offer=offer, actor=obj.actor), as_json=as_json)
        return
    asked = double_optin.request(
        runtime, **what, source=told.source, evidence=told.evidence(), by_person=False, actor=obj.actor
    )
    shown = {"request_id": asked.request_id, "message_id": asked.message_id, "open_until": asked.expires_at.isoformat()}
    click.echo(json.dumps(shown) if as_json else f"The question is on its way; open until {shown['open_until']}.")


def _tell(told: Told, *, as_json: bool) -> None:
    """Say what was recorded, and plainly when it changed nothing."""
    shown = {
        "event_ids": told.recorded.event_ids,
        "addresses": list(told.addresses),
        "ineffective": told.recorded.ineffective,
        "refusal": None if told.refusal is None else told.refusal.value,
        "skipped_messages": told.recorded.skipped_steps,
        "in_flight": told.recorded.in_flight,
    }
    if as_json:
        click.echo(json.dumps(shown))
        return
    click.echo(f"Recorded: event {', '.join(str(one) for one in told.recorded.event_ids)}.")
    if told.recorded.ineffective:
        click.echo(f"It changes nothing: {shown['refusal']} stands, and only the person can lift that.")
    if told.recorded.in_flight:
        click.echo(f"{told.recorded.in_flight} messages were with the provider already.")


@consent.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def rebuild(obj: Context, yes: bool) -> None:
    """Drop the states and make them anew from the ledger; they come out the same."""
    confirm("Drop and rebuild the state of all consent from the ledger?", yes=yes)
    click.echo(f"Rebuilt: {optin.rebuild(obj.runtime(), actor=obj.actor)} addresses.")


for _verb in (*consent_desk.COMMANDS, law.rules, law.set_rule, law.end_rule, law.set_roles):
    consent.add_command(_verb)
