"""A small organisation to run campaigns in, and its forms."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.actions.loop import Loop
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from tests import factories
from tests.web.people import Visitor

WORDS = "Hello {{ contact.first_name }}, this is {{ brand.name }}. Reply STOP to end."


@dataclass(frozen=True, slots=True)
class World:
    purpose: int
    agreed: int  #: contacts who agreed
    silent: int  #: contacts of whom nothing is known


def made(runtime: Runtime, visitor: Visitor, *, agreed: int = 6, silent: int = 2) -> World:
    """People in the sandbox, an account, an audience of everybody and a template for them."""
    set_settings(runtime, {"demo": True}, actor="cli:test")
    _brand, purpose, wording = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, agreed, purpose_id=purpose, wording_id=wording, channel="sms")
    factories.contacts(runtime, silent, purpose_id=purpose, channel="sms", start=1000, consenting=False)
    assert visitor.post("/accounts/sandbox", {"channel": "sms"}).status_code == 303
    audience = {"name": "All", "r.type": "all", "r.0.type": "everybody"}
    assert visitor.post("/audiences/save", audience).status_code == 303
    template = {"channel": "sms", "language": "en", "name": "Hello", "text": WORDS}
    assert visitor.post("/templates/new", template).status_code == 303
    return World(purpose, agreed, silent)


def draft(visitor: Visitor, world: World, name: str = "First") -> str:
    """Make a draft that is ready; return its path."""
    answer = visitor.post("/campaigns/new", {"name": name, "purpose": world.purpose})
    path = answer.headers["Location"]
    assert visitor.post(f"{path}/save", form(world)).status_code == 303
    return path


def form(world: World, **changes: object) -> dict[str, object]:
    """Return a campaign's form as a browser sends it."""
    chosen = {"revision": 1, "name": "First", "brand": 1, "purpose": world.purpose, "audience": 1, "exclude": ""}
    return {**chosen, "template": 1, "way_1": 1, "when": "now", "zone": "Europe/Paris", **changes}


def run(runtime: Runtime, *, rounds: int = 4) -> None:
    """Let a worker work."""
    for _ in range(rounds):
        Loop(runtime).step()
