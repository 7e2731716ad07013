"""``demo``: the main job on invented people, through the product's own doors, and the account of it.

A CSV with proof of consent is imported, a campaign goes out by e-mail and SMS to local fakes, people answer STOP in
their own words, a second campaign goes out; then the fakes' books are compared with ours.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from dataclasses import dataclass, field
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from broadcaster import config
from broadcaster.actions import campaigns, content, forecast, sequencer, staff
from broadcaster.cli.context import Context
from broadcaster.cli.demo_people import ORDINARY, STOPS, invent
from broadcaster.cli.demo_world import (
    ACTOR,
    World,
    import_people,
    new_password,
    open_world,
    settings_for,
    wait_for,
    write_template,
)
from broadcaster.fakes.server import post
from broadcaster.storage import demonstration

_STOPPERS = 60  #: at most; of a small company a quarter


@dataclass(slots=True)
class Story:
    """What happened, as the fakes saw it and as we say it."""

    imported: dict[str, Any] = field(default_factory=dict)
    sent: list[dict[str, list[str]]] = field(default_factory=list)  #: per campaign: channel -> recipients, as received
    campaigns: list[dict[str, Any]] = field(default_factory=list)
    stopped: set[tuple[str, str]] = field(default_factory=set)  #: (channel, address)


@click.command()
@click.option("--exit", "leave", is_flag=True, help="Stop after the account instead of leaving the pages running.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--people", "count", default=3000, show_default=True, type=click.IntRange(50, 9000), help="How many.")
@click.pass_obj
def demo(obj: Context, leave: bool, as_json: bool, count: int) -> int:
    """Show the main job on invented people, then leave the pages running."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    console = Console(stderr=as_json, highlight=False)
    settings = settings_for(obj.settings)
    with open_world(settings, invent(count)) as world:
        told = _account(world, _play(world, console))
        if as_json:
            click.echo(json.dumps(told, ensure_ascii=False, indent=2))
        else:
            _print(console, told)
        if not leave and not as_json:
            _leave_open(world, console)
    return 0 if told["ok"] else 8


def _play(world: World, console: Console) -> Story:
    story = Story()
    with _bar(console) as bar:
        task = bar.add_task("Importing customers.csv", total=len(world.people) + 2)
        story.imported = import_people(world, lambda told: bar.update(task, completed=told.done, total=told.total))
        template = write_template(world)
        audience = content.save_audience(world.runtime, name="Everybody", rule={"type": "everybody"}, actor=ACTOR)
        _campaign(world, story, bar, "Spring lamps", template, audience)
        _answers(world, story, bar)
        _campaign(world, story, bar, "Last chance for spring lamps", template, audience)
    return story


def _bar(console: Console) -> Progress:
    return Progress(TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), console=console)


def _campaign(world: World, story: Story, bar: Progress, name: str, template: int, audience: int) -> None:
    """Draft, launch, watch, and note what the fakes received."""
    assert world.purposes is not None
    before = _received(world)
    lanes = (("email", world.email_account), ("sms", world.sms_account))
    campaign_id = campaigns.create(
        world.runtime,
        name=name,
        brand_id=world.brand_id,
        purpose_id=world.purposes["offers"],
        audience_id=audience,
        template_id=template,
        plan={"channels": [{"channel": channel, "account_id": account} for channel, account in lanes]},
        actor=ACTOR,
    )
    forecast.launch(world.runtime, campaign_id, actor=ACTOR)
    with world.runtime.db.reading() as session:
        total = demonstration.audience_size(session)
    task = bar.add_task(f"Campaign “{name}”", total=total)

    def finished() -> bool:
        with world.runtime.db.reading() as session:
            found = demonstration.states(session, campaign_id)
            bar.update(task, completed=sum(n for state, n in found.items() if state not in ("planned", "dispatching")))
            return campaigns.get(session, campaign_id).state == "finished"

    wait_for(finished, f"campaign {name}", works=world.works)
    after = _received(world)
    story.sent.append({channel: after[channel][len(before[channel]) :] for channel in after})
    with world.runtime.db.reading() as session:
        states, reasons = demonstration.states(session, campaign_id), demonstration.reasons(session, campaign_id)
    story.campaigns.append({"id": campaign_id, "name": name, "audience": total, "states": states, "reasons": reasons})


def _received(world: World) -> dict[str, list[str]]:
    """Return whom campaigns reached, in the fakes' books; our references tell campaigns from confirmations."""
    mails = [mail.recipient for mail in world.mail.messages() if mail.message_id.startswith("<s")]
    texts = [one.to for one in list(world.sms.messages.values()) if "ref=s" in one.callback]
    return {"email": mails, "sms": texts}


def _answers(world: World, story: Story, bar: Progress) -> None:
    """Let people answer: stop in many words, one click, a kind word; wait until every refusal is in the ledger."""
    mails = world.mail.messages()
    texts = story.sent[0]["sms"]
    stoppers = min(_STOPPERS, len(world.people) // 4)
    task = bar.add_task("People answer", total=stoppers)
    for n in range(stoppers):
        word = STOPS[n % len(STOPS)]
        if n % 3 == 0 and n // 3 < len(texts):
            number = texts[n // 3]
            world.sms.say(world.sms_hook, number, word)
            story.stopped.add(("sms", number))
        elif n % 3 == 1:
            world.mail.reply(mails[n], word)
            story.stopped.add(("email", mails[n].recipient))
        else:
            _one_click(mails[n].raw)
            story.stopped.add(("email", mails[n].recipient))
        bar.update(task, completed=n + 1)
    for n, word in enumerate(ORDINARY):
        world.mail.reply(mails[stoppers + n], word)

    def obeyed() -> bool:
        with world.runtime.db.reading() as session:
            return demonstration.refused_addresses(session) >= len(story.stopped)

    wait_for(obeyed, "the refusals", works=world.works)


def _one_click(raw: bytes) -> None:
    """Do what a mail program's button does (RFC 8058)."""
    found = re.search(rb"^List-Unsubscribe:\s*<([^>]+)>", raw.replace(b"\r\n ", b" "), re.MULTILINE)
    if found is not None:
        body, kind = b"List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"
        post(found[1].decode(), body, {"Content-Type": kind})


def _account(world: World, story: Story) -> dict[str, Any]:
    """Compare the fakes' books with ours."""
    agreed = {("email", p.email) for p in world.people if p.email_yes}
    agreed |= {("sms", p.phone) for p in world.people if p.sms_yes}
    received = [[(channel, to) for channel, all_to in one.items() for to in all_to] for one in story.sent]
    accepted = [one["states"].get("accepted", 0) for one in story.campaigns]
    sequencer.sequence(world.runtime)
    verified = sequencer.verify(world.runtime)
    told: dict[str, Any] = {
        "contacts": story.campaigns[0]["audience"],
        "import": story.imported,
        "campaigns": story.campaigns,
        "sums_hold": all(sum(one["states"].values()) == one["audience"] for one in story.campaigns),
        "received_by_providers": [len(one) for one in received],
        "accepted_is_received": [len(one) for one in received] == accepted,
        "without_consent": sum(to not in agreed for one in received for to in one),
        "twice": sum(len(one) - len(set(one)) for one in received),
        "said_stop": len(story.stopped),
        "after_stop": sum(to in story.stopped for to in received[1]),
        "log": {"size": verified.size, "root": verified.root, "verified": verified.ok, "problems": verified.problems},
    }
    told["ok"] = (
        told["sums_hold"]
        and told["accepted_is_received"]
        and not (told["without_consent"] or told["twice"] or told["after_stop"])
        and verified.ok
    )
    return told


def _print(console: Console, told: dict[str, Any]) -> None:
    console.print()
    for one in told["campaigns"]:
        states = ", ".join(f"{count} {state}" for state, count in sorted(one["states"].items()))
        console.print(f"[bold]{one['name']}[/bold]: {one['audience']} people = {states}")
        why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in one["reasons"].items())
        console.print(f"  not written to: {why}")
    marks = {
        "every audience is the sum of its states": told["sums_hold"],
        "what we call accepted is what the providers received": told["accepted_is_received"],
        "nobody without consent": not told["without_consent"],
        f"nobody of the {told['said_stop']} who said stop": not told["after_stop"],
        "nobody twice": not told["twice"],
        f"the log of {told['log']['size']} entries verifies": told["log"]["verified"],
    }
    for text, good in marks.items():
        console.print(f"  {'[green]yes[/green]' if good else '[red]NO [/red]'}  {text}")
    console.print("Sending windows are open in the demonstration: its people and providers are invented.")


def spoken(terminal: str) -> str:
    """Return the language of the terminal, if the pages speak it, else the first of the pages' own."""
    return terminal if terminal in staff.LANGUAGES else staff.LANGUAGES[0]


def _leave_open(world: World, console: Console) -> None:
    """Make a sign-in, say where to look, and wait."""
    password = new_password()
    token = staff.setup_token(world.runtime)
    if token is not None:
        who = {"email": "admin@example.com", "name": "Demo Admin", "password": password}
        staff.create_first(world.runtime, token, language=spoken(config.terminal_language()), **who)
    console.print(f"\nLook around: [bold]{world.settings.public_url}[/bold]")
    console.print(f"Sign in as admin@example.com with the password {password}. Ctrl-C ends the demonstration.")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        console.print("Bye.")
