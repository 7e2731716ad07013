"""Words of the organisation's own: a join word only asks, a contest word is only answered, none may mean a stop."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broadcaster.actions import consent_history, own_words
from broadcaster.actions.own_words import NewWord
from broadcaster.core.consent import Action
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.keywords.own import WordKind
from broadcaster.storage import conversations, people
from tests.actions.scene import Scene
from tests.actions.talk import NOW, said, tell

ACTOR = "cli:test"
UNKNOWN = 77  #: somebody who has agreed to nothing


def a_wording(s: Scene) -> int:
    return int(s.rows("SELECT id FROM wording")[0][0])


def join(s: Scene, word: str = "GOURMET") -> int:
    new = NewWord("sms", word, WordKind.JOIN, wording_id=a_wording(s))
    return own_words.add(s.runtime, new, actor=ACTOR)


def contest(s: Scene, word: str = "WIN", **more: str) -> int:
    new = NewWord(more.pop("channel", "sms"), word, WordKind.CONTEST, answer="You take part. Good luck!")
    return own_words.add(s.runtime, new, actor=ACTOR)


def standing_of(s: Scene, who: int) -> str | None:
    [[address]] = s.rows("SELECT max(id) FROM address")
    query = "SELECT standing FROM consent_state WHERE address_id = :a AND purpose_id = :p"
    found = s.rows(query, a=address, p=s.purpose)
    return found[0][0] if found else None


def queued(s: Scene) -> list[tuple[str, str]]:
    """Return kind and text of what we would send."""
    rows = s.rows(
        "SELECT m.kind, a.key_id, m.body_ct FROM message m JOIN address a ON a.id = m.address_id "
        "WHERE m.kind <> 'inbound' ORDER BY m.id"
    )
    with s.runtime.db.reading() as session:
        keys = people.person_keys(session, s.runtime.keys, [row[1] for row in rows])
    return [(kind, conversations.open_message(keys[key], bytes(body))["text"]) for kind, key, body in rows]


def test_a_join_word_asks_and_opens_nothing_until_the_person_says_yes(s: Scene) -> None:
    join(s)
    tell(s, said("Gourmet, please", who=UNKNOWN))
    assert standing_of(s, UNKNOWN) == "pending"
    [(kind, text)] = queued(s)
    assert (kind, "Yes, send me offers." in text) == ("doi", True)
    tell(s, said("YES", who=UNKNOWN, at=NOW + timedelta(minutes=1)))
    assert standing_of(s, UNKNOWN) == "granted"


def test_the_consent_of_a_join_word_points_to_the_words_that_were_sent(s: Scene) -> None:
    join(s)
    tell(s, said("gourmet", who=UNKNOWN))
    tell(s, said("oui", who=UNKNOWN, at=NOW + timedelta(minutes=1)))
    [[address]] = s.rows("SELECT max(id) FROM address")
    entries = consent_history.history(s.runtime, [address])
    assert {one.action for one in entries} == {Action.REQUESTED, Action.CONFIRMED}
    for one in entries:
        assert one.wording is not None
        assert one.wording.id == a_wording(s)


def test_a_join_word_twice_in_a_day_asks_once(s: Scene) -> None:
    join(s)
    tell(s, said("gourmet", who=UNKNOWN))
    tell(s, said("GOURMET", who=UNKNOWN))
    assert [kind for kind, _ in queued(s)] == ["doi"]


def test_a_join_word_after_a_stop_reopens_only_with_the_persons_yes(s: Scene) -> None:
    join(s)
    tell(s, said("STOP", who=UNKNOWN))
    tell(s, said("GOURMET", who=UNKNOWN, at=NOW + timedelta(seconds=20)))
    assert standing_of(s, UNKNOWN) != "granted"
    tell(s, said("YES", who=UNKNOWN, at=NOW + timedelta(seconds=40)))
    assert standing_of(s, UNKNOWN) == "granted"


def test_a_contest_word_is_noted_and_answered_and_is_no_consent(s: Scene) -> None:
    word = contest(s)
    tell(s, said("win!", who=UNKNOWN))
    assert queued(s) == [("confirmation", "You take part. Good luck!")]
    assert s.rows("SELECT intent, rule FROM message WHERE kind = 'inbound'") == [("none", f"own.contest.{word}")]
    assert s.rows("SELECT count(*) FROM consent_event WHERE source = 'keyword'") == [(0,)]
    assert own_words.every(s.runtime)[0][1] == 1


def test_any_sign_of_a_stop_goes_before_a_word_of_ours(s: Scene) -> None:
    contest(s)
    tell(s, said("WIN? Stop texting me", who=UNKNOWN))
    assert s.rows("SELECT action FROM consent_event WHERE source = 'keyword'") == [("objected",)]


def test_a_word_counts_on_its_channel_only(s: Scene) -> None:
    contest(s, channel="email")
    tell(s, said("WIN"))
    assert queued(s) == []


def test_a_topics_other_name_closes_that_purpose_only(s: Scene) -> None:
    new = NewWord("sms", "bargains", WordKind.TOPIC, purpose_id=s.purpose)
    own_words.add(s.runtime, new, actor=ACTOR)
    tell(s, said("STOP BARGAINS"))
    refused = s.rows("SELECT action, purpose_id FROM consent_event WHERE source = 'keyword'")
    assert refused == [("withdrawn", s.purpose)]


@pytest.mark.parametrize(
    "word",
    ["stop", "ARRÊT", "退订", "start", "oui", "help", "aide", "unsubscribr", "gdpr", "please", "spam", "s t o p"],
)
def test_a_word_that_means_something_in_any_language_is_refused(s: Scene, word: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        contest(s, word)
    assert problem.value.code == "word_taken"


@pytest.mark.parametrize("word", ["", "  ", "12345", "!!!", "x" * 41])
def test_a_word_without_letters_or_without_end_is_refused(s: Scene, word: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        contest(s, word)
    assert problem.value.code == "word_length"


def test_a_word_is_on_a_channel_once_however_it_is_written(s: Scene) -> None:
    join(s, "Été")
    with pytest.raises(Conflict):
        contest(s, "ETE")
    contest(s, "ETE", channel="email")


@pytest.mark.parametrize("kind", list(WordKind))
def test_a_word_that_leads_nowhere_is_refused(s: Scene, kind: WordKind) -> None:
    with pytest.raises(InvalidInput):
        own_words.add(s.runtime, NewWord("sms", "gourmet", kind), actor=ACTOR)


def test_a_change_of_words_leaves_a_trace(s: Scene) -> None:
    before = s.rows("SELECT count(*) FROM log_entry WHERE kind = 'admin'")[0][0]
    own_words.remove(s.runtime, contest(s), actor=ACTOR)
    assert s.rows("SELECT count(*) FROM log_entry WHERE kind = 'admin'")[0][0] == before + 2
    assert own_words.every(s.runtime) == []
    with pytest.raises(NotFound):
        own_words.remove(s.runtime, 1, actor=ACTOR)
