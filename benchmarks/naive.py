"""What most would write first: one Celery task per recipient, objects, one commit each, the requests library.

Honest work for the same promise on paper: it looks at the consent, decrypts, renders the template with the sandboxed
Jinja2 every time, posts, and notes the outcome in a row of its own. Only ``benchmarks.campaign`` starts it.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any

import requests
from celery import Celery
from celery.signals import worker_process_init
from jinja2.sandbox import SandboxedEnvironment
from sqlmodel import Field, Session, SQLModel, create_engine, select

from broadcaster.core import keys
from broadcaster.storage import people
from broadcaster.storage.tables import Address, ConsentStanding, Contact, ContactAddress, PersonKey

app = Celery("naive")
app.conf.update(broker_url=os.environ.get("NAIVE_BROKER", ""), task_ignore_result=True, worker_prefetch_multiplier=4)
_state: dict[str, Any] = {}


class Sent(SQLModel, table=True):
    __tablename__ = "naive_sent"

    id: int | None = Field(default=None, primary_key=True)
    contact_id: int
    outcome: str
    at: datetime


@worker_process_init.connect
def _start(**_: Any) -> None:
    told = json.loads(os.environ["NAIVE"])
    ring = keys.load(told["keys"])
    _state.update(told, ring=ring, engine=create_engine(told["database"]), web=requests.Session())


@app.task(name="naive.send")
def send(contact_id: int) -> None:
    with Session(_state["engine"]) as session:
        contact = session.get_one(Contact, contact_id)
        link = session.exec(select(ContactAddress).where(ContactAddress.contact_id == contact_id)).first()
        assert link is not None
        address = session.get_one(Address, link.address_id)
        state = session.get(ConsentStanding, (address.id, _state["purpose"]))
        if state is None or state.standing != "granted":
            return
        ring = _state["ring"]
        where, who = session.get_one(PersonKey, address.key_id), session.get_one(PersonKey, contact.key_id)
        assert address.value_ct is not None
        assert contact.name_ct is not None
        key = people.unwrap(ring, where.id, where.wrapping_key, where.wrapped)
        to = people.open_address(key, address.id, address.value_ct)
        name = people.open_name(people.unwrap(ring, who.id, who.wrapping_key, who.wrapped), contact.id, contact.name_ct)
        text = SandboxedEnvironment().from_string(_state["text"]).render(contact={"first_name": name["first"]})
        answer = _state["web"].post(_state["url"], json={"chat_id": int(to), "text": text})
        session.add(Sent(contact_id=contact_id, outcome=str(answer.status_code), at=datetime.now(UTC)))
        session.commit()
