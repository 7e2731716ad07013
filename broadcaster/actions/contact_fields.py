"""Define what can be said of contacts beside the fixed fields: attributes, groups, interests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from broadcaster.actions.runtime import Runtime
from broadcaster.core import contacts as rules
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.storage import contacts as rows
from broadcaster.storage import log
from broadcaster.storage.tables import AttributeDefinition, ContactGroup, Interest

TYPES = ("text", "number", "date", "boolean", "choice")
GROUP_KINDS = ("list", "project", "department")


def define_attribute(
    runtime: Runtime, key: str, type_: str, *, label: str, choices: Sequence[str] = (), actor: str
) -> None:
    """Define a free attribute. Raises InvalidInput ``field_name``, ``attribute_type``, Conflict ``key_taken``."""
    rules.clean_attribute_key(key)
    if type_ not in TYPES or (type_ == "choice") != bool(choices):
        raise InvalidInput(f"The type is one of: {', '.join(TYPES)}.", code="attribute_type", field="type")
    shown = rules.clean_text(label, name="label", most=100)
    told = [rules.clean_text(one, name="choices", most=100) for one in choices]
    with runtime.db.transaction(actor) as session:
        known = rows.attributes(session)
        if key in known:
            raise Conflict("There is a field of that name.", code="key_taken")
        if len(known) >= rules.MAX_ATTRIBUTES:
            raise InvalidInput(f"There are {rules.MAX_ATTRIBUTES} fields already.", code="field_name", field="key")
        now = runtime.db.now(session)
        session.add(AttributeDefinition(key=key, type=type_, label=shown, choices={"values": told}, created_at=now))
        log.record(session, Changed("attribute", key, "created"), at=now)


def define_group(runtime: Runtime, key: str, name: str, *, kind: str = "list", actor: str) -> int:
    """Make a group and return its id. Raises InvalidInput, Conflict ``key_taken``."""
    rules.clean_attribute_key(key)
    if kind not in GROUP_KINDS:
        raise InvalidInput(f"A group is one of: {', '.join(GROUP_KINDS)}.", code="group_kind", field="kind")
    shown = rules.clean_text(name, name="name", most=100)
    with runtime.db.transaction(actor) as session:
        if key in rows.group_ids(session):
            raise Conflict("There is a group of that name.", code="key_taken")
        group = ContactGroup(key=key, name=shown, kind=kind)
        session.add(group)
        session.flush()
        log.record(session, Changed("group", group.id, "created"), at=runtime.db.now(session))
        return group.id


def archive_group(runtime: Runtime, group_id: int, *, actor: str) -> None:
    """Take a group out of use; its members stay recorded. Raises NotFound."""
    with runtime.db.transaction(actor) as session:
        group = session.get(ContactGroup, group_id)
        if group is None or group.archived_at is not None:
            raise NotFound("There is no such group.")
        group.archived_at = runtime.db.now(session)
        session.add(group)
        log.record(session, Changed("group", group_id, "archived"), at=group.archived_at)


def define_interest(runtime: Runtime, key: str, label: Mapping[str, str], *, actor: str) -> int:
    """Make an interest, with its words per language, and return its id. Raises Conflict ``key_taken``."""
    rules.clean_attribute_key(key)
    shown = {language: rules.clean_text(words, name="label", most=100) for language, words in label.items()}
    with runtime.db.transaction(actor) as session:
        if key in rows.interest_ids(session):
            raise Conflict("There is an interest of that name.", code="key_taken")
        interest = Interest(key=key, label=shown)
        session.add(interest)
        session.flush()
        log.record(session, Changed("interest", interest.id, "created"), at=runtime.db.now(session))
        return interest.id
