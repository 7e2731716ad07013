"""Staff record what people said, and everybody reads what happened."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from broadcaster.actions import consent_history, whereabouts
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import NotFound
from tests import factories
from tests.web.people import Visitor


class Desk:
    """A purpose with words, and the forms of somebody at the counter."""

    def __init__(self, runtime: Runtime, staffed: dict[str, Visitor]) -> None:
        self.runtime, self.staffed = runtime, staffed
        self.agent = staffed["agent"]
        self.brand, self.purpose, self.wording = factories.brand_and_purpose(runtime)
        self.yes = {
            "channel": "email",
            "address": "Ann@Example.net",
            "wording": str(self.wording),
            "source": "shop",
            "date": "2026-05-31T14:00",
            "zone": "Europe/Paris",
            "proof": "Card 12 <signed>",
        }
        self.no = {
            "channel": "email",
            "address": "ann@example.net",
            "extent": "marketing",
            "source": "call",
            "date": "2026-06-01T09:00",
            "zone": "Europe/Paris",
        }

    def standing(self) -> str | None:
        address = whereabouts.find(self.runtime, "email", "ann@example.net")
        found = consent_history.standings(self.runtime, address)
        return next(one.standing for one in found if one.purpose.id == self.purpose)

    def count(self) -> int:
        with self.runtime.db.reading() as session:
            return int(session.connection().execute(text("SELECT count(*) FROM consent_event")).scalar_one())


@pytest.fixture
def desk(runtime: Runtime, staffed: dict[str, Visitor]) -> Desk:
    return Desk(runtime, staffed)


def test_a_yes_at_the_counter_is_recorded_with_its_proof_and_shown_to_the_auditor(desk: Desk) -> None:
    answer = desk.agent.post("/consent/record", desk.yes)
    assert answer.status_code == 303
    assert desk.standing() == "granted"
    page = desk.staffed["auditor"].get(answer.headers["Location"]).text
    for shown in ("Yes, send me offers.", "Card 12 &lt;signed&gt;", "Shop", "The agent", "a***@e***.net"):
        assert shown in page
    assert "ann@example.net" not in page
    assert "ann@example.net" in desk.staffed["admin"].get(answer.headers["Location"]).text
    assert "a***@e***.net" in desk.agent.get("/consent").text


@pytest.mark.parametrize(
    "field,value",
    [
        ("address", ""),
        ("address", "ann"),
        ("channel", "pigeon"),
        ("wording", ""),
        ("wording", "999"),
        ("source", ""),
        ("source", "keyword"),
        ("date", ""),
        ("date", "yesterday"),
        ("date", "2099-01-01T00:00"),
        ("zone", "Mars/Olympus"),
        ("proof", ""),
        ("proof", "x" * 2001),
        ("proof", "nul \0 byte"),
    ],
)
def test_a_form_that_lacks_something_names_the_field_and_keeps_the_rest(desk: Desk, field: str, value: str) -> None:
    answer = desk.agent.post("/consent/record", desk.yes | {field: value})
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    if field not in ("proof",):
        assert "Card 12 &lt;signed&gt;" in answer.text
    assert desk.count() == 0


def test_a_yes_after_a_no_is_said_to_change_nothing(desk: Desk) -> None:
    desk.agent.post("/consent/withdraw", desk.no)
    answer = desk.agent.post("/consent/record", desk.yes | {"date": "2026-06-02T09:00"})
    page = desk.agent.get(answer.headers["Location"]).text
    assert "it changes nothing" in page
    assert "without effect" in page
    assert desk.standing() == "objected"


def test_a_no_is_recorded_for_an_address_nobody_knows(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.standing()
    answer = desk.agent.post("/consent/withdraw", desk.no)
    assert answer.status_code == 303
    assert "Nothing more goes out" in desk.agent.get(answer.headers["Location"]).text
    assert desk.standing() == "objected"


@pytest.mark.parametrize("field,value", [("address", ""), ("extent", "999"), ("source", "fax"), ("date", "x")])
def test_a_no_with_a_slip_is_shown_again(desk: Desk, field: str, value: str) -> None:
    answer = desk.agent.post("/consent/withdraw", desk.no | {field: value, "proof": "kept words"})
    assert answer.status_code == 422
    assert "kept words" in answer.text
    assert desk.count() == 0


def test_one_purpose_can_stop_alone(desk: Desk) -> None:
    desk.agent.post("/consent/record", desk.yes)
    desk.agent.post("/consent/withdraw", desk.no | {"extent": str(desk.purpose)})
    assert desk.standing() == "withdrawn"


def test_the_page_tells_what_was_known_on_an_earlier_day(desk: Desk) -> None:
    path = desk.agent.post("/consent/record", desk.yes).headers["Location"]
    assert "unknown means no" in desk.agent.get(f"{path}?at=2026-06-15T10:00").text
    assert "unknown means no" not in desk.agent.get(path).text
    assert "This is not a date" in desk.agent.get(f"{path}?at=soon").text


def test_a_hold_needs_a_reason_and_ends_with_one(desk: Desk) -> None:
    path = desk.agent.post("/consent/record", desk.yes).headers["Location"]
    assert desk.agent.post(f"{path}/hold", {"action": "restrict", "reason": ""}).status_code == 422
    assert desk.agent.post(f"{path}/hold", {"action": "release", "reason": "x"}).status_code == 422
    assert desk.agent.post(f"{path}/hold", {"action": "restrict", "reason": "letter of 3 May"}).status_code == 303
    assert desk.standing() == "restricted"
    assert "letter of 3 May" in desk.agent.get(path).text
    assert desk.agent.post(f"{path}/hold", {"action": "release", "reason": "settled"}).status_code == 303
    assert desk.standing() == "granted"


def test_the_person_can_be_asked_instead(desk: Desk) -> None:
    answer = desk.agent.post("/consent/record", desk.yes | {"ask": "yes"})
    assert answer.status_code == 422
    assert "no sender" in answer.text
    factories.account(desk.runtime, desk.brand, "smtp", settings={"host": "127.0.0.1", "from_address": "n@example.org"})
    assert desk.agent.post("/consent/record", desk.yes | {"ask": "yes"}).status_code == 303
    assert desk.standing() == "pending"


def test_looking_an_address_up_puts_it_into_no_address_of_ours(desk: Desk) -> None:
    desk.agent.post("/consent/record", desk.yes)
    found = desk.staffed["auditor"].post("/consent/find", {"channel": "email", "address": "ann@example.net"})
    assert found.status_code == 303
    assert "ann" not in found.headers["Location"]
    lost = desk.staffed["auditor"].post("/consent/find", {"channel": "email", "address": "eve@example.net"})
    assert lost.status_code == 422
    assert "unknown means no" in lost.text


def test_a_contact_shows_all_its_addresses(desk: Desk) -> None:
    [(contact, _address)] = factories.contacts(desk.runtime, 1, purpose_id=desk.purpose)
    assert "p***@e***.net" in desk.agent.get(f"/consent/contact/{contact}").text
    assert desk.agent.get("/consent/contact/999").status_code == 404
    assert desk.agent.get("/consent/address/999").status_code == 404


# Purposes and their words.


def test_brand_purpose_and_words_are_added_by_hand(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    assert "Begin with your brand" in admin.get("/purposes").text
    brand = {"key": "acme", "name": "Acme", "contact": "hello@acme.example"}
    assert admin.post("/brands/new", brand).status_code == 303
    again = admin.post("/brands/new", brand | {"name": "Acme again"})
    assert again.status_code == 422
    assert 'id="e-key"' in again.text
    assert "Acme again" in again.text
    purpose = {"key": "news", "parent": "marketing", "brand": "1", "label_en": "News", "basis": "consent"}
    made = admin.post("/purposes/new", purpose)
    assert made.status_code == 303
    words = {"language": "en", "text": "Yes, send me <news>."}
    assert admin.post(f"{made.headers['Location']}/wordings", words).status_code == 303
    assert admin.post(f"{made.headers['Location']}/wordings", words | {"text": "Yes, more."}).status_code == 303
    page = staffed["auditor"].get(made.headers["Location"]).text
    for shown in ("Yes, send me &lt;news&gt;.", "Version 2", "Version 1", "SHA-256"):
        assert shown in page
    assert "Add the next version" not in page
    assert "Acme" in admin.get("/purposes").text


@pytest.mark.parametrize(
    "field,value",
    [("key", "No Key"), ("key", ""), ("parent", "all"), ("brand", "7"), ("label_en", ""), ("basis", "whim")],
)
def test_a_purpose_with_a_slip_is_shown_again(desk: Desk, field: str, value: str) -> None:
    form = {"key": "news", "parent": "marketing", "brand": "1", "label_en": "News", "basis": "consent"}
    answer = desk.staffed["admin"].post("/purposes/new", form | {field: value})
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text


@pytest.mark.parametrize("field,value", [("language", "français"), ("text", ""), ("text", "x" * 10_001)])
def test_words_with_a_slip_are_shown_again(desk: Desk, field: str, value: str) -> None:
    form = {"language": "fr", "text": "Oui."}
    answer = desk.staffed["marketer"].post(f"/purposes/{desk.purpose}/wordings", form | {field: value})
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text


def test_the_groups_are_not_for_agreeing_to(desk: Desk) -> None:
    assert desk.staffed["admin"].get("/purposes/2").status_code == 404
