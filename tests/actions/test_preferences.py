"""What a person likes: kept with its history, within what the page offers, and obeyed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broadcaster.actions import contact_fields, contacts, preferences
from broadcaster.actions.choosing import Done
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.core.campaigns import Schedule
from broadcaster.core.closed import by_country
from broadcaster.core.errors import InvalidInput
from tests.actions.behind import Behind
from tests.factories import ACTOR


@pytest.fixture
def behind(runtime: Runtime) -> Behind:
    return Behind(runtime)


def _likes(behind: Behind) -> preferences.Preferences:
    found = preferences.read(behind.runtime, behind.token)
    assert found is not None
    return found


def test_what_somebody_likes_is_kept_with_its_history(behind: Behind) -> None:
    contact_fields.define_interest(behind.runtime, "books", {"en": "Books"}, actor=ACTOR)
    said = {"language": "fr", "part_of_day": "evening", "rest_days": "7", "preferred_channel": "sms"}
    assert preferences.prefer(behind.runtime, behind.token, {**said, "interests": ["books"]}) is Done.KEPT
    likes = _likes(behind)
    assert {field: likes.chosen[field] for field in said} == said
    assert likes.chosen["interests"] == {"books"}
    assert {one.field: (one.before, one.after) for one in likes.told}["language"] == ("en", "fr")
    assert {one.actor for one in likes.told} == {"person"}


@pytest.mark.parametrize(
    "said", [{"language": "xx"}, {"rest_days": "3"}, {"note": "x"}, {"interests": ["none"]}, {"kind": "internal"}]
)
def test_what_the_page_does_not_offer_is_not_kept(behind: Behind, said: dict[str, Any]) -> None:
    assert preferences.prefer(behind.runtime, behind.token, said) is None
    assert _likes(behind).told == ()


def test_an_address_that_several_use_shows_and_changes_nobodys_preferences(behind: Behind) -> None:
    behind.share()
    assert preferences.read(behind.runtime, behind.token) is None
    assert preferences.prefer(behind.runtime, behind.token, {"language": "fr"}) is None


@pytest.mark.parametrize("field", ["language", "preferred_channel", "part_of_day", "rest_days"])
def test_what_the_person_set_only_the_person_changes(behind: Behind, field: str) -> None:
    said = {"language": "fr", "part_of_day": "evening", "rest_days": "7", "preferred_channel": "sms"}
    others = {"language": "en", "part_of_day": "morning", "rest_days": "14", "preferred_channel": "email"}
    runtime, person = behind.runtime, behind.contact
    contacts.edit(runtime, person, {field: others[field]}, seen=None, actor=ACTOR)
    preferences.prefer(runtime, behind.token, {field: said[field]})
    for value in (others[field], None):
        with pytest.raises(InvalidInput) as refused:
            contacts.edit(runtime, person, {field: value}, seen=None, actor=ACTOR)
        assert (refused.value.code, refused.value.field) == ("theirs", field)
    contacts.edit(runtime, person, {field: said[field], "profession": "Baker"}, seen=None, actor=ACTOR)
    assert preferences.prefer(runtime, behind.token, {field: ""}) is Done.KEPT
    with pytest.raises(InvalidInput):
        contacts.edit(runtime, person, {field: others[field]}, seen=None, actor=ACTOR)


@pytest.mark.parametrize("part,hour", [("afternoon", 12), ("evening", 17), ("morning", 8)])
def test_a_message_waits_for_the_part_of_the_day_somebody_likes(part: str, hour: int) -> None:
    windows = Windows(own={}, closed=by_country(()), apply=True)
    night = datetime(2026, 11, 24, 2, tzinfo=UTC)  # a Tuesday
    wish = Place.of_key(f"Europe/Paris||FR|{part}")
    due = windows.due(wish, Schedule(), now=night)
    assert isinstance(due, datetime)
    assert due.astimezone(ZoneInfo("Europe/Paris")).hour == hour
    assert windows.closed_until(wish, night) == due  # the last look says the same
