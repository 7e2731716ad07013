"""The invented people of the demonstration: reserved domains, fictional numbers, every state of consent."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

FIRST = {
    "fr": (
        "Camille",
        "Louise",
        "Hugo",
        "Léa",
        "Jules",
        "Manon",
        "Inès",
        "Théo",
        "Chloé",
        "Noé",
        "Zoé",
        "Élise",
        "Rémi",
    ),
    "en": ("Olivia", "Amelia", "Noah", "Arthur", "Isla", "Freya", "Oscar", "Ivy", "Harry", "Leo", "Maya", "Ruby"),
    "de": ("Mia", "Emilia", "Ben", "Paul", "Lina", "Jonas", "Clara", "Felix", "Greta", "Anton", "Frieda", "Emil"),
}
LAST = (
    *("Arnaud", "Bellamy", "Carter", "Dumont", "Ekström", "Fischer", "Garnier", "Hofer", "Irving", "Jansen", "Keller"),
    *("Laurent", "Moreau", "Novak", "Ortega", "Petit", "Quinn", "Rossi", "Schmid", "Tanguy", "Urban", "Vidal", "Weber"),
)
#: country -> (languages, share)
PLACES = {"FR": (("fr",), 50), "BE": (("fr", "en"), 10), "CH": (("de", "fr"), 10), "CA": (("fr", "en"), 8),
          "GB": (("en",), 14), "DE": (("de",), 8)}  # fmt: skip
DOMAINS = ("example.com", "example.net", "example.org")
HEADER = (
    *("first_name", "last_name", "email", "phone", "language", "country", "birth_year"),
    *("email_consent", "sms_consent", "consent_date", "wording", "source", "evidence"),
)
#: In each of these North American areas the numbers 555-0100 to 555-0199 are kept for fiction.
AREAS = (
    *(201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228, 229, 231),
    *(234, 239, 240, 248, 251, 252, 253, 254, 256, 260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307),
    *(308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325, 330, 331, 334, 336, 337, 339, 347),
    *(351, 352, 360, 361, 386, 401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424),
)


@dataclass(frozen=True, slots=True)
class Invented:
    """One row of the demonstration's file. ``email_yes`` and ``sms_yes``: agreed, with proof."""

    first: str
    last: str
    email: str
    phone: str
    language: str
    country: str
    birth_year: int
    email_says: str
    sms_says: str
    proof: bool

    @property
    def email_yes(self) -> bool:
        return self.proof and self.email_says == "yes"

    @property
    def sms_yes(self) -> bool:
        return self.proof and self.sms_says == "yes" and bool(self.phone)

    def row(self) -> list[str]:
        proof = ["2026-03-14T10:30:00+01:00", "1", "web_form", "https://example.com/join#form-7"]
        told = [self.first, self.last, self.email, self.phone, self.language, self.country, str(self.birth_year)]
        return [*told, self.email_says, self.sms_says, *(proof if self.proof else ["", "", "", ""])]


def invent(count: int, *, seed: int = 7) -> list[Invented]:
    """Make *count* people, always the same ones."""
    chance = random.Random(seed)  # noqa: S311 - the same people every time; nothing secret
    countries = [country for country, (_, share) in PLACES.items() for _ in range(share)]
    return [_person(n, chance.choice(countries), chance) for n in range(count)]


def _person(n: int, country: str, chance: random.Random) -> Invented:
    language = chance.choice(PLACES[country][0])
    first, last = chance.choice(FIRST[language]), chance.choice(LAST)
    return Invented(
        first=first,
        last=last,
        email=f"p{n:05d}@{chance.choice(DOMAINS)}",
        phone=_phone(n) if chance.random() < 0.6 else "",
        language=language,
        country=country,
        birth_year=chance.randint(1940, 2006),
        email_says=chance.choices(["yes", "no", ""], [70, 10, 20])[0],
        sms_says=chance.choices(["yes", "no", ""], [55, 10, 35])[0],
        proof=chance.random() < 0.9,
    )


def _phone(n: int) -> str:
    """Return a number that is kept for fiction."""
    return f"+1{AREAS[n // 100 % len(AREAS)]}55501{n % 100:02d}"


def write_csv(people: list[Invented], path: Path) -> None:
    """Write the file a marketer would upload, with a few rows that cannot be right."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(person.row() for person in people)
        writer.writerow(["Bad", "Address", "not-an-address", "", "fr", "FR", "1980", "yes", "", "", "", "", ""])
        writer.writerow(["Bad", "Number", "", "12", "fr", "FR", "1980", "", "yes", "", "", "", ""])


#: (channel, language) -> content of the demonstration's template.
_LINK = '<p style="font-size:12px"><a href="{{ unsubscribe_url }}">%s</a></p>'
WORDS = {
    ("email", "en"): {
        "subject": "{{ contact.first_name | default: 'Hello' }}, spring is here",
        "text": "Hello {{ contact.first_name | default: 'there' }},\n\nMaison Lumière has new lamps for you."
        "\n\nNo more offers? {{ unsubscribe_url }}\n",
        "html": "<h1>Hello {{ contact.first_name | default: 'there' }}</h1><p>Maison Lumière has new lamps for you.</p>"
        + _LINK % "No more offers",
    },
    ("email", "fr"): {
        "subject": "{{ contact.first_name | default: 'Bonjour' }}, le printemps est là",
        "text": "Bonjour {{ contact.first_name | default: '' }},\n\nMaison Lumière a de nouvelles lampes pour vous."
        "\n\nPlus d'offres ? {{ unsubscribe_url }}\n",
        "html": "<h1>Bonjour {{ contact.first_name | default: '' }}</h1><p>Maison Lumière a de nouvelles lampes.</p>"
        + _LINK % "Ne plus recevoir d'offres",
    },
    ("sms", "en"): {"text": "Maison Lumière: new lamps are in, {{ contact.first_name | default: 'hello' }}. STOP: end"},
    ("sms", "fr"): {"text": "Maison Lumière : les lampes sont là, {{ contact.first_name }}. STOP pour arreter"},
}
#: How people say stop, and what is no stop at all.
STOPS = (
    "STOP", "stop svp", "ARRET", "Merci de ne plus m'envoyer de messages", "unsubscribe please", "Désabonnez-moi",
    "please stop writing to me", "Stop!!", "je ne veux plus recevoir vos offres", "take me off your list",
)  # fmt: skip
ORDINARY = ("Merci, à bientôt !", "Do you ship to Ireland?", "Lovely, thank you", "Quels sont vos horaires ?")
