"""The one question of a double opt-in: who asks, what would be agreed to, where to say yes. Never any advertising."""

from __future__ import annotations

from collections.abc import Sequence

TEXTS = {
    "en": "{brand}: please confirm that you agree to the following. {wording} Yes: {link} "
    "If you did not ask for this, ignore this message and nothing happens.",
    "fr": "{brand} : merci de confirmer que vous acceptez ce qui suit. {wording} Oui : {link} "
    "Si vous n'avez rien demandé, ignorez ce message et il ne se passera rien.",
}
SUBJECTS = {"en": "Please confirm", "fr": "Merci de confirmer"}
#: Longer words stand on the page behind the link only.
MOST_CHARACTERS = 900


def question(language: str, *, brand: str, wordings: Sequence[str], link: str) -> tuple[str, str]:
    """Return (subject, text) in the language of the wordings, English where we do not speak it."""
    spoken = language.split("-")[0].lower()
    spoken = spoken if spoken in TEXTS else "en"
    words = " ".join(f"« {' '.join(wording.split())} »" for wording in wordings)
    shown = words if len(words) <= MOST_CHARACTERS else "…"
    text = TEXTS[spoken].format(brand=brand, wording=shown, link=link)
    return f"{brand}: {SUBJECTS[spoken]}" if spoken == "en" else f"{brand} : {SUBJECTS[spoken]}", text
