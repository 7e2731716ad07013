"""Contacts on both databases: fields, addresses, history, search, merges."""

from __future__ import annotations

import pytest

from broadcaster.actions import contact_fields, contact_views, contacts, sequencer
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.storage import contacts as rows
from broadcaster.storage.people import NewAddress
from tests import factories
from tests.actions.test_imports import suppress

ACTOR = "cli:test"


@pytest.fixture
def runtime(database_url, tmp_path):
    with factories.installation(database_url, tmp_path / "home") as made:
        yield made


def test_a_contact_is_kept_encrypted_and_found(runtime):
    contact_fields.define_attribute(runtime, "size", "number", label="Size", actor=ACTOR)
    contact_fields.define_interest(runtime, "bikes", {"en": "Bikes"}, actor=ACTOR)
    fields = {
        "first_name": "Zoé",
        "last_name": "Lefèvre",
        "country": "FR",
        "external_id": "C-42",
        "attributes": {"size": "42"},
        "interests": ["bikes"],
    }
    one = contacts.create(runtime, fields, addresses={"email": "Zoe@Exämple.fr", "sms": "0612345678"}, actor=ACTOR)
    for text in ("zoe", "LEFEVRE zoé", "C-42", "zoe@exämple.fr", "ZOE@xn--exmple-cua.fr", "+33 6 12 34 56 78"):
        assert [line.id for line in contact_views.search(runtime, text).lines] == [one], text
    view = contact_views.view(runtime, one)
    assert {name: view.fields[name] for name in fields} == {**fields, "attributes": {"size": 42}}
    with runtime.db.reading() as session:
        stored = str(session.connection().exec_driver_sql("SELECT * FROM contact").one())
    assert "Zo" not in stored
    sequencer.sequence(runtime)
    assert sequencer.verify(runtime).problems == []


@pytest.mark.parametrize("text", ["' OR 1=1--", "%", "\\", "_", "😀", "z" * 200])
def test_a_search_is_literal(runtime, text):
    """B55"""
    contacts.create(runtime, {"first_name": "Ann"}, actor=ACTOR)
    assert contact_views.search(runtime, text).lines == ()


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"limit": 10**6}, {"cursor": -1}, {"cursor": 2**63}, {"text": "x" * 10_000}]
)
def test_a_page_has_bounds(runtime, options):
    """B56"""
    with pytest.raises(InvalidInput):
        contact_views.search(runtime, **options)


def test_pages_follow_each_other_without_gap(runtime):
    made = [contacts.create(runtime, {"first_name": "Ann", "country": "FR"}, actor=ACTOR) for _ in range(7)]
    seen, cursor = [], None
    while True:
        page = contact_views.search(runtime, "ann", country="fr", cursor=cursor, limit=3)
        seen += [line.id for line in page.lines]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == made[::-1]


def test_an_edit_is_remembered_and_a_stale_one_refused(runtime):
    """B84"""
    one = contacts.create(runtime, {"first_name": "Ann", "language": "fr"}, actor=ACTOR)
    seen = contact_views.view(runtime, one).version
    contacts.edit(runtime, one, {"language": "en", "last_name": "Durand"}, seen=seen, actor=ACTOR)
    with pytest.raises(Conflict) as caught:
        contacts.edit(runtime, one, {"language": "de"}, seen=seen, actor=ACTOR)
    assert caught.value.code == "changed_meanwhile"
    view = contact_views.view(runtime, one)
    assert {(one.field, one.before, one.after) for one in view.preferences} == {
        ("language", "fr", "en"),
        ("last_name", None, "Durand"),
    }
    assert contact_views.search(runtime, "durand").lines[0].id == one
    contacts.edit(runtime, one, {"last_name": None}, seen=view.version, actor=ACTOR)
    assert contact_views.search(runtime, "durand").lines == ()


def test_a_customer_number_is_one_persons(runtime):
    contacts.create(runtime, {"external_id": "7"}, actor=ACTOR)
    with pytest.raises(Conflict):
        contacts.create(runtime, {"external_id": "7"}, actor=ACTOR)


def test_ways_of_writing_a_number_are_one_address(runtime):
    """B15, B16"""
    one = contacts.create(runtime, {"country": "FR"}, actor=ACTOR)
    texts = [
        "+33 6 12 34 56 78",
        "0033612345678",
        "+33(0)612345678",
        "06\u00a012345678",
        "\uff10612345678",
        "06\u200d12345678",
    ]
    assert len({contacts.add_address(runtime, one, "sms", text, actor=ACTOR) for text in texts}) == 1


@pytest.mark.parametrize(
    "channel,value,code",
    [
        ("sms", "+9991234567", "phone_invalid"),
        ("sms", "112", "phone_invalid"),
        ("sms", "123", "phone_invalid"),
        ("sms", "+33899123456", "phone_invalid"),
        ("email", "a@b", "email_invalid"),
        ("email", "a@b.fr\r\nBcc: x@y", "control_character"),
        ("email", "x" * 300 + "@example.org", "email_invalid"),
        ("SMS!", "x", "channel"),
    ],
)
def test_bad_addresses_are_refused(runtime, channel, value, code):
    """B17 to B19; nothing is left behind."""
    one = contacts.create(runtime, {"country": "FR"}, actor=ACTOR)
    with pytest.raises(InvalidInput) as caught:
        contacts.add_address(runtime, one, channel, value, actor=ACTOR)
    assert caught.value.code == code
    assert contact_views.view(runtime, one).addresses == ()


def test_an_address_may_be_shared_and_taken_away(runtime):
    ann = contacts.create(runtime, {"first_name": "Ann"}, addresses={"email": "family@example.org"}, actor=ACTOR)
    bob = contacts.create(runtime, {"first_name": "Bob"}, addresses={"email": "family@example.org"}, actor=ACTOR)
    (address,) = contact_views.view(runtime, ann).addresses
    assert address.shared_with == 1
    contacts.remove_address(runtime, ann, address.id, actor=ACTOR)
    assert contact_views.view(runtime, ann).addresses == ()
    assert contact_views.view(runtime, bob).addresses[0].shared_with == 0
    with pytest.raises(NotFound):
        contacts.remove_address(runtime, ann, address.id, actor=ACTOR)
    assert contacts.add_address(runtime, ann, "email", "family@example.org", actor=ACTOR) == address.id


def test_merging_links_and_unmerging_restores(runtime):
    ann = contacts.create(runtime, {"first_name": "Ann"}, addresses={"email": "ann@example.org"}, actor=ACTOR)
    anna = contacts.create(
        runtime, {"first_name": "Anna"}, addresses={"email": "anna@example.org", "sms": "+33612345678"}, actor=ACTOR
    )
    before = [contact_views.view(runtime, one).addresses for one in (ann, anna)]
    merge = contacts.merge(runtime, ann, anna, actor=ACTOR)
    assert len(contact_views.view(runtime, ann).addresses) == 3
    assert [line.id for line in contact_views.search(runtime, "anna@example.org").lines] == [ann]
    with pytest.raises(Conflict):
        contacts.merge(runtime, ann, anna, actor=ACTOR)
    contacts.unmerge(runtime, merge, actor=ACTOR)
    assert [contact_views.view(runtime, one).addresses for one in (ann, anna)] == before
    with pytest.raises(Conflict):
        contacts.unmerge(runtime, merge, actor=ACTOR)


def test_a_suppressed_address_comes_back_only_by_the_person(runtime):
    suppress(runtime, "gone@example.org", known=False)
    one = contacts.create(runtime, {}, actor=ACTOR)
    with pytest.raises(Refused) as caught:
        contacts.add_address(runtime, one, "email", "gone@example.org", actor=ACTOR)
    assert caught.value.code == "suppressed"
    address = NewAddress("email", None, "email", "gone@example.org")
    with runtime.db.transaction("person") as session:
        from broadcaster.core.event_types import AddressSeen
        from broadcaster.storage import log

        now = runtime.db.now(session)
        known = rows.find_or_create_address(session, runtime.keys, address, now=now, by_person=True)
        log.record(session, AddressSeen(known.id, "email"), at=now)
    contacts.add_address(runtime, one, "email", "gone@example.org", actor=ACTOR)
    assert contact_views.view(runtime, one).addresses[0].suppressed


def test_groups_and_fields_are_defined_once(runtime):
    contact_fields.define_group(runtime, "vip", "VIP", actor=ACTOR)
    with pytest.raises(Conflict):
        contact_fields.define_group(runtime, "vip", "VIP", actor=ACTOR)
    one = contacts.create(runtime, {"groups": ["vip"]}, actor=ACTOR)
    assert [line.id for line in contact_views.search(runtime, group="vip").lines] == [one]
    assert contact_views.search(runtime, group="none").lines == ()
    with pytest.raises(NotFound):
        contacts.edit(runtime, one, {"groups": ["none"]}, seen=None, actor=ACTOR)
    with pytest.raises(InvalidInput):
        contact_fields.define_attribute(runtime, "a.b", "text", label="x", actor=ACTOR)
    with pytest.raises(InvalidInput):
        contact_fields.define_attribute(runtime, "colour", "choice", label="x", actor=ACTOR)


def test_nobody_is_not_found(runtime):
    for verb in (contact_views.view, lambda r, n: contacts.edit(r, n, {}, seen=None, actor=ACTOR)):
        with pytest.raises(NotFound):
            verb(runtime, 99)
