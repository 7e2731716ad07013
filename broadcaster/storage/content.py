"""Audiences and templates in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from broadcaster.storage.tables import Audience, Template, TemplateVariant


def id_by_name(session: Session, table: type[Audience] | type[Template], name: str) -> int | None:
    return session.exec(select(table.id).where(table.name == name)).first()


def variants(session: Session, template_id: int, version: int) -> Sequence[TemplateVariant]:
    """Return the contents of one version of a template, by channel and language."""
    query = select(TemplateVariant).where(
        TemplateVariant.template_id == template_id, TemplateVariant.version == version
    )
    return session.exec(query.order_by(col(TemplateVariant.channel), col(TemplateVariant.language))).all()
