"""What people and providers tell us: stored once, obeyed before we answer, answered once and in time."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import inbound, messages, polling
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core.consent import Action, Basis, Source
from broadcaster.core.errors import Unavailable
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.fakes.twilio import FakeTwilio
from broadcaster.storage import conversations, people
from tests import factories
from tests.actions.scene import Scene, scene
from tests.actions.talk import NOW, config, number, said, standing, tell, together

# a stop


def test_a_stop_delivered_five_times_from_eight_sides_is_stored_once(s: Scene) -> None:
    stop = said("STOP")
    assert together(*[lambda: [tell(s, stop) for _ in range(5)]] * 8) == []
    assert standing(s) == "objected"
    assert s.rows("SELECT count(*) FROM inbox_event") == [(1,)]
    assert s.rows("SELECT kind, count(*) FROM message GROUP BY kind ORDER BY kind") == [
        ("confirmation", 1),
        ("inbound", 1),
    ]
    assert s.rows("SELECT count(*) FROM consent_event WHERE action = 'objected'") == [(1,)]


def test_a_stop_of_somebody_unknown_delivered_five_times_at_once_is_stored_once(s: Scene) -> None:
    stop = said("STOP", who=77)
    assert together(*[lambda: tell(s, stop)] * 5) == []
    assert s.rows("SELECT count(*) FROM address") == [(3,)]
    assert s.rows("SELECT count(*) FROM consent_event WHERE action = 'objected'") == [(1,)]


def test_two_messages_of_one_person_at_once_share_a_conversation(s: Scene) -> None:
    assert together(lambda: tell(s, said("Hello")), lambda: tell(s, said("It is me"))) == []
    assert s.rows("SELECT count(*) FROM conversation") == [(1,)]
    assert s.rows("SELECT count(*) FROM message") == [(2,)]


def test_a_copy_of_a_stop_waits_as_long_as_the_stop_itself(s: Scene) -> None:
    stop = said("STOP")
    tell(s, stop)
    [again] = tell(s, stop)
    assert s.purpose in again.closed[s.people[0][1]]


def test_a_stop_of_somebody_unknown_outlives_their_import(s: Scene) -> None:
    """F23: the number is on nobody's list yet; the next day it comes in a file that says yes."""
    tell(s, said("STOP", who=50))
    [(_, address)] = _import(s, 50)
    late = s.act(Action.GRANTED, address, source=Source.IMPORT)
    assert consent_actions.record(s.runtime, [late], actor="staff").ineffective == 1
    s.launch()
    assert s.rows("SELECT reason FROM delivery WHERE reason IS NOT NULL") == [("objected",)]
    assert s.verified().problems == []


def _import(s: Scene, who: int) -> list[tuple[int, int]]:
    """Give the known address of *who* to a new contact."""
    [[address]] = s.rows("SELECT max(id) FROM address")
    [(contact, _)] = factories.contacts(s.runtime, 1, purpose_id=s.purpose, channel="sms", consenting=False, start=900)
    s.change("DELETE FROM contact_address WHERE contact_id = :c", c=contact)
    s.change(
        "INSERT INTO contact_address (contact_id, address_id, preferred, created_at) "
        "SELECT :c, :a, preferred, created_at FROM contact_address LIMIT 1",
        c=contact,
        a=address,
    )
    return [(contact, address)]


# more than anybody can send, and more at once than anybody does

LONG = "bla " * 5_000


@pytest.mark.parametrize(
    "text,expected",
    [(LONG, "restricted"), (f"HELP {LONG}", "restricted"), (f"Please stop texting me. {LONG}", "objected")],
    ids=["ordinary", "help", "stop"],
)
def test_of_a_message_beyond_any_size_the_head_is_kept_and_the_address_pauses(
    s: Scene, text: str, expected: str
) -> None:
    """What was not read may say no."""
    tell(s, said(text))
    assert standing(s) == expected
    [(address, key_id, body)] = s.rows(
        "SELECT m.address_id, a.key_id, m.body_ct FROM message m JOIN address a ON a.id = m.address_id "
        "WHERE m.kind = 'inbound'"
    )
    assert address == s.people[0][1]
    with s.runtime.db.reading() as session:
        key = people.person_keys(session, s.runtime.keys, [key_id])[key_id]
    kept = conversations.open_message(key, bytes(body))["text"]
    assert kept == text[: registry.capabilities_of("sms").inbound_max]
    assert 1600 < len(kept) < len(text)
    assert s.rows("SELECT needs_review FROM conversation") == [(expected == "restricted",)]


def test_of_a_burst_of_stops_none_is_lost_and_none_doubled(s: Scene) -> None:
    """Each is stored and obeyed, or the provider is told to come again; the sender repeats until we answer."""
    stops = [said("STOP", who=1000 + n) for n in range(64)]

    def deliver(own: list[Inbound]) -> None:
        for stop in own:
            for _ in range(20):
                try:
                    tell(s, stop)
                    break
                except Unavailable:
                    continue

    assert together(*[lambda part=part: deliver(stops[part::8] + stops[:3]) for part in range(8)]) == []
    assert s.rows("SELECT count(*) FROM inbox_event") == [(64,)]
    assert s.rows("SELECT count(*), count(DISTINCT address_id) FROM consent_event WHERE action = 'objected'") == [
        (64, 64)
    ]
    assert s.rows("SELECT count(*) FROM message WHERE kind = 'confirmation'") == [(64,)]


def test_an_event_that_comes_again_with_other_words_is_kept_once_and_noted_once(s: Scene) -> None:
    """B60"""
    noted = "SELECT count(*) FROM log_entry l JOIN log_payload p ON p.entry_id = l.id WHERE p.event = 'Changed'"
    first = said("HELP", key="one")
    tell(s, first)
    before = s.rows(noted)
    tell(s, *[first] * 20)
    assert s.rows(noted) == before
    tell(s, said("Thank you", key="one"), said("Thanks", key="one"), said("HELP", who=2, key="one"))
    assert s.rows(noted) == [(before[0][0] + 1,)]
    assert s.rows("SELECT count(*) FROM inbox_event") == [(1,)]
    assert s.verified().ok


def test_one_bad_event_among_good_ones_holds_up_none(s: Scene) -> None:
    """B61: it is told again, because its error reaches whoever told it."""
    bad = said("STOP", at=NOW.replace(tzinfo=None))  # no zone: no row of ours takes it
    with pytest.raises(Exception, match=r"zone|aware|naive|UTC"):
        tell(s, bad, said("STOP"), said("HELP", who=2))
    assert standing(s) == "objected"
    assert s.rows("SELECT count(*) FROM inbox_event") == [(2,)]


@pytest.mark.parametrize("trouble", [Unavailable("away"), RuntimeError("a mistake of ours")])
def test_what_was_fetched_and_not_applied_is_fetched_again(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def away(*_session: object) -> None:
        raise trouble

    with FakeTelegram() as telegram:
        s = scene(runtime, telegram, 1)
        telegram.say(100_001, "STOP")
        with monkeypatch.context() as broken:
            broken.setattr(people, "lock_addresses", away)
            assert polling.poll_due(runtime) == 0
        assert standing(s) == "granted"
        assert polling.poll_due(runtime) == 1
        assert standing(s) == "objected"


# START after STOP


@pytest.mark.parametrize("order", [("STOP", "START"), ("START", "STOP")])
def test_a_stop_and_a_start_of_the_same_second_close(s: Scene, order: tuple[str, str]) -> None:
    tell(s, *(said(word) for word in order))
    assert standing(s) == "objected"


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_stop_and_start_within_one_second_stay_closed_in_any_order(s: Scene, order: tuple[int, ...]) -> None:
    told = [said("STOP"), said("START"), said("STOP")]
    tell(s, *(told[place] for place in order))
    assert standing(s) == "objected"


@pytest.mark.parametrize("stops", [1, 2, 3])
def test_a_later_start_opens_what_was_open_however_often_they_said_stop(s: Scene, stops: int) -> None:
    tell(s, *(said("STOP", at=NOW + timedelta(seconds=n)) for n in range(stops)))
    tell(s, said("START", at=NOW + timedelta(seconds=30)))
    assert standing(s) == "granted"


def test_a_start_opens_nothing_that_was_never_open(s: Scene) -> None:
    tell(s, said("STOP", who=60), said("START", who=60, at=NOW + timedelta(seconds=30)))
    assert s.rows("SELECT count(*) FROM consent_event WHERE action = 'granted'") == [(2,)], "those of the two people"


def test_a_start_gives_back_no_more_than_there_was(s: Scene) -> None:
    """The reopened consent rests on the same ground and runs out when it would have."""
    address, soon = s.people[0][1], datetime.now(UTC) + timedelta(days=3)
    act = s.act(Action.GRANTED, address, basis=Basis.SOFT_OPT_IN, expires_at=soon)
    consent_actions.record(s.runtime, [act], actor="person")
    later = datetime.now(UTC)
    tell(s, said("STOP", at=later), said("START", at=later))
    tell(s, said("START", at=datetime.now(UTC)))
    if standing(s) == "granted":  # the second START came by a later second of the provider's clock
        [(basis, expires)] = s.rows(
            "SELECT basis, expires_at FROM consent_state WHERE address_id = :a AND purpose_id = :p",
            a=address,
            p=s.purpose,
        )
        assert basis == "soft_opt_in"
        assert expires is not None


def test_a_start_ends_the_pause_of_an_unclear_message(s: Scene) -> None:
    tell(s, said("please do not send me so many of these any more, maybe", at=NOW))
    assert standing(s) in ("restricted", "objected")
    tell(s, said("START", at=NOW + timedelta(seconds=30)))
    assert standing(s) == "granted"


# other words


def test_help_is_answered_once_and_closes_nothing(s: Scene) -> None:
    ask = said("HELP")
    tell(s, ask)
    tell(s, ask)
    assert standing(s) == "granted"
    assert s.rows("SELECT count(*) FROM message WHERE kind = 'help'") == [(1,)]


def test_an_unclear_message_pauses_marketing_and_asks_a_person(s: Scene) -> None:
    s.launch()
    tell(s, said("who gave you my number, leave me in peace please??"))
    if standing(s) == "objected":
        return  # the detector may come to hear a clear no in it
    assert standing(s) == "restricted"
    assert s.rows("SELECT needs_review FROM conversation")[0][0]
    assert s.states() == {"planned": 1, "skipped": 1}


def test_an_ordinary_message_changes_no_consent(s: Scene) -> None:
    tell(s, said("Thank you, see you on Friday!"))
    assert standing(s) == "granted"


def test_a_platform_that_says_stop_is_believed_and_not_answered_twice(s: Scene) -> None:
    tell(s, said("STOP", kind=InboundKind.OPT_OUT, answered_by_platform=True))
    assert standing(s) == "objected"
    assert s.rows("SELECT count(*) FROM message WHERE kind <> 'inbound'") == [(0,)]


def test_a_complaint_is_a_refusal(s: Scene) -> None:
    tell(s, said("", kind=InboundKind.COMPLAINT))
    assert standing(s) == "objected"


def test_an_event_of_nobody_is_stored_and_means_nothing(s: Scene) -> None:
    tell(s, Inbound("odd", InboundKind.OTHER, "", NOW))
    assert s.rows("SELECT address_id FROM inbox_event") == [(None,)]


def test_a_mail_with_a_slow_clock_is_still_a_refusal(runtime: Runtime) -> None:
    """The Date header is written by the sender's own machine: a day behind must not undo their stop."""
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    settings = {"host": "127.0.0.1", "port": "2525", "security": "none", "sender": "news@example.org"}
    fields = {field.name for field in registry.get("smtp").fields}
    known = {name: value for name, value in settings.items() if name in fields}
    required = [f for f in registry.get("smtp").fields if f.required and not f.default and f.name not in known]
    known |= {field.name: "news@example.org" for field in required}
    account = factories.account(runtime, brand, "smtp", settings=known)
    [(_, address)] = factories.contacts(runtime, 1, purpose_id=purpose, channel="email")
    s = Scene(runtime, brand, purpose, account, "email", [(0, address)])
    value = factories.address_value("email", 1)
    day_before = datetime.now(UTC) - timedelta(days=1)
    inbound.apply(runtime, config(s), [Inbound("m1", InboundKind.TEXT, value, day_before, text="unsubscribe")])
    assert standing(s) == "objected"


# confirmations


def test_one_confirmation_goes_out(s: Scene, fake: FakeTwilio) -> None:
    tell(s, said("STOP"))
    assert together(*[lambda: messages.send_due(s.runtime)] * 3) == []
    messages.send_due(s.runtime)
    assert [one.to for one in fake.accepted] == [number(1)]
    assert s.rows("SELECT state, attempt FROM message WHERE kind = 'confirmation'") == [("accepted", 1)]


def test_a_confirmation_never_goes_out_after_five_minutes(s: Scene, fake: FakeTwilio) -> None:
    tell(s, said("STOP"))
    s.change("UPDATE message SET expires_at = '2020-01-01 00:00:00.000000' WHERE kind = 'confirmation'")
    messages.send_due(s.runtime)
    assert fake.recorded == []
    assert s.rows("SELECT state FROM message WHERE kind = 'confirmation'") == [("skipped",)]


def test_a_confirmation_is_due_for_five_minutes(s: Scene) -> None:
    tell(s, said("STOP"))
    s.change("UPDATE message SET due_at = created_at, expires_at = expires_at")
    [(created, expires)] = s.rows("SELECT created_at, expires_at FROM message WHERE kind = 'confirmation'")
    parsed = [datetime.fromisoformat(str(one)) for one in (created, expires)]
    assert parsed[1] - parsed[0] == timedelta(minutes=5)


def test_a_confirmation_without_an_answer_is_not_repeated(s: Scene, fake: FakeTwilio) -> None:
    tell(s, said("STOP"))
    fake.script(Behaviour.ERROR_500)
    messages.send_due(s.runtime)
    s.change("UPDATE message SET due_at = '2020-01-01 00:00:00.000000'")
    messages.send_due(s.runtime)
    assert len(fake.recorded) == 1
    assert s.rows("SELECT state FROM message WHERE kind = 'confirmation'") == [("unknown",)]


def test_one_broken_account_does_not_hold_up_the_confirmations_of_others(s: Scene, fake: FakeTwilio) -> None:
    other = factories.account(s.runtime, s.brand, "sandbox")
    tell(s, said("STOP"))
    tell(s, said("STOP", who=2))
    s.change("UPDATE account SET secrets_ct = :bad WHERE id = :id", bad=b"x" * 40, id=s.account)
    [[last]] = s.rows("SELECT max(id) FROM message WHERE kind = 'confirmation'")
    s.change("UPDATE message SET account_id = :o WHERE id = :m", o=other, m=last)
    messages.send_due(s.runtime)
    assert s.rows("SELECT state FROM message WHERE id = :m", m=last) == [("accepted",)]
