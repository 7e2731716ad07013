"""``accounts``: configure senders, try them, hold them. A secret is never an argument: other users could read it."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from broadcaster.actions import accounts as verbs
from broadcaster.channels import registry
from broadcaster.cli.context import Context
from broadcaster.core.errors import InvalidInput, Misconfigured, NotFound
from broadcaster.storage import consent_history, optin
from broadcaster.storage.tables import Account


@click.group()
def accounts() -> None:
    """Configure and check sender accounts."""


@accounts.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """Show the accounts; secrets are never shown."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        told = [_row(one) for one in optin.accounts(session)]
    if as_json:
        click.echo(json.dumps({"accounts": told}, ensure_ascii=False, indent=2))
        return
    for one in told:
        why = f" ({one['state_reason']})" if one["state_reason"] else ""
        click.echo(f"{one['id']}  {one['name']}: {one['provider']}, {one['channel']}, {one['state']}{why}")


def _row(row: Account) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "provider": row.provider,
        "channel": row.channel,
        "state": row.state,
        "state_reason": row.state_reason,
        "base_url": row.base_url,
        "rate_per_second": row.rate_per_second,
        "concurrency": row.concurrency,
        "warm_up": row.warm_up,
        "domain_rates": row.domain_rates,
        "settings": dict(row.settings),
    }


@accounts.command("add")
@click.argument("provider", type=click.Choice(list(registry.CHANNELS)))
@click.option("--name", required=True)
@click.option("--brand", required=True, help="A brand's key.")
@click.option(
    "--channel", type=click.Choice(registry.channels_of(registry.SANDBOX)), help="Of a sandbox: email if not given."
)
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="An open setting.")
@click.option("--secret-from-env", "from_env", multiple=True, metavar="KEY=VARIABLE", help="A secret, by a variable.")
@click.option("--secret-stdin", "from_stdin", metavar="KEY", help="A secret, read from standard input.")
@click.option("--base-url", default="", help="Another server than the provider's own.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Messages per second.")
@click.option("--warm-up", default="", metavar="DAYS", help="As `accounts warm-up` takes it.")
@click.option("--domain-rates", default="", metavar="TABLE", help="As `accounts domain-rates` takes it.")
@click.pass_obj
def add(
    obj: Context,
    provider: str,
    name: str,
    brand: str,
    channel: str | None,
    settings: tuple[str, ...],
    from_env: tuple[str, ...],
    from_stdin: str | None,
    base_url: str,
    rate: float | None,
    warm_up: str,
    domain_rates: str,
) -> None:
    """Configure a sender. `--set` of a secret is refused: use --secret-from-env or --secret-stdin."""
    secret = {one.name for one in registry.get(provider).fields if one.secret}
    given = dict(_pair(one) for one in settings)
    for key in given:
        if key in secret:
            raise InvalidInput("this is a secret: use --secret-from-env or --secret-stdin", field=key, code="secret")
    given |= {key: _variable(key, variable) for key, variable in map(_pair, from_env)}
    if from_stdin is not None:
        given[from_stdin] = sys.stdin.read(20_000).strip()
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        brand_id = next((one.id for one in consent_history.brands(session) if one.key == brand), None)
    if brand_id is None:
        raise NotFound(f"there is no brand {brand!r}")
    made = verbs.create(
        runtime,
        brand_id=brand_id,
        provider=provider,
        channel=channel or "",
        name=name,
        settings=given,
        base_url=base_url,
        rate_per_second=rate,
        warm_up=warm_up,
        domain_rates=domain_rates,
        actor=obj.actor,
    )
    click.echo(f"account {made}")


def _variable(key: str, variable: str) -> str:
    found = dict(os.environ).get(variable, "")
    if not found:
        raise Misconfigured(f"the variable {variable} is empty, and {key} was to come from it", code="no_secret")
    return found


@accounts.command()
@click.argument("account", type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def check(obj: Context, account: int, as_json: bool) -> int:
    """Try an account for real; nothing is sent to anybody. Exit 7 if it does not work."""
    found = verbs.check(obj.runtime(), account)
    if as_json:
        click.echo(json.dumps({"ok": found.ok, "detail": found.detail, "problems": list(found.problems)}))
    else:
        click.echo(f"{'works' if found.ok else 'does not work'}{': ' if found.detail else ''}{found.detail}")
        for problem in found.problems:
            click.echo(f"  - {problem}")
    return 0 if found.ok else 7


@accounts.command()
@click.argument("account", type=click.IntRange(1))
@click.pass_obj
def pause(obj: Context, account: int) -> None:
    """Send nothing more on an account until it is resumed."""
    verbs.set_state(obj.runtime(), account, "paused", actor=obj.actor)
    click.echo("paused")


@accounts.command()
@click.argument("account", type=click.IntRange(1))
@click.pass_obj
def resume(obj: Context, account: int) -> None:
    """Send on an account again, also after a provider's refusal put it on hold."""
    verbs.set_state(obj.runtime(), account, "active", actor=obj.actor)
    click.echo("active")


@accounts.command("warm-up")
@click.argument("account", type=click.IntRange(1))
@click.argument("days")
@click.pass_obj
def warm_up(obj: Context, account: int, days: str) -> None:
    """Let a new account send only so many messages on each of its first DAYS.

    Such as "200, 400, 800", or "200 x 1.5 x 14": the first day, the growth, the days. Empty ends it. Only days on which
    something is sent count; after the last the account sends as fast as its rate allows.
    """
    told = verbs.warm_up(obj.runtime(), account, days, actor=obj.actor)
    click.echo(f"{len(told)} days: {', '.join(map(str, told))}" if told else "no warm-up")


@accounts.command("domain-rates")
@click.argument("account", type=click.IntRange(1))
@click.argument("table")
@click.pass_obj
def domain_rates(obj: Context, account: int, table: str) -> None:
    """Let a mail account send only so many messages a minute to each domain of TABLE.

    Such as "gmail.com = 600, * = 1000", where * is any other domain, each by itself. Empty ends it. Who is over the
    number of their domain waits; nobody else does.
    """
    told = verbs.limit_domains(obj.runtime(), account, table, actor=obj.actor)
    click.echo(", ".join(f"{domain} = {most}" for domain, most in told.items()) or "no limit by domain")


@accounts.command()
@click.argument("account", type=click.IntRange(1))
@click.pass_obj
def webhook(obj: Context, account: int) -> None:
    """Print the address to give to the provider; who knows it can knock, but not sign."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        click.echo(verbs.config(runtime, session, account).public_url)


def _pair(said: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals or not name.strip():
        raise click.UsageError("write it as key=value")
    return name.strip(), value
