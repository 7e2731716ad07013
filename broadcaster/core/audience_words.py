"""An audience rule as one sentence, for the person who wrote it and for the one who approves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, assert_never

from broadcaster.core.audiences import (
    AgeBetween,
    All,
    AnyOf,
    Attribute,
    Behaviour,
    Consent,
    Country,
    Everybody,
    Group,
    HasChannel,
    Interest,
    Kind,
    Language,
    NoneOf,
    Profession,
    RuleUnion,
    StaticList,
    TimeZone,
)

WordsLanguage = Literal["en", "fr"]
_SHOWN_VALUES = 5

_EN = {
    "sentence": "Contacts for whom {rule}.",
    "everybody alone": "Everybody.",
    "everybody": "anything holds",
    "and": " and ",
    "or": " or ",
    "none": "it is not so that {rules}",
    "more": "{count} more",
    "quote": "“{value}”",
    "true": "yes",
    "false": "no",
    "eq": "{key} is {value}",
    "ne": "{key} is not {value}",
    "in": "{key} is {value}",
    "lt": "{key} is below {value}",
    "lte": "{key} is at most {value}",
    "gt": "{key} is above {value}",
    "gte": "{key} is at least {value}",
    "contains": "{key} contains {value}",
    "starts_with": "{key} begins with {value}",
    "is_set": "{key} is known",
    "is_not_set": "{key} is not known",
    "before": "{key} is before {value}",
    "until": "{key} is {value} or before",
    "after": "{key} is after {value}",
    "from": "{key} is {value} or after",
    "kind": "the kind is {value}",
    "consumer": "consumer",
    "professional": "professional",
    "internal": "internal",
    "language": "the language is {value}",
    "country": "the country is {value}",
    "time_zone": "the time zone is {value}",
    "profession": "the profession is {value}",
    "interest": "an interest is {value}",
    "group": "a group is {value}",
    "list": "list {value} has them",
    "has_channel": "an address on {channel} is known",
    "age between": "the age is {min} to {max}",
    "age from": "the age is at least {min}",
    "age to": "the age is at most {max}",
    "consent": "consent to {purpose} {channel}is {state}",
    "ends": " and runs out within {days} days",
    "on": "on {channel} ",
    "granted": "granted",
    "pending": "pending",
    "withdrawn": "withdrawn",
    "objected": "refused altogether",
    "expired": "expired",
    "restricted": "restricted",
    "none known": "unknown",
    "received": "they received {campaign}{days}",
    "read": "they read {campaign}{days}",
    "clicked": "they clicked in {campaign}{days}",
    "replied": "they replied to {campaign}{days}",
    "not received": "they did not receive {campaign}{days}",
    "not read": "they did not read {campaign}{days}",
    "not clicked": "they did not click in {campaign}{days}",
    "not replied": "they did not reply to {campaign}{days}",
    "campaign": "campaign {id}",
    "any campaign": "a campaign",
    "days": " in the last {count} days",
    "day": " in the last day",
}
_FR = {
    "sentence": "Contacts pour lesquels {rule}.",
    "everybody alone": "Tout le monde.",
    "everybody": "tout convient",
    "and": " et ",
    "or": " ou ",
    "none": "il n’est pas vrai que {rules}",
    "more": "{count} autres",
    "quote": "« {value} »",
    "true": "oui",
    "false": "non",
    "eq": "{key} est {value}",
    "ne": "{key} n’est pas {value}",
    "in": "{key} est {value}",
    "lt": "{key} est inférieur à {value}",
    "lte": "{key} est au plus {value}",
    "gt": "{key} est supérieur à {value}",
    "gte": "{key} est au moins {value}",
    "contains": "{key} contient {value}",
    "starts_with": "{key} commence par {value}",
    "is_set": "{key} est connu",
    "is_not_set": "{key} n’est pas connu",
    "before": "{key} est avant le {value}",
    "until": "{key} est le {value} ou avant",
    "after": "{key} est après le {value}",
    "from": "{key} est le {value} ou après",
    "kind": "le type est {value}",
    "consumer": "particulier",
    "professional": "professionnel",
    "internal": "interne",
    "language": "la langue est {value}",
    "country": "le pays est {value}",
    "time_zone": "le fuseau horaire est {value}",
    "profession": "la profession est {value}",
    "interest": "un centre d’intérêt est {value}",
    "group": "un groupe est {value}",
    "list": "la liste {value} les contient",
    "has_channel": "une adresse sur {channel} est connue",
    "age between": "l’âge est de {min} à {max} ans",
    "age from": "l’âge est d’au moins {min} ans",
    "age to": "l’âge est d’au plus {max} ans",
    "consent": "le consentement pour {purpose} {channel}est {state}",
    "ends": " et expire dans les {days} jours",
    "on": "sur {channel} ",
    "granted": "donné",
    "pending": "en attente",
    "withdrawn": "retiré",
    "objected": "refusé en bloc",
    "expired": "expiré",
    "restricted": "suspendu",
    "none known": "inconnu",
    "received": "ils ont reçu {campaign}{days}",
    "read": "ils ont lu {campaign}{days}",
    "clicked": "ils ont cliqué dans {campaign}{days}",
    "replied": "ils ont répondu à {campaign}{days}",
    "not received": "ils n’ont pas reçu {campaign}{days}",
    "not read": "ils n’ont pas lu {campaign}{days}",
    "not clicked": "ils n’ont pas cliqué dans {campaign}{days}",
    "not replied": "ils n’ont pas répondu à {campaign}{days}",
    "campaign": "la campagne {id}",
    "any campaign": "une campagne",
    "days": " depuis {count} jours",
    "day": " depuis un jour",
}
_WORDS: dict[WordsLanguage, dict[str, str]] = {"en": _EN, "fr": _FR}
_OF_DATES = {"lt": "before", "lte": "until", "gt": "after", "gte": "from"}


def describe(rule: RuleUnion, language: WordsLanguage, names: Mapping[str, str] | None = None) -> str:
    """Return the rule as one sentence.

    *names* puts words in place of ids and keys: ``list:5``, ``campaign:8``, ``purpose:offers``, ``group:x``,
    ``interest:x``, ``attribute:plan``, ``channel:sms``.
    """
    words = _WORDS[language]
    if isinstance(rule, Everybody):
        return words["everybody alone"]
    return words["sentence"].format(rule=_Speaker(words, names or {}).say(rule))


class _Speaker:
    def __init__(self, words: Mapping[str, str], names: Mapping[str, str]) -> None:
        self.words = words
        self.names = names

    def say(self, rule: RuleUnion) -> str:  # noqa: C901 - one case for each condition, and none forgotten
        match rule:
            case All():
                return self._join(rule.rules, "and")
            case AnyOf():
                return self._join(rule.rules, "or")
            case NoneOf():
                return self.words["none"].format(rules=self._join(rule.rules, "or", brackets=True))
            case Everybody():
                return self.words["everybody"]
            case Attribute():
                return self._attribute(rule)
            case Kind():
                return self.words["kind"].format(value=self._either(self.words[one] for one in rule.values))
            case Language() | Country() | TimeZone() | Profession():
                return self.words[rule.type].format(value=self._either(rule.values))
            case Interest() | Group():
                value = self._either(self._name(rule.type, one) for one in rule.values)
                return self.words[rule.type].format(value=value)
            case AgeBetween():
                which = (
                    "age between" if None not in (rule.min, rule.max) else "age to" if rule.min is None else "age from"
                )
                return self.words[which].format(min=rule.min, max=rule.max)
            case Consent():
                return self._consent(rule)
            case HasChannel():
                return self.words["has_channel"].format(channel=self._name("channel", rule.channel))
            case Behaviour():
                return self._behaviour(rule)
            case StaticList():
                return self.words["list"].format(value=self._name("list", rule.audience))
            case _:
                assert_never(rule)

    def _join(self, rules: tuple[RuleUnion, ...], word: str, *, brackets: bool = False) -> str:
        said = [f"({self.say(one)})" if _is_group(one) and len(rules) > 1 else self.say(one) for one in rules]
        joined = self.words[word].join(said)
        return f"({joined})" if brackets and len(said) > 1 else joined

    def _attribute(self, rule: Attribute) -> str:
        given = rule.value if isinstance(rule.value, tuple) else (rule.value,)
        value = self._either(self._value(one) for one in given)
        pattern = _OF_DATES.get(rule.op, rule.op) if rule.of == "date" else rule.op
        return self.words[pattern].format(key=self._name("attribute", rule.key), value=value)

    def _value(self, value: object) -> str:
        if isinstance(value, bool):
            return self.words["true" if value else "false"]
        return self.words["quote"].format(value=value) if isinstance(value, str) else str(value)

    def _consent(self, rule: Consent) -> str:
        on = "" if rule.channel is None else self.words["on"].format(channel=self._name("channel", rule.channel))
        state = self.words["none known" if rule.state == "none" else rule.state]
        said = self.words["consent"].format(purpose=self._name("purpose", rule.purpose), channel=on, state=state)
        return said if rule.ends_within_days is None else said + self.words["ends"].format(days=rule.ends_within_days)

    def _behaviour(self, rule: Behaviour) -> str:
        campaign = self.words["any campaign"]
        if rule.campaign is not None:
            campaign = self.names.get(f"campaign:{rule.campaign}") or self.words["campaign"].format(id=rule.campaign)
        days = ""
        if rule.within_days is not None:
            days = self.words["day" if rule.within_days == 1 else "days"].format(count=rule.within_days)
        pattern = self.words[rule.what if rule.did else f"not {rule.what}"]
        return pattern.format(campaign=campaign, days=days)

    def _either(self, values: Iterable[str]) -> str:
        given = list(values)
        if len(given) > _SHOWN_VALUES + 1:
            given = [*given[:_SHOWN_VALUES], self.words["more"].format(count=len(given) - _SHOWN_VALUES)]
        return given[0] if len(given) == 1 else ", ".join(given[:-1]) + self.words["or"] + given[-1]

    def _name(self, kind: str, key: str | int) -> str:
        return self.names.get(f"{kind}:{key}") or str(key)


def _is_group(rule: RuleUnion) -> bool:
    return isinstance(rule, All | AnyOf) and len(rule.rules) > 1
