"""The meaning of each audience condition in SQL, the same on both engines, over the table ``contact``."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeAlias, assert_never

from sqlalchemy import and_, case, exists, false, func, not_, or_, select, true
from sqlmodel import Session

from broadcaster.core import audiences as rules
from broadcaster.core.audiences import RuleUnion
from broadcaster.storage import tables

Condition: TypeAlias = Any  #: an SQL condition; the column types of table classes tell a checker nothing here
_t: Any = tables


def where(session: Session, rule: RuleUnion, *, now: datetime) -> Condition:
    """Return the condition on contacts that *rule* means at *now*."""
    return _Compiler(session.connection().dialect.name, now).condition(rule)


class _Compiler:
    def __init__(self, dialect: str, now: datetime) -> None:
        self._dialect = dialect
        self._now = now

    def condition(self, rule: RuleUnion) -> Condition:  # noqa: C901 - one case per condition; the checker names a lost one
        match rule:
            case rules.All():
                return and_(*(self.condition(part) for part in rule.rules))
            case rules.AnyOf():
                return or_(*(self.condition(part) for part in rule.rules))
            case rules.NoneOf():
                # NULL is "not known" and must not count as a match to be negated away
                return and_(*(not_(func.coalesce(self.condition(part), false())) for part in rule.rules))
            case rules.Everybody():
                return true()
            case rules.Attribute():
                return self._attribute(rule)
            case rules.Kind():
                return _t.Contact.kind.in_(rule.values)
            case rules.Language():
                return or_(*(self._language(value) for value in rule.values))
            case rules.Country():
                return _t.Contact.country.in_(rule.values)
            case rules.TimeZone():
                return _t.Contact.time_zone.in_(rule.values)
            case rules.AgeBetween():
                return self._age(rule)
            case rules.Profession():
                wanted = [value.lower() for value in rule.values]
                return self._lower(_t.Contact.profession, *rule.values).in_(wanted)
            case rules.Interest():
                return self._interest(rule)
            case rules.Group():
                return self._group(rule)
            case rules.Consent():
                return self._consent(rule)
            case rules.HasChannel():
                return self._addresses().where(_t.Address.channel == rule.channel, _t.Address.status == "ok").exists()
            case rules.Behaviour():
                return self._behaviour(rule)
            case rules.StaticList():
                member = _t.AudienceMember
                return exists().where(member.audience_id == rule.audience, member.contact_id == _t.Contact.id)
            case _:
                assert_never(rule)

    def _lower(self, value: Any, *wanted: object) -> Any:
        """Return *value* in small letters; letters beyond ASCII cost more on SQLite, and only where they are wanted."""
        plain = self._dialect == "postgresql" or all(str(one).isascii() for one in wanted)
        return func.lower(value) if plain else func.unicode_lower(value)

    @staticmethod
    def _language(value: str) -> Condition:
        """``fr`` also means ``fr-CA``; ``fr-CA`` only itself."""
        return or_(_t.Contact.language == value, _t.Contact.language.startswith(f"{value}-", autoescape=True))

    def _age(self, rule: rules.AgeBetween) -> Condition:
        """Only the year of birth is known: the age reached in this calendar year counts."""
        born, year = _t.Contact.birth_year, self._now.year
        bounds: list[Condition] = [born.is_not(None)]
        if rule.min is not None:
            bounds.append(born <= year - rule.min)
        if rule.max is not None:
            bounds.append(born >= year - rule.max)
        return and_(*bounds)

    @staticmethod
    def _interest(rule: rules.Interest) -> Condition:
        wanted = select(_t.Interest.id).where(_t.Interest.key.in_(rule.values))
        link = _t.ContactInterest
        return exists().where(link.contact_id == _t.Contact.id, link.interest_id.in_(wanted))

    @staticmethod
    def _group(rule: rules.Group) -> Condition:
        wanted = select(_t.ContactGroup.id).where(_t.ContactGroup.key.in_(rule.values))
        return exists().where(_t.GroupMember.contact_id == _t.Contact.id, _t.GroupMember.group_id.in_(wanted))

    @staticmethod
    def _addresses() -> Any:
        link = _t.ContactAddress
        return (
            select(1)
            .select_from(link)
            .join(_t.Address, _t.Address.id == link.address_id)
            .where(link.contact_id == _t.Contact.id, link.valid_to.is_(None))
        )

    def _consent(self, rule: rules.Consent) -> Condition:
        purpose = select(_t.Purpose.id).where(_t.Purpose.key == rule.purpose).scalar_subquery()
        known = self._addresses().join(_t.ConsentStanding, _t.ConsentStanding.address_id == _t.Address.id)
        known = known.where(_t.ConsentStanding.purpose_id == purpose)
        if rule.channel is not None:
            known = known.where(_t.Address.channel == rule.channel)
        if rule.state == "none":
            return not_(known.exists())
        known = known.where(_t.ConsentStanding.standing == rule.state)
        if rule.state == "granted":
            expires = _t.ConsentStanding.expires_at
            known = known.where(or_(expires.is_(None), expires > self._now))
        if rule.ends_within_days is not None:
            known = known.where(expires <= self._now + timedelta(days=rule.ends_within_days))
        result: Condition = known.exists()
        return result

    def _behaviour(self, rule: rules.Behaviour) -> Condition:
        sent = (
            select(1)
            .select_from(_t.Delivery)
            .join(
                _t.Step,
                (_t.Step.run_id == _t.Delivery.run_id) & (_t.Step.delivery_id == _t.Delivery.id) & _t.Step.current,
            )
        )
        sent = sent.where(_t.Delivery.contact_id == _t.Contact.id, _did(rule.what))
        if rule.campaign is not None:
            runs = select(_t.Run.id).where(_t.Run.campaign_id == rule.campaign)
            sent = sent.where(_t.Delivery.run_id.in_(runs))
        if rule.within_days is not None:
            sent = sent.where(_t.Step.gate_at >= self._now - timedelta(days=rule.within_days))
        return sent.exists() if rule.did else not_(sent.exists())

    def _attribute(self, rule: rules.Attribute) -> Condition:
        value = self._typed(rule)
        match rule.op:
            case "is_set":
                return value.is_not(None)
            case "is_not_set":
                return value.is_(None)
            case "in":
                assert isinstance(rule.value, tuple)
                return value.in_(list(rule.value))
            case "contains":
                return self._lower(value, rule.value).contains(str(rule.value).lower(), autoescape=True)
            case "starts_with":
                return self._lower(value, rule.value).startswith(str(rule.value).lower(), autoescape=True)
            case "eq":
                return value == rule.value
            case "ne":
                return value != rule.value
            case "lt":
                return value < rule.value
            case "lte":
                return value <= rule.value
            case "gt":
                return value > rule.value
            case "gte":
                return value >= rule.value
            case _:
                assert_never(rule.op)

    def _typed(self, rule: rules.Attribute) -> Any:
        """Return the attribute as its type; a value of another type counts as not set, it never breaks the query."""
        element = _t.Contact.__table__.c.attributes[rule.key]
        names = {"number": ("integer", "real", "number"), "boolean": ("true", "false", "boolean")}
        kinds = names.get(rule.of, ("text", "string"))
        if self._dialect == "postgresql":
            kind = func.jsonb_typeof(element)
        else:
            kind = func.json_type(_t.Contact.__table__.c.attributes, f'$."{rule.key}"')
        as_type = {"number": element.as_float, "boolean": element.as_boolean}.get(rule.of, element.as_string)
        return case((kind.in_(kinds), as_type()), else_=None)


def _did(what: str) -> Condition:
    match what:
        case "read":
            return _t.Step.receipt == "read"
        case "clicked":
            return _t.Step.clicked_at.is_not(None)
        case "replied":
            return _t.Step.replied_at.is_not(None)
        case _:
            return _t.Step.state == "accepted"
