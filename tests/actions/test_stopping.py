"""A stop that names nothing: what the rows of the person's country add to it, on every road, from their day on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadcaster.actions import catalogue, consent, consent_history, optin, public, rendering
from broadcaster.actions.optin import Proof
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.public import Scope
from broadcaster.core.consent import Basis, Source
from broadcaster.core.messages import InboundKind
from broadcaster.storage.database import Database
from broadcaster.storage.tables import Address
from tests import factories
from tests.actions.scene import Scene
from tests.actions.talk import NOW, said, tell
from tests.factories import ACTOR

TODAY = datetime.now(UTC)
#: What an organisation may choose for a country, and all that a person of the scene has.
CHOICES = ("channel", "categories", "everywhere")
ALL = {("sms", "offers"), ("sms", "reminders"), ("sms", "orders"), ("email", "offers"), ("email", "reminders")}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Puts the database's clock to another moment."""
    real = Database.now

    def put(moment: datetime) -> None:
        shift = moment - datetime.now(UTC)
        monkeypatch.setattr(Database, "now", lambda self, session: real(self, session) + shift)

    return put


@pytest.fixture
def world(s: Scene) -> Scene:
    """The first person agreed to offers and reminders by SMS and e-mail, and gets what an order needs."""
    contact, phone = s.people[0]
    [(other, mail)] = factories.contacts(s.runtime, 1, purpose_id=s.purpose, consenting=False, start=700)
    s.change("UPDATE contact_address SET contact_id = :c WHERE contact_id = :o", c=contact, o=other)
    label = {"en": "x"}
    reminders, orders = (
        catalogue.create_purpose(
            s.runtime, key=key, parent="service", brand_id=s.brand, label=label, basis=basis, actor=ACTOR
        )
        for key, basis in (("reminders", Basis.CONSENT), ("orders", Basis.CONTRACT))
    )
    before = NOW - timedelta(hours=1)
    acts = [
        factories.grant(one, what, before) for one, what in ((phone, reminders), (mail, reminders), (mail, s.purpose))
    ]
    consent.record(s.runtime, [*acts, factories.grant(phone, orders, before, basis=Basis.CONTRACT)], actor=ACTOR)
    assert opened(s) == ALL
    return s


def opened(s: Scene) -> set[Any]:
    return set(
        s.rows(
            "SELECT a.channel, p.key FROM consent_state cs JOIN address a ON a.id = cs.address_id "
            "JOIN purpose p ON p.id = cs.purpose_id JOIN contact_address ca ON ca.address_id = a.id "
            "WHERE cs.standing = 'granted' AND ca.contact_id = :c",
            c=s.people[0][0],
        )
    )


def lives_in(s: Scene, country: str | None) -> None:
    s.change("UPDATE contact SET country = :country WHERE id = :id", country=country, id=s.people[0][0])


def choose(s: Scene, country: str, *scopes: str, since: Any = "2026-01-01") -> None:
    set_settings(s.runtime, {"legal": {country: {"stop": dict.fromkeys(scopes, since)}}}, actor=ACTOR)


def rules_told(s: Scene) -> set[Any]:
    """Return the rule of each refusal's reach, as its evidence names it."""
    entries = consent_history.history(s.runtime, [one for (one,) in s.rows("SELECT id FROM address")])
    return {(one.evidence or {}).get("scope_rule") for one in entries if one.action in ("objected", "withdrawn")}


LEFT = {
    (): ALL - {("sms", "offers")},
    ("channel",): ALL - {("sms", "offers")},
    ("categories",): ALL - {("sms", "offers"), ("sms", "reminders")},
    ("everywhere",): ALL - {("sms", "offers"), ("email", "offers")},
    ("categories", "everywhere"): {("sms", "orders"), ("email", "reminders")},
}


@pytest.mark.parametrize("scopes", LEFT, ids=lambda scopes: "+".join(scopes) or "none")
def test_a_bare_stop_closes_what_the_rows_of_the_country_say_and_names_them(
    world: Scene, scopes: tuple[str, ...]
) -> None:
    choose(world, "FR", *scopes)
    tell(world, said("STOP"))
    assert opened(world) == LEFT[scopes]
    assert rules_told(world) == {"; ".join(f"FR {one} from 2026-01-01 (own)" for one in scopes) or "default"}


def test_a_wider_scope_never_leaves_open_what_a_narrower_one_closes() -> None:
    for scopes, left in LEFT.items():
        for more, less in LEFT.items():
            assert not set(scopes) <= set(more) or less <= left


def test_a_start_reopens_all_that_one_stop_closed_here(world: Scene) -> None:
    choose(world, "FR", "categories")
    tell(world, said("STOP"))
    tell(world, said("START", at=NOW + timedelta(minutes=1)))
    assert opened(world) == ALL


@pytest.mark.parametrize("day,closed", [(30, False), (31, True)])
def test_revoke_all_begins_by_itself_with_its_day(
    world: Scene, clock: Callable[[datetime], None], day: int, closed: bool
) -> None:
    lives_in(world, "US")
    clock(datetime(2027, 1, day, 18, tzinfo=UTC))
    tell(world, said("STOP", at=datetime(2027, 1, day, 17, tzinfo=UTC)))
    assert (("sms", "reminders") not in opened(world)) is closed
    assert ("email", "offers") in opened(world)
    assert rules_told(world) == {"US categories from 2027-01-31" if closed else "default"}


def test_a_contested_row_can_be_put_off_and_is_then_as_if_it_were_not(
    world: Scene, clock: Callable[[datetime], None]
) -> None:
    lives_in(world, "US")
    choose(world, "US", "categories", since=None)
    clock(datetime(2027, 6, 1, tzinfo=UTC))
    tell(world, said("STOP", at=datetime(2027, 6, 1, tzinfo=UTC)))
    assert opened(world) == LEFT[()]


def test_the_country_is_the_contacts_and_the_numbers(world: Scene) -> None:
    lives_in(world, "DE")
    choose(world, "FR", "everywhere")
    tell(world, said("STOP"))
    assert opened(world) == LEFT["everywhere",], "the number is French"


@pytest.mark.parametrize(
    "text,left",
    [("STOP OFFERS", LEFT[()]), ("sms stop, e-mail is fine", LEFT[()])],
)
def test_who_says_how_far_is_taken_at_their_word(world: Scene, text: str, left: set[Any]) -> None:
    choose(world, "FR", "everywhere")
    tell(world, said(text))
    assert opened(world) == left


@pytest.mark.parametrize("kind", [InboundKind.OPT_OUT, InboundKind.COMPLAINT])
@pytest.mark.parametrize("scopes", [(), ("everywhere",), ("categories",)], ids=str)
def test_a_platforms_stop_and_a_complaint_reach_as_far(
    world: Scene, kind: InboundKind, scopes: tuple[str, ...]
) -> None:
    choose(world, "FR", *scopes)
    tell(world, said("", kind=kind))
    assert opened(world) == LEFT[scopes]


def test_what_staff_record_and_one_click_reach_as_far_and_a_choice_on_the_page_does_not(world: Scene) -> None:
    choose(world, "FR", "everywhere")
    mail = world.rows("SELECT id FROM address WHERE channel = 'email'")[0][0]
    with world.runtime.db.reading() as session:
        digest = session.get_one(Address, mail).digest or b""
    token = rendering.stop_link(world.runtime, digest, world.purpose, 0).rpartition("/")[2]
    public.unsubscribe(world.runtime, token, Scope.PURPOSE, source=Source.PREFERENCE_PAGE, evidence={})
    assert opened(world) == ALL - {("email", "offers")}
    public.unsubscribe(world.runtime, token, Scope.PURPOSE, source=Source.ONE_CLICK, evidence={})
    assert opened(world) == LEFT["everywhere",]
    choose(world, "FR", "categories")
    told = Proof(Source.CALL, TODAY, "by telephone")
    optin.refuse(world.runtime, address_id=world.people[0][1], proof=told, actor=ACTOR)
    assert opened(world) == LEFT["categories", "everywhere"]
