"""Contacts on screen: found, shown, changed, merged; and what is wrong with what came."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from flask import Flask

from broadcaster.actions import catalogue, contact_fields, contact_views, contacts, pausing, preferences
from broadcaster.actions.runtime import Runtime
from tests.actions.behind import Behind
from tests.web.people import Visitor, first
from web.app import create_app

ACTOR = "cli:test"


@pytest.fixture
def person(runtime: Runtime) -> int:
    fields = {"first_name": "Zoé", "last_name": "Martin", "language": "fr", "country": "FR", "external_id": "C-1"}
    return contacts.create(runtime, fields, actor=ACTOR, addresses={"email": "zoe@example.net"})


def version(runtime: Runtime, contact_id: int) -> str:
    return contact_views.view(runtime, contact_id).version


@pytest.mark.parametrize("text", ["zoe@example.net", "ZOE@Example.net", "martin", "zoe MARTIN", "C-1"])
def test_a_person_is_found(staffed: dict[str, Visitor], person: int, text: str) -> None:
    """By the whole address, words of the name, the customer number; nothing of it stands in the page's address."""
    answer = staffed["admin"].post("/contacts/search", {"q": text})
    assert answer.status_code == 303
    assert text not in unescape(answer.headers["Location"])
    assert f'href="/contacts/{person}"' in staffed["admin"].get(answer.headers["Location"]).text


@pytest.mark.parametrize("text", ["' OR 1=1--", "%", "\\", "😀", "_oe", "zo@", "<img src=x onerror=alert(1)>"])
def test_a_search_is_literal(staffed: dict[str, Visitor], person: int, text: str) -> None:
    answer = staffed["admin"].post("/contacts/search", {"q": text})
    page = staffed["admin"].get(answer.headers["Location"])
    assert page.status_code == 200
    assert f'href="/contacts/{person}"' not in page.text
    assert "<img" not in page.text.partition("<main")[2]


def test_a_search_has_an_end(staffed: dict[str, Visitor]) -> None:
    assert staffed["admin"].post("/contacts/search", {"q": "x" * 10_000}).status_code == 422


@pytest.mark.parametrize("token", ["zzz", "é", "x" * 5000, "AcTUyw7677SwXw50F-oSyeliWz_FlvUGQ2su8gLd"])
def test_a_made_up_search_is_not_found(staffed: dict[str, Visitor], token: str) -> None:
    assert staffed["admin"].get("/contacts", query_string={"find": token}).status_code == 404


@pytest.mark.parametrize("before", ["0", "-1", "1e3", "9" * 30, "x"])
def test_paging_takes_only_its_own_keys(staffed: dict[str, Visitor], before: str) -> None:
    assert staffed["admin"].get("/contacts", query_string={"before": before}).status_code == 404


def test_many_contacts_come_in_pages(any_runtime: Runtime) -> None:
    first(any_runtime)
    made = [contacts.create(any_runtime, {"first_name": f"P{n}", "country": "FR"}, actor=ACTOR) for n in range(53)]
    visitor = Visitor(create_app(any_runtime)).signed_in()
    seen = []
    address: str | None = "/contacts?country=FR"
    while address:
        page = visitor.get(address).text
        seen += [int(one) for one in re.findall(r'class="row-link" href="/contacts/(\d+)"', page)]
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(following[1]) if following else None
    assert seen == sorted(made, reverse=True)


def test_whole_addresses_are_for_those_who_need_them(staffed: dict[str, Visitor], person: int) -> None:
    for role, sees in (("admin", True), ("marketer", True), ("agent", False), ("auditor", False)):
        page = staffed[role].get(f"/contacts/{person}")
        assert page.status_code == 200
        assert ("zoe@example.net" in page.text) is sees, role


def test_a_new_contact_has_what_was_given(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    contact_fields.define_attribute(runtime, "size", "choice", label="Shoe size", choices=["S", "M"], actor=ACTOR)
    contact_fields.define_group(runtime, "vip", "Very important", actor=ACTOR)
    form = {"first_name": "Ann", "email": "ann@example.net", "sms": "+33 6 12 34 56 78", "groups": "vip"}
    answer = staffed["marketer"].post("/contacts/new", {**form, "attribute_size": "M", "kind": "consumer"})
    assert answer.status_code == 303
    made = contact_views.view(runtime, int(answer.headers["Location"].rpartition("/")[2]))
    assert made.fields["groups"] == ["vip"]
    assert made.fields["attributes"] == {"size": "M"}
    assert [one.value for one in made.addresses] == ["ann@example.net", "+33612345678"]


@pytest.mark.parametrize(
    "form,field",
    [
        ({"sms": "+999123456"}, "sms"),
        ({"sms": "112"}, "sms"),
        ({"sms": "6.12E+08"}, "sms"),
        ({"email": "a@b"}, "email"),
        ({"email": "a@b.fr\r\nBcc: x@y.org"}, "email"),
        ({"first_name": "x" * 1000}, "first_name"),
        ({"first_name": "a" + "\u0301" * 50}, "first_name"),
        ({"birth_year": "next"}, "birth_year"),
        ({"time_zone": "Mars/Phobos"}, "time_zone"),
        ({"country": "ZZ"}, "country"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(staffed: dict[str, Visitor], form: dict[str, str], field: str) -> None:
    answer = staffed["admin"].post("/contacts/new", form)
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text


def test_a_field_nobody_offered_is_refused(staffed: dict[str, Visitor]) -> None:
    assert staffed["admin"].post("/contacts/new", {"first_name": "A", "is_admin": "true"}).status_code == 422


def test_markup_in_a_contact_is_text(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    canary = "<script>alert(1)</script>{{7*7}}"
    fields = {"first_name": canary, "note": canary, "profession": canary}
    made = contacts.create(runtime, fields, actor=ACTOR)
    contacts.edit(runtime, made, {"profession": canary + "2"}, seen=None, actor=ACTOR)
    for path in (f"/contacts/{made}", "/contacts", f"/contacts/{made}/edit", f"/contacts/{made}/merge?other={made}"):
        page = staffed["admin"].get(path).text
        assert "<script>alert" not in page
        assert "{{7*7}}" in page


def test_a_stale_form_shows_the_difference(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    old = version(runtime, person)
    contacts.edit(runtime, person, {"last_name": "Durand"}, seen=old, actor=ACTOR)
    form = {"first_name": "Zoé", "last_name": "Petit", "language": "fr", "country": "FR", "external_id": "C-1"}
    stale = staffed["marketer"].post(f"/contacts/{person}/edit", {**form, "version": old})
    assert stale.status_code == 409
    assert "Durand" in stale.text
    assert "Petit" in stale.text
    assert contact_views.view(runtime, person).fields["last_name"] == "Durand"
    newest = re.search(r'name="version" value="([^"]+)"', stale.text)
    assert newest is not None
    again = staffed["marketer"].post(f"/contacts/{person}/edit", {**form, "version": unescape(newest[1])})
    assert again.status_code == 303
    assert contact_views.view(runtime, person).fields["last_name"] == "Petit"


def test_what_the_person_set_is_shown_and_is_theirs_to_change(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    behind = Behind(runtime)
    page, edit = f"/contacts/{behind.contact}", f"/contacts/{behind.contact}/edit"
    card = staffed["agent"].get(page).text.partition('id="wishes-title"')[2].partition("</section>")[0]
    assert "They have chosen nothing" in card
    said = {"language": "fr", "part_of_day": "evening", "rest_days": "7", "preferred_channel": "sms"}
    preferences.prefer(runtime, behind.token, said)
    until = (datetime.now(UTC) + timedelta(days=40)).date()
    pausing.pause(runtime, behind.token, until, evidence={"page": "/u/"})
    card = staffed["agent"].get(page).text.partition('id="wishes-title"')[2].partition("</section>")[0]
    for shown in ("At most one a week", "In the evening", "SMS", "Français", "No marketing until", "since "):
        assert shown in card, shown
    assert "Only the person can change this" in card
    form = staffed["marketer"].get(edit).text
    assert '<select class="form-select " id="f-language"' not in form
    assert '<input type="hidden" name="language" value="fr">' in form
    told = {"first_name": "Ann1", "country": "FR", "version": version(runtime, behind.contact)}
    refused = staffed["marketer"].post(edit, {**told, "language": "de", "preferred_channel": "sms"})
    assert refused.status_code == 422
    assert 'id="e-language"' in refused.text
    assert staffed["marketer"].post(edit, {**told, "language": "fr", "preferred_channel": "sms"}).status_code == 303
    assert contact_views.view(runtime, behind.contact).fields["part_of_day"] == "evening"


def test_saving_twice_changes_nothing(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    form = {"first_name": "Zoé", "last_name": "Petit", "version": version(runtime, person)}
    assert staffed["admin"].post(f"/contacts/{person}/edit", form).status_code == 303
    assert staffed["admin"].post(f"/contacts/{person}/edit", form).status_code == 409


def test_addresses_come_and_go(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    path = f"/contacts/{person}/addresses"
    assert staffed["admin"].post(path, {"place": "sms", "value": "123"}).status_code == 422
    assert staffed["admin"].post(path, {"place": "pigeon", "value": "123"}).status_code == 422
    assert staffed["admin"].post(path, {"place": "sms", "value": "+33612345678"}).status_code == 303
    added = contact_views.view(runtime, person).addresses[-1]
    assert added.value == "+33612345678"
    assert staffed["admin"].post(f"{path}/{added.id}/remove").status_code == 303
    assert len(contact_views.view(runtime, person).addresses) == 1


def test_two_become_one_and_two_again(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    twin = contacts.create(runtime, {"first_name": "Zoe"}, actor=ACTOR, addresses={"email": "zoe2@example.net"})
    admin = staffed["admin"]
    for other in ("", "x", "999", str(person), "1" * 30):
        assert admin.get(f"/contacts/{person}/merge", query_string={"other": other}).status_code == 422
    assert "zoe2@example.net" in admin.get(f"/contacts/{person}/merge?other={twin}").text
    assert admin.post(f"/contacts/{person}/merge", {"other": str(twin)}).status_code == 303
    assert len(contact_views.view(runtime, person).addresses) == 2
    assert f'href="/contacts/{person}"' in admin.get(f"/contacts/{twin}").text
    merge = contact_views.view(runtime, person).merges[0].id
    assert admin.post(f"/contacts/{person}/unmerge", {"merge_id": "999"}).status_code == 404
    assert admin.post(f"/contacts/{person}/unmerge", {"merge_id": str(merge)}).status_code == 303
    assert len(contact_views.view(runtime, person).addresses) == 1


def test_the_page_says_whether_we_may_write_and_why(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    assert "no purpose has been set up" in staffed["admin"].get(f"/contacts/{person}").text
    brand = catalogue.create_brand(runtime, key="example", name="Example", actor=ACTOR)
    told = {"key": "offers", "parent": "marketing", "brand_id": brand, "label": {"en": "Offers", "fr": "Offres"}}
    catalogue.create_purpose(runtime, **told, actor=ACTOR)  # type: ignore[arg-type]
    page = staffed["admin"].get(f"/contacts/{person}").text
    assert "Offers" in page
    assert "No consent is known, and unknown means no." in page


def test_an_auditor_sees_no_button_that_changes(app: Flask, staffed: dict[str, Visitor], person: int) -> None:
    page = staffed["auditor"].get(f"/contacts/{person}").text
    assert f"/contacts/{person}/edit" not in page
    assert "/remove" not in page
    assert "/privacy/erase" not in page
