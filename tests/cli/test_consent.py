"""``consent``, ``purposes`` and ``accounts`` by command line, on both engines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from broadcaster.actions.runtime import Runtime
from broadcaster.cli.accounts import accounts
from broadcaster.cli.catalogue import purposes
from broadcaster.cli.consent import consent
from broadcaster.cli.context import Context
from broadcaster.core.errors import BroadcasterError, Conflict, InvalidInput, NotFound
from tests import factories

one_engine = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)
ANN = ["--channel", "email", "--address", "ann@example.net"]
YES = ["--action", "grant", "--purpose", "offers", "--source", "paper", "--date", "2026-05-31T14:00+02:00"]


class Opened(Context):
    """A command's context over an installation that is open already."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def runtime(self) -> Runtime:
        return self._runtime


class Shell:
    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def run(self, group: Any, *words: str, **options: Any) -> Result:
        return CliRunner().invoke(group, list(words), obj=Opened(self.runtime), **options)

    def json(self, group: Any, *words: str) -> Any:
        done = self.run(group, *words, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def problem(self, group: Any, *words: str) -> BroadcasterError:
        raised = self.run(group, *words).exception
        assert isinstance(raised, BroadcasterError), raised
        return raised


@pytest.fixture
def shell(runtime: Runtime) -> Shell:
    return Shell(runtime)


@pytest.fixture
def shop(shell: Shell) -> Shell:
    factories.brand_and_purpose(shell.runtime)
    return shell


def test_a_yes_and_a_no_make_a_history(shop: Shell) -> None:
    done = shop.json(consent, "record", *ANN, *YES, "--wording", "1", "--proof", "Card 12")
    assert (done["ineffective"], done["refusal"]) == (0, None)
    stopped = shop.json(consent, "record", *ANN, "--action", "object", "--source", "call")
    assert stopped["refusal"] == "objected"
    late = shop.run(consent, "record", *ANN, *YES, "--wording", "1", "--proof", "Card 12 again")
    assert "It changes nothing: objected stands" in late.output
    told = shop.json(consent, "history", *ANN)
    assert [one["action"] for one in told["events"]].count("granted") == 2
    assert [one["effective"] for one in told["events"]].count(False) == 1
    first = told["events"][0]
    assert first["wording"]["text"] == "Yes, send me offers."
    assert first["evidence"]["proof"].startswith("Card 12")
    assert told["addresses"][0]["purposes"][0]["standing"] == "objected"
    assert "a***@e***.net" in shop.run(consent, "history", *ANN).output


def test_the_states_come_out_the_same_when_rebuilt(shop: Shell) -> None:
    shop.json(consent, "record", *ANN, *YES, "--wording", "1", "--proof", "Card 12")
    before = shop.json(consent, "history", *ANN)
    assert "Rebuilt: 1" in shop.run(consent, "rebuild", "--yes").output
    assert shop.json(consent, "history", *ANN) == before
    assert shop.run(consent, "rebuild", input="").exit_code == 2


@one_engine
@pytest.mark.parametrize(
    "words,field",
    [
        ([*YES, "--wording", "1"], "proof"),
        ([*YES, "--wording", "9", "--proof", "x"], "wording"),
        ([*YES[:-1], "2026-05-31", "--wording", "1", "--proof", "x"], "date"),
        ([*YES[:-1], "soon", "--wording", "1", "--proof", "x"], "date"),
        ([*YES[:-1], "2099-05-31T14:00Z", "--wording", "1", "--proof", "x"], "date"),
        (["--action", "restrict"], "reason"),
    ],
)
def test_a_slip_is_named(shop: Shell, words: list[str], field: str) -> None:
    problem = shop.problem(consent, "record", *ANN, *words)
    assert isinstance(problem, InvalidInput)
    assert problem.field == field
    assert problem.exit_code == 3


@one_engine
def test_usage_is_refused_before_anything_is_opened(shop: Shell) -> None:
    for words in ([*ANN, "--action", "grant"], [*ANN, *YES], [*ANN, "--action", "withdraw", "--source", "call"]):
        assert shop.run(consent, "record", *words).exit_code == 2
    assert shop.run(consent, "history").exit_code == 2
    assert isinstance(shop.problem(consent, "history", *ANN), NotFound)
    assert isinstance(shop.problem(consent, "history", "--contact", "99"), NotFound)
    assert isinstance(shop.problem(consent, "record", *ANN, "--action", "release", "--proof", "x"), Conflict)


@one_engine
def test_a_contact_has_a_history_and_a_state_of_an_earlier_day(shop: Shell) -> None:
    [(contact, address)] = factories.contacts(shop.runtime, 1, purpose_id=5)
    told = shop.json(consent, "history", "--contact", str(contact))
    assert told["events"][0]["address_id"] == address
    earlier = shop.json(consent, "history", "--contact", str(contact), "--as-of", "2020-01-01T00:00Z")
    assert earlier["events"] == []
    assert earlier["addresses"][0]["purposes"][0]["standing"] is None


def test_brands_purposes_and_words(shell: Shell) -> None:
    assert shell.run(purposes, "add-brand", "acme", "--name", "Acme", "--contact", "hi@acme.example").exit_code == 0
    added = shell.run(purposes, "add", "news", "--brand", "acme", "--label", "en=News", "--label", "fr=Nouvelles")
    assert added.exit_code == 0
    assert shell.run(purposes, "add-wording", "news", "--language", "en", "--text", "Yes.").exit_code == 0
    assert shell.run(purposes, "add-wording", "news", "--language", "en", "--file", "-", input="Yes!").exit_code == 0
    told = shell.json(purposes, "list")
    assert told["brands"][0]["key"] == "acme"
    [purpose] = [one for one in told["purposes"] if one["key"] == "news"]
    assert [one["version"] for one in purpose["wordings"]] == [2, 1]
    assert len(purpose["wordings"][0]["sha256"]) == 64
    assert "marketing / news (acme, consent)" in shell.run(purposes, "list").output
    assert isinstance(shell.problem(purposes, "add", "x", "--brand", "none", "--label", "en=X"), NotFound)
    assert shell.run(purposes, "add", "x", "--brand", "acme", "--label", "X").exit_code == 2


def test_accounts_keep_their_secrets(shop: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw")
    refused = shop.problem(accounts, "add", "telegram", "--name", "Bot", "--brand", "example", "--set", "token=1:a")
    assert isinstance(refused, InvalidInput)
    assert "1:a" not in refused.message
    words = ("add", "telegram", "--name", "Bot", "--brand", "example", "--secret-from-env")
    assert shop.problem(accounts, *words, "token=NOT_SET").exit_code == 3
    assert shop.run(accounts, *words, "token=BOT", "--secret-stdin", "webhook_secret", input="abc\n").exit_code == 0
    listed = shop.run(accounts, "list", "--json")
    assert "110201543" not in listed.output
    [row] = json.loads(listed.output)["accounts"]
    assert (row["provider"], row["state"]) == ("telegram", "active")
    url = shop.run(accounts, "webhook", str(row["id"])).output.strip()
    assert url.startswith("https://news.example.org/hooks/")
    assert shop.run(accounts, "pause", str(row["id"])).output == "paused\n"
    assert "paused" in shop.run(accounts, "list").output
    assert shop.run(accounts, "resume", str(row["id"])).output == "active\n"
    assert isinstance(shop.problem(accounts, "pause", "99"), NotFound)


@one_engine
def test_a_check_says_whether_an_account_works(shop: Shell) -> None:
    assert shop.run(accounts, "add", "sandbox", "--name", "Box", "--brand", "example").exit_code == 0
    assert shop.json(accounts, "check", "1")["ok"] is True
    dead = ("add", "smtp", "--name", "Mail", "--brand", "example", "--set", "host=127.0.0.1", "--set", "port=1")
    more = ("--set", "from_address=n@example.org", "--set", "security=none")
    assert shop.run(accounts, *dead, *more).exit_code == 0
    done = shop.run(accounts, "check", "2")
    assert "does not work" in done.output


def test_rules_of_ones_own_are_set_and_ended_by_command_line(shop: Shell) -> None:
    given = ("set-rule", "--country", "fr", "--age", "18", "--stop", "everywhere=2027-01-01", "--source", "our board")
    told = shop.json(consent, *given)["own"]
    assert (told["age"], told["stop"]) == (18, {"everywhere": "2027-01-01"})
    told = shop.json(consent, "set-rule", "--country", "FR", "--part", "postal_address", "--sender", "+338")["own"]
    assert (told["age"], told["parts"], told["senders"]) == (18, ["postal_address"], ["+338"])
    told = shop.json(consent, "end-rule", "--country", "FR", "--rule", "age")["own"]
    assert ("age" in told, told["parts"]) == (False, ["postal_address"])
    assert shop.json(consent, "end-rule", "--country", "FR")["own"] == {}
    assert shop.json(consent, "rules", "--country", "FR")["own"] == {}


def test_a_rule_that_asks_less_than_the_law_is_refused_by_command_line(shop: Shell) -> None:
    problem = shop.problem(consent, "set-rule", "--country", "FR", "--age", "12", "--source", "our board")
    assert isinstance(problem, InvalidInput)
    assert (problem.field, "at least 15 years" in problem.message) == ("age", True)
    assert isinstance(shop.problem(consent, "end-rule", "--country", "FR"), NotFound)


def test_roles_are_set_by_command_line(shop: Shell) -> None:
    assert shop.json(consent, "set-roles", "--purpose", "offers", "Buyer", "head of sales") == {
        "purpose": "offers",
        "roles": ["buyer", "head of sales"],
    }
    assert "no roles" in shop.run(consent, "set-roles", "--purpose", "offers").output
