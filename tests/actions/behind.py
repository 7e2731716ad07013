"""Somebody behind a link, for the tests of what they see and change there."""

from __future__ import annotations

from broadcaster.actions import choices, choosing, consent_history, contacts, rendering
from broadcaster.actions.choices import Choices
from broadcaster.actions.choosing import Done
from broadcaster.actions.runtime import Runtime
from broadcaster.storage.tables import Address
from tests import factories
from tests.factories import ACTOR

SHOWN = {"page": "/u/", "agent": "a browser"}


class Behind:
    """Somebody who agreed to offers by e-mail, has a telephone number too, and a link in a mail."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.brand, self.purpose, self.wording = factories.brand_and_purpose(runtime)
        made = factories.contacts(runtime, 2, purpose_id=self.purpose, wording_id=self.wording)
        (self.contact, self.mail), (self.other, self.other_mail) = made
        self.phone = contacts.add_address(runtime, self.contact, "sms", "+33612345678", actor=ACTOR)

    @property
    def token(self) -> str:
        with self.runtime.db.reading() as session:
            digest = session.get_one(Address, self.mail).digest or b""
        return rendering.stop_link(self.runtime, digest, self.purpose, 0).rpartition("/")[2]

    def page(self, *languages: str) -> Choices:
        found = choices.read(self.runtime, self.token, languages=languages or ("en",))
        assert found is not None
        return found

    def place(self, address_id: int) -> choices.Place | None:
        return next((one for one in self.page().places if one.address_id == address_id), None)

    def standing(self, address_id: int) -> str | None:
        found = consent_history.standings(self.runtime, address_id)
        return next(one.standing for one in found if one.purpose.id == self.purpose)

    def events(self) -> int:
        return len(consent_history.history(self.runtime, [self.mail, self.phone, self.other_mail]))

    def stop(self, address_id: int, purpose_id: int | None) -> Done | None:
        return choosing.stop(self.runtime, self.token, address_id=address_id, purpose_id=purpose_id, evidence=SHOWN)

    def agree(self, address_id: int, wording_id: int) -> Done | None:
        return choosing.agree(self.runtime, self.token, address_id=address_id, wording_id=wording_id, evidence=SHOWN)

    def share(self) -> None:
        """Let somebody else use the address of the link as well."""
        contacts.add_address(self.runtime, self.other, "email", factories.address_value("email", 1), actor=ACTOR)
