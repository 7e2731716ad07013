"""What the lists and pickers on screen show: rows by name, nothing of a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import text
from sqlmodel import Session, col, func, select

from broadcaster.core.errors import NotFound
from broadcaster.storage.tables import (
    Account,
    AttributeDefinition,
    Audience,
    AudienceMember,
    Brand,
    Campaign,
    ContactGroup,
    Interest,
    Purpose,
    Template,
    TemplateVariant,
)

Row = TypeVar("Row", Account, Audience, Brand, Campaign, Purpose, Template)


def brands(session: Session) -> Sequence[Brand]:
    """Return the brands in use, by name."""
    return session.exec(select(Brand).where(col(Brand.archived_at).is_(None)).order_by(col(Brand.name))).all()


def accounts(session: Session) -> Sequence[Account]:
    """Return every sender account, by name."""
    return session.exec(select(Account).order_by(col(Account.name))).all()


def audiences(session: Session) -> Sequence[Audience]:
    """Return the audiences in use, by name."""
    return session.exec(select(Audience).where(col(Audience.archived_at).is_(None)).order_by(col(Audience.name))).all()


def templates(session: Session) -> Sequence[Template]:
    """Return the templates in use, by name."""
    return session.exec(select(Template).where(col(Template.archived_at).is_(None)).order_by(col(Template.name))).all()


def find(session: Session, table: type[Row], row_id: int) -> Row:
    """Return one row. Raises NotFound."""
    row: Row | None = session.get(table, row_id)
    if row is None:
        raise NotFound("there is nothing of this number")
    return row


def list_sizes(session: Session, audience_ids: Iterable[int]) -> dict[int, int]:
    """Return how many members static lists have, by audience; other audiences are absent."""
    query = select(AudienceMember.audience_id, func.count()).group_by(col(AudienceMember.audience_id))
    found = session.exec(query.where(col(AudienceMember.audience_id).in_(list(audience_ids)))).all()
    return dict(found)


def group_members(session: Session, group_id: int) -> list[int]:
    """Return the contacts of a group."""
    query = text("SELECT contact_id FROM group_member WHERE group_id = :group ORDER BY contact_id")
    return [int(row[0]) for row in session.connection().execute(query, {"group": group_id})]


def groups(session: Session) -> Sequence[ContactGroup]:
    query = select(ContactGroup).where(col(ContactGroup.archived_at).is_(None)).order_by(col(ContactGroup.name))
    return session.exec(query).all()


def interests(session: Session) -> Sequence[Interest]:
    return session.exec(select(Interest).order_by(col(Interest.key))).all()


def attributes(session: Session) -> Sequence[AttributeDefinition]:
    return session.exec(select(AttributeDefinition).order_by(col(AttributeDefinition.key))).all()


def variants(session: Session, template_id: int, version: int) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the contents of one version of a template by (channel, language)."""
    query = select(TemplateVariant).where(
        TemplateVariant.template_id == template_id, TemplateVariant.version == version
    )
    rows = session.exec(query.order_by(col(TemplateVariant.channel), col(TemplateVariant.language))).all()
    return {(row.channel, row.language): row.content for row in rows}


def versions(session: Session, template_id: int) -> list[tuple[int, datetime]]:
    """Return the versions of a template and when each was saved, newest first."""
    newest = col(TemplateVariant.version)
    query = select(TemplateVariant.version, func.min(TemplateVariant.created_at)).group_by(newest)
    found = session.exec(query.where(TemplateVariant.template_id == template_id).order_by(newest.desc())).all()
    return [(version, at) for version, at in found]


def places(session: Session, templates_: Sequence[Template]) -> dict[int, list[tuple[str, str]]]:
    """Return (channel, language) of the newest version of each template, by id."""
    newest = {row.id: row.version for row in templates_}
    query = select(
        TemplateVariant.template_id, TemplateVariant.version, TemplateVariant.channel, TemplateVariant.language
    ).where(col(TemplateVariant.template_id).in_(list(newest)))
    found: dict[int, list[tuple[str, str]]] = {one: [] for one in newest}
    for template_id, version, channel, language in session.exec(query).all():
        if newest[template_id] == version:
            found[template_id].append((channel, language))
    return {one: sorted(all_) for one, all_ in found.items()}


def campaigns(
    session: Session, *, states: Sequence[str] = (), before: int | None = None, limit: int = 50
) -> Sequence[Campaign]:
    """Return the newest campaigns, those in *states* if any are given."""
    query = select(Campaign).where(col(Campaign.archived_at).is_(None))
    if states:
        query = query.where(col(Campaign.state).in_(states))
    if before is not None:
        query = query.where(col(Campaign.id) < before)
    return session.exec(query.order_by(col(Campaign.id).desc()).limit(limit)).all()
