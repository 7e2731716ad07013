"""What the page of a file's columns offers to choose from."""

from __future__ import annotations

from typing import Any

from broadcaster.actions import whereabouts
from broadcaster.actions.imports import records
from broadcaster.actions.imports.jobs import Preview
from broadcaster.storage import contact_story
from broadcaster.storage import imports as stored
from web import vocabulary
from web.context import runtime
from web.import_forms import BLOCKS, IGNORE, wording_choices
from web.language import _

DELIMITERS = {",": ",", ";": ";", "tab": "\t", "|": "|"}
ENCODINGS = ("utf-8", "cp1252", "iso-8859-15", "utf-16")
SAMPLE_COLUMNS = 3


def options(found: Preview, leaves: list[tuple[str, str]]) -> dict[str, Any]:
    """Return everything the page's fields need."""
    with runtime().db.reading() as session:
        catalogue = stored.catalogue(session)
        choices = contact_story.choices(session)
        channels = [one.channel for one in whereabouts.places(session) if one.account_id is None]
    header = found.format.header
    width = len(header)
    return {
        "targets": _targets(channels, [(one.key, one.label) for one in choices.attributes]),
        "samples": [
            [row[place] for row in found.sample[:SAMPLE_COLUMNS] if place < len(row)] for place in range(width)
        ],
        "blocks": BLOCKS,
        "leaves": leaves,
        "channels": [(one, vocabulary.said(vocabulary.CHANNELS, one)) for one in channels],
        "places": [(str(place), name or f"#{place + 1}") for place, name in enumerate(header)],
        "wordings": wording_choices(catalogue, dict(leaves), _("version {}")),
        "groups": [(key, name, "") for key, name in choices.groups],
        "countries": vocabulary.countries(),
        "tongues": vocabulary.tongues(),
        "saved": [name for _id, name, _mapping in records.mappings(runtime())],
        "delimiters": DELIMITERS,
        "encodings": ENCODINGS,
    }


def _targets(channels: list[str], attributes: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (target, label) for what a column may mean."""
    found = [(IGNORE, _("leave out"))]
    for channel in channels:
        name = vocabulary.said(vocabulary.CHANNELS, channel)
        found += [(f"address:{channel}", name), (f"address:{channel}#2", _("%(channel)s, a second one", channel=name))]
    fields = ("external_id", "first_name", "last_name", "name", "language", "country", "kind", "birth_year")
    rest = ("profession", "time_zone", "preferred_channel", "groups", "interests", "note")
    found += [(field, vocabulary.field_name(field)) for field in (*fields, *rest)]
    return found + [(f"attribute:{key}", label) for key, label in attributes]
