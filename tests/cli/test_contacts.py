"""``broadcaster contacts``: output, exit codes, one JSON object."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from broadcaster.actions.runtime import Runtime
from broadcaster.cli.contacts import contacts
from broadcaster.core.errors import BroadcasterError
from tests import factories

BODY = (
    "Email,Prénom,Consent date,Version,Source,Proof\n"
    "ann@example.org,Ann,2024-01-01,1,web form,https://example.org/1\n"
    "bad,,,,,\n"
)


@dataclass
class Obj:
    opened: Runtime
    actor: str = "cli:test"

    def runtime(self) -> Runtime:
        return self.opened


@pytest.fixture
def obj(sqlite_url, tmp_path):
    with factories.installation(sqlite_url, tmp_path / "home") as made:
        factories.brand_and_purpose(made)
        yield Obj(made)


def run(obj: Obj, *argv: str) -> None:
    contacts.main([*argv], obj=obj, standalone_mode=False)


def told(obj: Obj, capfd: pytest.CaptureFixture[str], *argv: str) -> dict:
    capfd.readouterr()
    run(obj, *argv, "--json")
    out: dict = json.loads(capfd.readouterr().out)
    return out


def test_import_look_and_take_back(obj, tmp_path, capfd):
    path = tmp_path / "people.csv"
    path.write_text(BODY, encoding="utf-8")
    dry = told(obj, capfd, "import", str(path), "--dry-run", "--purpose", "offers")
    assert (dry["created"], dry["refused"], dry["consent"]) == (1, 1, {"granted": 1})
    assert dry["not_taken"][0]["line"] == 3
    assert told(obj, capfd, "imports") == {"imports": []}
    real = told(obj, capfd, "import", str(path), "--purpose", "offers")
    assert {name: real[name] for name in ("created", "refused", "consent")} == {
        name: dry[name] for name in ("created", "refused", "consent")
    }
    (line,) = told(obj, capfd, "find", "ann")["contacts"]
    assert line["addresses"] == ["a***@e***.org"]
    shown = told(obj, capfd, "show", str(line["id"]))
    assert shown["consents"][0]["evidence"]["evidence"] == "https://example.org/1"
    out = tmp_path / "rejects.csv"
    run(obj, "rejects", str(real["import_id"]), "--output", str(out))
    assert "email_invalid" in out.read_text()
    assert "bad" not in out.read_text().split("\n", 1)[1].replace("email_invalid", "")
    assert told(obj, capfd, "undo", str(real["import_id"]), "--yes")["contacts"] == 1


@pytest.mark.parametrize(
    "argv,code",
    [
        (["import", "/"], 3),
        (["import", "/nowhere.csv"], 3),
        (["import", "{file}", "--purpose", "nope"], 3),
        (["import", "{file}", "--mapping", "/nowhere.json"], 3),
        (["import", "{file}", "--saved", "nope"], 3),
        (["import", "--resume", "99"], 4),
        (["show", "99"], 4),
        (["undo", "99", "--yes"], 4),
        (["rejects", "99"], 4),
        (["find", "--limit", "0"], 3),
    ],
)
def test_exit_codes_say_what_kind_of_failure(obj, tmp_path, argv, code):
    path = tmp_path / "people.csv"
    path.write_text(BODY, encoding="utf-8")
    with pytest.raises(BroadcasterError) as caught:
        run(obj, *(one.format(file=path) for one in argv))
    assert caught.value.exit_code == code
    assert not list((obj.opened.home / "uploads").glob("*"))
