"""Sender accounts: configure, open for use, check, hold."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import lawful
from broadcaster.actions.organisation import time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import CONCURRENCY, AccountConfig, Capabilities, Channel, CheckResult
from broadcaster.core import domain_rates as by_domain
from broadcaster.core import warmup
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import AccountHeld, Changed
from broadcaster.core.warmup import Day
from broadcaster.storage import accounts as rows
from broadcaster.storage import domains, log, warmups
from broadcaster.storage.tables import Account


def create(
    runtime: Runtime,
    *,
    brand_id: int,
    provider: str,
    channel: str = "",
    name: str,
    settings: Mapping[str, str],
    base_url: str = "",
    rate_per_second: float | None = None,
    concurrency: int = CONCURRENCY,
    cost_micros: int = 0,
    warm_up: str = "",
    domain_rates: str = "",
    actor: str,
) -> int:
    """Configure a sender; *channel* where the provider serves several.

    *warm_up* and *domain_rates* are written as ``core/warmup`` and ``core/domain_rates`` say. Raises InvalidInput
    naming what is wrong.
    """
    served = registry.get(provider, channel)
    _check_pace(rate_per_second, concurrency, cost_micros)
    days, table = warmup.read(warm_up), _domain_table(served.capabilities, domain_rates)
    opened, hidden = _sorted_settings(served, settings)
    if not name.strip():
        raise InvalidInput("give the account a name", field="name")
    with runtime.db.transaction(actor) as session:
        if rows.name_taken(session, name.strip()):
            raise Conflict("an account of that name exists", code="name_taken")
        now = runtime.db.now(session)
        row = Account(
            brand_id=brand_id,
            channel=served.capabilities.channel,
            provider=provider,
            name=name.strip(),
            base_url=_checked_base(base_url),
            settings=opened,
            webhook_key=secrets.token_urlsafe(24),
            rate_per_second=rate_per_second,
            concurrency=concurrency,
            warm_up=days,
            domain_rates=table,
            cost_micros=cost_micros,
            created_at=now,
        )
        session.add(row)
        session.flush()
        row.secrets_ct = _seal(runtime, row.id, hidden)
        session.add(row)
        log.record(session, Changed(what="account", id=row.id, verb="created"), at=now)
        return row.id


def update(
    runtime: Runtime,
    account_id: int,
    *,
    settings: Mapping[str, str],
    base_url: str = "",
    rate_per_second: float | None = None,
    concurrency: int = CONCURRENCY,
    cost_micros: int | None = None,
    warm_up: str | None = None,
    domain_rates: str | None = None,
    actor: str,
) -> None:
    """Change an account; a secret left empty stays as it is, and so do a price and limits that are not given."""
    _check_pace(rate_per_second, concurrency, cost_micros or 0)
    days = None if warm_up is None else warmup.read(warm_up)
    with runtime.db.transaction(actor) as session:
        row = _get(session, account_id)
        channel = registry.get(row.provider)
        before = _open(runtime, row)
        given = {key: value for key, value in settings.items() if value}
        kept = {key: value for key, value in before.items() if key not in given}
        opened, hidden = _sorted_settings(channel, {**settings, **kept, **given})
        row.settings, row.secrets_ct = opened, _seal(runtime, row.id, hidden)
        row.base_url, row.rate_per_second, row.concurrency = _checked_base(base_url), rate_per_second, concurrency
        if cost_micros is not None:
            row.cost_micros = cost_micros
        if days is not None:
            _warm_up(session, row, days)
        if domain_rates is not None:
            _limit_domains(session, row, domain_rates)
        session.add(row)
        now = runtime.db.now(session)
        log.record(session, Changed(what="account", id=row.id, verb="changed", fields=tuple(sorted(settings))), at=now)


def warm_up(runtime: Runtime, account_id: int, told: str, *, actor: str) -> list[int]:
    """Let an account send no more than so many messages on each of its first days; return them. Nothing ends it.

    One that warms up already goes on where it stands. Raises InvalidInput ``warm_up``.
    """
    days = warmup.read(told)
    with runtime.db.transaction(actor) as session:
        row = _get(session, account_id)
        _warm_up(session, row, days)
        session.add(row)
        now = runtime.db.now(session)
        log.record(session, Changed(what="account", id=row.id, verb="changed", fields=("warm_up",)), at=now)
        channel = row.channel
    runtime.ring(account_id, channel)
    return days


def warm_up_day(session: Session, row: Account, *, now: datetime) -> Day | None:
    """Return the day of its warm-up an account is in *now*, None if it is warm."""
    today = warmups.last_day(session, row.id).at(now, time_zone(session))
    return None if today.most(row.warm_up) is None else today


def _warm_up(session: Session, row: Account, days: list[int]) -> None:
    if days != row.warm_up:
        warmups.changed(session, row.id, begins=not row.warm_up)
        row.warm_up = days


def limit_domains(runtime: Runtime, account_id: int, told: str, *, actor: str) -> dict[str, int]:
    """Let an account send no more than so many messages a minute to each mail domain; return them. Nothing ends it.

    Raises InvalidInput ``domain_rates``, or ``domain_rates_mail`` where there are no domains.
    """
    with runtime.db.transaction(actor) as session:
        row = _get(session, account_id)
        _limit_domains(session, row, told)
        session.add(row)
        now = runtime.db.now(session)
        log.record(session, Changed(what="account", id=row.id, verb="changed", fields=("domain_rates",)), at=now)
        table, channel = row.domain_rates, row.channel
    runtime.ring(account_id, channel)
    return table


def _limit_domains(session: Session, row: Account, told: str) -> None:
    table = _domain_table(registry.get(row.provider, row.channel).capabilities, told)
    if table != row.domain_rates:
        domains.changed(session, row.id)
        row.domain_rates = table


def _domain_table(capabilities: Capabilities, told: str) -> dict[str, int]:
    table = by_domain.read(told)
    if table and capabilities.address_kind != "email":
        raise InvalidInput("only e-mail has domains", field="domain_rates", code="domain_rates_mail")
    return table


def set_state(runtime: Runtime, account_id: int, state: str, *, actor: str) -> None:
    """Pause, resume or disable an account."""
    with runtime.db.transaction(actor) as session:
        row = _get(session, account_id)
        row.state, row.state_reason = state, ""
        session.add(row)
        log.record(session, Changed(what="account", id=row.id, verb=state), at=runtime.db.now(session))
        channel = row.channel
    runtime.ring(account_id, channel)


def hold(session: Session, account_id: int, outcome: str, *, now: Any) -> None:
    """Stop an account whose provider refused us; a person must look. Within the caller's transaction."""
    row = _get(session, account_id)
    if row.state == "active":
        row.state, row.state_reason = "held", outcome
        session.add(row)
        log.record(session, AccountHeld(account_id=account_id, outcome=outcome), at=now)


def config(runtime: Runtime, session: Session, account_id: int) -> AccountConfig:
    """Open an account for use by its channel."""
    row = _get(session, account_id)
    return AccountConfig(
        id=row.id,
        channel=row.channel,
        base_url=row.base_url,
        settings={key: str(value) for key, value in row.settings.items()},
        secrets=_open(runtime, row),
        concurrency=row.concurrency,
        public_url=f"{runtime.public_url}/hooks/{row.webhook_key}",
    )


def check(runtime: Runtime, account_id: int) -> CheckResult:
    """Try an account for real, without sending anything to anybody."""
    with runtime.db.reading() as session:
        row = _get(session, account_id)
        opened = config(runtime, session, account_id)
        barred = lawful.barred_sender(session, row)
    found = registry.get(row.provider).check(opened)
    return found if barred is None else replace(found, ok=False, problems=(*found.problems, str(barred)))


def stored_secrets(runtime: Runtime, account_id: int) -> frozenset[str]:
    """Return the names of the secrets an account has, never their values."""
    with runtime.db.reading() as session:
        return frozenset(name for name, value in _open(runtime, _get(session, account_id)).items() if value)


def by_webhook_key(session: Session, key: str) -> Account:
    """Return the account whose webhook address ends in *key*. Raises NotFound."""
    row = rows.by_webhook_key(session, key)
    if row is None:
        raise NotFound("no such webhook")
    return row


def _get(session: Session, account_id: int) -> Account:
    row = session.get(Account, account_id)
    if row is None:
        raise NotFound("there is no such account")
    return row


def _sorted_settings(channel: Channel, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return (open, secret) settings, checked against the channel's fields."""
    known = {field.name: field for field in channel.fields}
    for name in given:
        if name not in known:
            raise InvalidInput(f"this channel has no setting {name!r}", field=name, code="unknown_field")
    opened: dict[str, str] = {}
    hidden: dict[str, str] = {}
    for name, field in known.items():
        value = str(given.get(name) or field.default).strip()
        if field.required and not value:
            raise InvalidInput(f"{field.label} is needed", field=name, code="required")
        if field.choices and value and value not in field.choices:
            raise InvalidInput(f"{field.label}: choose one of {', '.join(field.choices)}", field=name)
        if len(value) > 10_000 or not (_many_lines(value) or value.isprintable()):
            raise InvalidInput(f"{field.label} is not acceptable: one line, at most 10 000 characters", field=name)
        (hidden if field.secret else opened)[name] = value
    return opened, hidden


RATE_MOST = 10_000.0  #: messages per second
CONCURRENCY_MOST = 2000
COST_MOST_MICROS = 1_000_000_000


def _check_pace(rate: float | None, concurrency: int, cost_micros: int) -> None:
    """Refuse a rate, a number of calls at a time or a price that makes no sense, naming the field."""
    if rate is not None and not 0.001 <= rate <= RATE_MOST:
        raise InvalidInput("a rate is above 0 and at most 10 000 per second", field="rate_per_second", code="rate")
    if not 1 <= concurrency <= CONCURRENCY_MOST:
        raise InvalidInput("between 1 and 2 000 calls at a time", field="concurrency", code="concurrency")
    if not 0 <= cost_micros <= COST_MOST_MICROS:
        raise InvalidInput("a message costs between 0 and 1 000", field="cost", code="cost")


def _many_lines(value: str) -> bool:
    return value.startswith("-----BEGIN ")


def _checked_base(base_url: str) -> str:
    base = base_url.strip().rstrip("/")
    if base and not re.fullmatch(r"https?://[^\s/@?#\\]+(/[^\s?#\\]*)?", base):
        raise InvalidInput("use a full address, such as https://api.example.org", field="base_url")
    return base


_KEY_ID_BYTES = 8


def _seal(runtime: Runtime, account_id: int, hidden: Mapping[str, str]) -> bytes:
    key_id, sealed = runtime.keys.wrap(json.dumps(dict(hidden)).encode(), b"account:%d" % account_id)
    return key_id.encode() + sealed


def _open(runtime: Runtime, row: Account) -> dict[str, str]:
    if row.secrets_ct is None:
        return {}
    key_id, sealed = row.secrets_ct[:_KEY_ID_BYTES].decode(), row.secrets_ct[_KEY_ID_BYTES:]
    opened: dict[str, str] = json.loads(runtime.keys.unwrap(sealed, key_id, b"account:%d" % row.id))
    return opened
