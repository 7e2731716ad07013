"""Which column of a file means what: the mapping a person confirms, and the one we suggest from the header."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from broadcaster.core import contacts
from broadcaster.core.errors import InvalidInput

PLAIN_TARGETS = (*contacts.FIELDS, "name", "groups", "interests")
_ADDRESS = re.compile(r"address:([a-z][a-z0-9_]{1,30})(?:#[2-9])?")
_ATTRIBUTE = re.compile(r"attribute:([a-z][a-z0-9_]{0,39})")
MAX_COLUMNS = 300


class Cell(BaseModel):
    """Where a value comes from: a column of the file, or one value for all rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str = ""
    value: str = ""

    @property
    def given(self) -> bool:
        return bool(self.column or self.value)


class ConsentRule(BaseModel):
    """How a file proves consent for one purpose on one channel.

    Yes counts only with wording, date, source and evidence. A no needs nothing: it closes.
    ``answer`` not given: a row that has evidence says yes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: str
    channel: str = "email"
    answer: Cell = Cell()
    date: Cell = Cell()
    wording: Cell = Cell()  #: ``3`` (a version, in the row's language), ``3/fr``, or ``id:12``
    source: Cell = Cell()
    evidence: Cell = Cell()
    inverted: bool = False  #: the column says *unsubscribed*, not *subscribed*

    @property
    def refuses_only(self) -> bool:
        """Whether no row of the file can be a yes: a list of people who said no."""
        return not self.answer.column and bool(self.answer.value) and (answer(self.answer.value) is self.inverted)


class Mapping(BaseModel):
    """How to read a file: target -> column, how consent is proved, and what holds for rows that say nothing.

    Targets: the fields of a contact, ``name``, ``groups``, ``interests``, ``attribute:<key>``, ``address:<channel>``
    (``#2`` … for a second one). A column may serve several targets: one number for SMS and WhatsApp.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: dict[str, str] = Field(default_factory=dict, max_length=MAX_COLUMNS)
    consents: tuple[ConsentRule, ...] = Field(default=(), max_length=50)
    region: str | None = None  #: how to read a telephone number without + where the row names no country
    language: str | None = None
    country: str | None = None
    groups: tuple[str, ...] = ()
    date_order: Literal["dmy", "mdy"] | None = None
    time_zone: str = "UTC"  #: of dates that name none
    existing: Literal["update", "fill", "keep"] = "update"  #: what a row may change of a contact we know

    @model_validator(mode="after")
    def _check(self) -> Mapping:
        for target in self.columns:
            if target not in PLAIN_TARGETS and not _ADDRESS.fullmatch(target) and not _ATTRIBUTE.fullmatch(target):
                raise ValueError(f"no such target: {target[:60]}")
        if not any(target.startswith("address:") or target == "external_id" for target in self.columns):
            raise ValueError("one column must hold an address or the customer number")
        for check, value in (
            (contacts.clean_country, self.region),
            (contacts.clean_country, self.country),
            (contacts.clean_language, self.language),
            (contacts.clean_zone, self.time_zone),
        ):
            try:
                check(value or "FR" if check is contacts.clean_country else value or "fr")
            except InvalidInput as problem:
                raise ValueError(problem.message) from None
        return self

    def used_columns(self) -> set[str]:
        """Return every column name the mapping speaks of."""
        cells = (
            cell.column
            for rule in self.consents
            for cell in (rule.answer, rule.date, rule.wording, rule.source, rule.evidence)
        )
        return {name for name in (*self.columns.values(), *cells) if name}


def read_mapping(told: object) -> Mapping:
    """Return the mapping in *told* (JSON). Raises InvalidInput ``mapping``."""
    try:
        return Mapping.model_validate(told)
    except ValueError as problem:
        errors = problem.errors(include_input=False, include_url=False) if hasattr(problem, "errors") else []
        first = f"{'.'.join(map(str, errors[0]['loc']))}: {errors[0]['msg']}" if errors else "not readable"
        raise InvalidInput(f"The mapping of columns is wrong: {first}", code="mapping", field="mapping") from None


@lru_cache(maxsize=4096)
def fold(header: str) -> str:
    """Return a column's name as it is compared: no accents, case, spaces or punctuation."""
    plain = unicodedata.normalize("NFKD", header)
    return "".join(one for one in plain.casefold() if one.isalnum())


#: Folded names in English and French.
_KNOWN = {
    "address:email": "email emailaddress mail emailaddr courriel adressemail adressemel mel adresseelectronique",
    "address:sms": "phone phonenumber mobile mobilephone cell cellphone telephone tel portable sms numero "
    "numerodetelephone telephoneportable telportable mobilenumber gsm",
    "address:whatsapp": "whatsapp whatsappnumber numerowhatsapp",
    "address:telegram": "telegram telegramid telegramchatid",
    "first_name": "firstname first givenname prenom",
    "last_name": "lastname last surname familyname nom nomdefamille",
    "name": "name fullname nomcomplet contact prenomnom nometprenom",
    "external_id": "externalid customerid customernumber id clientid reference numeroclient idclient client",
    "language": "language lang locale langue",
    "country": "country countrycode pays codepays",
    "time_zone": "timezone zone tz fuseau fuseauhoraire",
    "birth_year": "birthyear birthdate dateofbirth birthday yearofbirth dob naissance datedenaissance anneedenaissance",
    "profession": "profession job jobtitle occupation metier fonction",
    "kind": "kind contacttype",
    "preferred_channel": "preferredchannel canalprefere",
    "groups": "groups group lists list segments groupes groupe listes liste",
    "interests": "interests interest topics centresdinteret interets",
}
_BY_NAME = {name: target for target, names in _KNOWN.items() for name in names.split()}
_CONSENT_NAMES = {
    "answer": "consent optin optedin subscribed consentement accord abonne inscrit",
    "refused": "unsubscribed optout optedout desabonne desinscrit opposition stop",
    "date": "consentdate optindate consentat dateconsentement dateoptin datedoptin dateduconsentement",
    "wording": "consentwording wording version consentversion wordingversion wordingid textversion versiontexte "
    "texteconsentement mention",
    "source": "consentsource optinsource sourceconsentement source origine provenance",
    "evidence": "consentevidence evidence proof formurl preuve preuveconsentement urlformulaire",
}
_CONSENT_BY_NAME = {name: part for part, names in _CONSENT_NAMES.items() for name in names.split()}


def suggest(header: Sequence[str], *, purpose: str | None = None) -> tuple[dict[str, str], ConsentRule | None]:
    """Return (target -> column, the consent columns found) for a header; *purpose* is what consent would be for."""
    columns: dict[str, str] = {}
    parts: dict[str, str] = {}
    for name in header:
        folded = fold(name)
        if folded in _BY_NAME:
            columns.setdefault(_BY_NAME[folded], name)
        elif folded in _CONSENT_BY_NAME:
            parts.setdefault(_CONSENT_BY_NAME[folded], name)
    if purpose is None or not parts.keys() & {"answer", "refused", "evidence"}:
        return columns, None
    inverted = "refused" in parts and "answer" not in parts
    found = {"answer": parts.get("refused" if inverted else "answer", ""), **parts}
    cells = {part: Cell(column=found.get(part, "")) for part in ("answer", "date", "wording", "source", "evidence")}
    return columns, ConsentRule(purpose=purpose, channel=_first_channel(columns), inverted=inverted, **cells)


def _first_channel(columns: dict[str, str]) -> str:
    channels = [target.removeprefix("address:") for target in columns if target.startswith("address:")]
    return "email" if "email" in channels or not channels else channels[0]


def check_header(header: Sequence[str], mapping: Mapping) -> dict[str, int]:
    """Return the place of each column the mapping names.

    Raises InvalidInput: ``header_duplicate``, ``column_missing``; both with the column's name, which is no person's.
    """
    places: dict[str, int] = {}
    for place, name in enumerate(header):
        folded = fold(name) or name
        if folded in places:
            raise InvalidInput(
                f"Two columns are called “{name[:60]}”.", code="header_duplicate", field=name[:60], line=1
            )
        places[folded] = place
    found = {}
    for name in sorted(mapping.used_columns()):
        place = places.get(fold(name) or name, -1)
        if place < 0:
            raise InvalidInput(f"The file has no column “{name[:60]}”.", code="column_missing", field=name[:60], line=1)
        found[name] = place
    return found


_YES = frozenset({"yes", "y", "true", "1", "oui", "o", "vrai", "x", "optin", "subscribed", "granted", "abonne", "ja"})
_NO = frozenset({"no", "n", "false", "0", "non", "faux", "optout", "unsubscribed", "withdrawn", "desabonne", "nein"})


@lru_cache(maxsize=1024)
def answer(text: str) -> bool | None:
    """Return what a consent column says; None for everything that is not clearly yes or no."""
    word = text.strip().casefold()
    if not word.replace("-", "").replace(" ", "").replace("é", "e").isalnum():
        return None
    word = fold(word)
    return True if word in _YES else False if word in _NO else None
