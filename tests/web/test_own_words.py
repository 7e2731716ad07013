"""A marketer adds and removes words of the organisation's own; the others look."""

from __future__ import annotations

from broadcaster.actions import own_words
from broadcaster.actions.runtime import Runtime
from tests import factories
from tests.web.people import Visitor

PAGE = "/settings/words"


def test_a_marketer_adds_and_removes_a_word(runtime: Runtime, staffed: dict[str, Visitor]) -> None:
    _, _, wording = factories.brand_and_purpose(runtime)
    marketer = staffed["marketer"]
    told = {"word": "Gourmet", "channel": "sms", "kind": "join", "wording": str(wording)}
    assert marketer.post(PAGE, told).status_code == 303
    [(word, _)] = own_words.every(runtime)
    assert (word.word, word.kind, word.wording_id) == ("gourmet", "join", wording)
    assert "Gourmet" in staffed["auditor"].get(PAGE).text
    assert staffed["auditor"].post(f"{PAGE}/{word.id}/remove").status_code == 403
    assert marketer.post(f"{PAGE}/{word.id}/remove").status_code == 303
    assert own_words.every(runtime) == []


def test_a_refused_word_stays_in_the_form_with_its_reason(staffed: dict[str, Visitor]) -> None:
    told = {"word": "Arrêt", "channel": "sms", "kind": "contest", "answer": "Good luck"}
    answer = staffed["marketer"].post(PAGE, told)
    assert answer.status_code == 422
    for shown in ("Arrêt", "says something already", "Good luck"):
        assert shown in answer.text
