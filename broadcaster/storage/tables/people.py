"""People: contacts, their addresses, keys, groups, interests, and what they told us."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary
from sqlmodel import Field, SQLModel

from broadcaster.storage.tables.base import CLUSTERED, COUNTED, BigId, blob, json_column, one_of, partial_index, pk, ref

KINDS = ("consumer", "professional", "internal")
CONTACT_STATES = ("active", "restricted", "erased")
ADDRESS_STATUSES = ("ok", "invalid", "erased")


class PersonKey(SQLModel, table=True):
    """The key under which one contact's or one address's personal data is encrypted; destroyed by erasure."""

    __tablename__ = "person_key"
    __table_args__ = COUNTED

    id: int = pk()
    wrapping_key: str  #: id of the key outside the database that wraps this one
    wrapped: bytes = blob()


class Contact(SQLModel, table=True):
    """A person, or a working group inside the company. What rules and rates need is plain, the rest encrypted."""

    __table_args__ = (
        one_of("kind", KINDS),
        one_of("state", CONTACT_STATES),
        CheckConstraint("birth_year IS NULL OR birth_year BETWEEN 1900 AND 2100", name="birth_year"),
        CheckConstraint("rest_days IS NULL OR rest_days BETWEEN 1 AND 365", name="rest_days"),
        partial_index(
            "uq_contact_external_digest", "external_digest", where="external_digest IS NOT NULL", unique=True
        ),
        partial_index("ix_contact_merged_into", "merged_into", where="merged_into IS NOT NULL"),
        COUNTED,
    )

    id: int = pk()
    kind: str = "consumer"
    state: str = "active"
    language: str | None = None
    country: str | None = None
    time_zone: str | None = None
    birth_year: int | None = None
    profession: str | None = None
    preferred_channel: str | None = None
    part_of_day: str | None = None  #: when they like to hear from us (``core.schedule.PARTS``)
    rest_days: int | None = None  #: days between two marketing messages, for who asked for fewer
    attributes: dict[str, Any] = json_column()
    name_ct: bytes | None = blob(null=True)  #: JSON {"first", "last"} under the contact's key
    note_ct: bytes | None = blob(null=True)
    key_id: int | None = ref("person_key.id", null=True)
    external_digest: bytes | None = blob(null=True)  #: keyed hash of the customer number
    external_ct: bytes | None = blob(null=True)
    merged_into: int | None = ref("contact.id", null=True)
    import_id: int | None = ref("import_job.id", null=True, index=True)
    last_contact_at: datetime | None = None  #: last act of the person: click, reply, purchase; never an open
    created_at: datetime
    updated_at: datetime


class ContactWord(SQLModel, table=True):
    """A keyed hash (64 bits) of one normalised word of a name: finds a person without storing the name in clear."""

    __tablename__ = "contact_word"
    __table_args__ = CLUSTERED

    word: int = Field(sa_column=Column(BigId, primary_key=True, autoincrement=False))
    contact_id: int = ref("contact.id", primary_key=True, index=True)


class Address(SQLModel, table=True):
    """An identity on a channel; it exists before anybody owns it.

    ``digest`` is the keyed hash of (channel, scope, canonical form); ``stop_epoch`` grows with every refusal.
    After erasure only the id and the status are left.
    """

    __table_args__ = (
        one_of("status", ADDRESS_STATUSES),
        CheckConstraint("status = 'erased' OR (digest IS NOT NULL AND value_ct IS NOT NULL)", name="opaque"),
        COUNTED,
    )

    id: int = pk()
    channel: str
    account_id: int | None = ref("account.id", null=True)  #: None: a global address
    digest: bytes | None = blob(null=True, unique=True)
    value_ct: bytes | None = blob(null=True)
    key_id: int | None = ref("person_key.id", null=True)
    domain: str | None = None
    country: str | None = None
    time_zones: str | None = None  #: comma-separated, from the number
    status: str = "ok"
    status_reason: str = ""
    suppressed: bool = False  #: a suppression entry matches; projection of ``suppression``
    stop_epoch: int = 0
    import_id: int | None = ref("import_job.id", null=True)
    created_at: datetime


class ContactAddress(SQLModel, table=True):
    """A contact uses an address. ``merge_id`` marks links that a merge added and an unmerge takes away."""

    __tablename__ = "contact_address"
    __table_args__ = (Index("ix_contact_address_address_id", "address_id"), CLUSTERED)

    contact_id: int = ref("contact.id", primary_key=True)
    address_id: int = ref("address.id", primary_key=True)
    preferred: bool = False
    valid_to: datetime | None = None
    merge_id: int | None = ref("contact_merge.id", null=True)
    import_id: int | None = ref("import_job.id", null=True)
    created_at: datetime


class ContactMerge(SQLModel, table=True):
    """Two contacts are one person. Links only: consent stays with the address."""

    __tablename__ = "contact_merge"

    id: int = pk()
    kept_id: int = ref("contact.id")
    merged_id: int = ref("contact.id")
    merged_at: datetime
    undone_at: datetime | None = None
    staff_id: int | None = ref("staff.id", null=True)


class ContactGroup(SQLModel, table=True):
    """A list of contacts: a static list, or a working group by project or department."""

    __tablename__ = "contact_group"
    __table_args__ = (one_of("kind", ("list", "project", "department")),)

    id: int = pk()
    key: str = Field(unique=True)
    name: str
    kind: str = "list"
    archived_at: datetime | None = None


class GroupMember(SQLModel, table=True):
    __tablename__ = "group_member"
    __table_args__ = CLUSTERED

    group_id: int = ref("contact_group.id", primary_key=True)
    contact_id: int = ref("contact.id", primary_key=True, index=True)
    import_id: int | None = ref("import_job.id", null=True)


class Interest(SQLModel, table=True):
    id: int = pk()
    key: str = Field(unique=True)
    label: dict[str, Any] = json_column()


class ContactInterest(SQLModel, table=True):
    __tablename__ = "contact_interest"
    __table_args__ = CLUSTERED

    interest_id: int = ref("interest.id", primary_key=True)
    contact_id: int = ref("contact.id", primary_key=True, index=True)


class AttributeDefinition(SQLModel, table=True):
    """A free attribute of contacts, with its type. Values stand in ``contact.attributes``."""

    __tablename__ = "attribute_definition"
    __table_args__ = (one_of("type", ("text", "number", "date", "boolean", "choice")),)

    key: str = Field(primary_key=True)
    type: str
    label: str
    choices: dict[str, Any] = json_column()
    created_at: datetime


class PreferenceEvent(SQLModel, table=True):
    """What a person told us, when, and what it was before; encrypted under the contact's key, erasable."""

    __tablename__ = "preference_event"
    __table_args__ = COUNTED

    id: int = pk()
    contact_id: int = ref("contact.id", index=True)
    field: str
    change_ct: bytes | None = Field(default=None, sa_column=Column(LargeBinary))  #: JSON {"before", "after"}
    source: str
    actor: str
    import_id: int | None = ref("import_job.id", null=True, index=True)
    at: datetime
