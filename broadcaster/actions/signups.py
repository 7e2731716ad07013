"""Sign-up forms: what they show, and what follows when somebody fills one in: a question; the yes comes later.

Whoever fills one in learns nothing about an address: it is asked, was asked already, or has agreed, all in silence.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from broadcaster.actions import double_optin, joining, whereabouts
from broadcaster.actions.double_optin import Asking
from broadcaster.actions.optin import agreed
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.told import Told
from broadcaster.channels import registry
from broadcaster.core import deep_links
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.core.events import Json
from broadcaster.storage import log
from broadcaster.storage import signups as rows
from broadcaster.storage.tables import Brand, Message, Purpose, SignupForm, Wording

_KEY_BYTES = 8
MOST_WORDINGS = 10


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form's page shows. ``typed``: the channels whose address people type; ``links``: (channel, link)."""

    key: str
    brand: str
    language: str
    asks: tuple[tuple[int, Mapping[str, str], str], ...]  #: (wording id, purpose's name by language, exact words)
    typed: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


def channels() -> list[str]:
    """Return the channels a form can offer."""
    return sorted({one.capabilities.channel for one in registry.CHANNELS.values()})


def create(
    runtime: Runtime,
    *,
    name: str,
    brand_id: int,
    language: str,
    wording_ids: Sequence[int],
    offered: Sequence[str],
    actor: str,
) -> int:
    """Make a form's page. Raises InvalidInput naming the field."""
    if not offered or not set(offered) <= set(channels()):
        raise InvalidInput("choose at least one channel", field="channels", code="unknown_choice")
    if not 0 < len(wording_ids) <= MOST_WORDINGS:
        raise InvalidInput("choose what people can agree to", field="wordings", code="unknown_choice")
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        if session.get(Brand, brand_id) is None:
            raise InvalidInput("choose a brand", field="brand", code="unknown_choice")
        _check_wordings(session, brand_id, wording_ids)
        row = SignupForm(
            key=secrets.token_hex(_KEY_BYTES),
            name=name.strip(),
            brand_id=brand_id,
            language=language,
            wording_ids=list(wording_ids),
            channels=list(offered),
            created_at=now,
        )
        session.add(row)
        session.flush()
        log.record(session, Changed(what="signup_form", id=row.id, verb="created"), at=now)
        return row.id


def _check_wordings(session: Session, brand_id: int, wording_ids: Sequence[int]) -> None:
    """Raise InvalidInput unless each is of a purpose of its own, of this brand."""
    purposes = set()
    for wording_id in wording_ids:
        wording = session.get(Wording, wording_id)
        if wording is None:
            raise InvalidInput("choose what people can agree to", field="wordings", code="unknown_choice")
        purpose, _ = agreed(session, wording.purpose_id, wording.id)
        if purpose.brand_id not in (None, brand_id) or purpose.id in purposes:
            raise InvalidInput("one wording of each purpose, all of one brand", field="wordings", code="wording_mixed")
        purposes.add(purpose.id)


def close(runtime: Runtime, form_id: int, *, actor: str) -> None:
    """Take a form's page down; what people agreed to through it stays. Raises NotFound."""
    with runtime.db.transaction(actor) as session:
        row = session.get(SignupForm, form_id)
        if row is None or row.closed_at is not None:
            raise NotFound("there is no such form")
        row.closed_at = runtime.db.now(session)
        session.add(row)
        log.record(session, Changed(what="signup_form", id=row.id, verb="archived"), at=row.closed_at)


def shown(runtime: Runtime, key: str) -> Shown | None:
    """Return what a public address shows, None if there is no open form."""
    with runtime.db.reading() as session:
        form = rows.by_key(session, key)
        return None if form is None else _shown(session, form)


def of_staff(runtime: Runtime, form_id: int) -> tuple[SignupForm, Shown]:
    """Return a form for those who made it. Raises NotFound."""
    with runtime.db.reading() as session:
        form = session.get(SignupForm, form_id)
        if form is None:
            raise NotFound("there is no such form")
        return form, _shown(session, form)


def _shown(session: Session, form: SignupForm) -> Shown:
    wordings = [session.get_one(Wording, wording_id) for wording_id in form.wording_ids]
    purposes = [session.get_one(Purpose, wording.purpose_id) for wording in wordings]
    typed = {place.channel for place in whereabouts.places(session) if place.account_id is None}
    return Shown(
        key=form.key,
        brand=session.get_one(Brand, form.brand_id).name,
        language=form.language,
        asks=tuple((one.id, dict(of.label), one.text) for one, of in zip(wordings, purposes, strict=True)),
        typed=tuple(channel for channel in form.channels if channel in typed),
        links=tuple(_links(session, form)),
    )


def _links(session: Session, form: SignupForm) -> list[tuple[str, str]]:
    found = []
    for account in rows.accounts(session, form.brand_id, form.channels):
        handle = str(account.settings.get(deep_links.HANDLES.get(account.channel, deep_links.HANDLE)) or "")
        words = deep_links.needs_word(account.channel)
        said = rows.join_word(session, account.channel, form.wording_ids) if words else form.key
        link = deep_links.link(account.channel, handle, said)
        if link is not None:
            found.append((account.channel, link))
    return found


def fill_in(
    runtime: Runtime, key: str, *, wording_ids: Sequence[int], typed: Mapping[str, str], evidence: Mapping[str, Json]
) -> None:
    """Ask each typed address to confirm the ticked wordings, or not: the caller cannot tell.

    *typed* is channel -> address. Raises InvalidInput for what is wrong with the form itself, NotFound for its address.
    """
    page = shown(runtime, key)
    if page is None:
        raise NotFound("there is no such form")
    asked = [wording_id for wording_id, _label, _text in page.asks if wording_id in wording_ids]
    if not asked:
        raise InvalidInput("tick what you want", field="agree", code="nothing_ticked")
    given = {channel: typed[channel].strip() for channel in page.typed if typed.get(channel, "").strip()}
    if not given:
        raise InvalidInput("give an address", field=page.typed[0] if page.typed else "", code="address_missing")
    with runtime.db.reading() as session:
        for channel, address in given.items():
            try:
                whereabouts.read(session, channel, address)
            except InvalidInput as problem:
                raise InvalidInput(problem.message, field=channel, code="address_invalid") from None
    who = Asking(Source.WEB_FORM, {**evidence, "form": key})
    for channel, address in given.items():
        _ask(runtime, channel, address, asked, who)


def _ask(runtime: Runtime, channel: str, typed: str, wording_ids: Sequence[int], who: Asking) -> None:
    address_id = whereabouts.ensure(runtime, channel, typed, by_person=True, actor="person")
    try:
        with runtime.db.transaction("person") as session:
            double_optin.request_in(runtime, session, address_id=address_id, wording_ids=wording_ids, who=who)
    except (Conflict, NotFound):
        return  # agreed already, asked within a day, no sender: none of it is for whoever typed an address
    runtime.ring(0)


def start(told: Told, kept: Message) -> None:
    """Ask what a form asks, after a person pressed start behind one of its links."""
    form = rows.by_key(told.session, told.event.payload)
    if form is not None and told.config.channel in form.channels:
        joining.ask(told, kept, form.wording_ids, form=form.key)
