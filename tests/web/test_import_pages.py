"""Imports on screen: a file in, its columns, a trial, the run, what was not taken, and back."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from typing import Any

import pytest

from broadcaster.actions import catalogue, contact_views
from broadcaster.actions.imports import files, jobs, pending, records
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict
from broadcaster.storage import workers
from tests.web.people import Visitor, first
from web import imports as pages
from web.app import create_app
from web.security import _SIZE

ACTOR = "cli:test"
HEADER = "Email,First name,Consent,Consent date,Wording,Source,Proof"
PROVED = "yes,2024-03-01,1,web form,https://example.org/f/1"
GOOD = f"{HEADER}\nann@example.net,Ann,{PROVED}\nbob@example.net,Bob,maybe,,,,\nbroken,Carl,{PROVED}\n"


def purpose(runtime: Runtime) -> None:
    brand = catalogue.create_brand(runtime, key="example", name="Example", actor=ACTOR)
    label = {"en": "Offers", "fr": "Offres"}
    made = catalogue.create_purpose(runtime, key="offers", parent="marketing", brand_id=brand, label=label, actor=ACTOR)
    catalogue.add_wording(runtime, purpose_id=made, language="en", text="Yes, send me offers.", actor=ACTOR)


def send(visitor: Visitor, content: bytes | str, name: str = "people.csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    form = {"file": (io.BytesIO(data), name)}
    return visitor.post("/imports/new", form, content_type="multipart/form-data")


def uploaded(visitor: Visitor, content: bytes | str, name: str = "people.csv") -> int:
    answer = send(visitor, content, name)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["Location"].split("/")[2])


def filled(page: str) -> dict[str, list[str]]:
    """What a browser would send of the form of columns, untouched."""
    form = page[page.index('<form method="post" action="/imports') :].partition("</form>")[0]
    told: dict[str, list[str]] = {}
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        told.setdefault(name, []).append(chosen[1] if chosen else "")
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        told.setdefault(name, []).append(value)
    told["time_zone"] = ["UTC"]
    return {name: values for name, values in told.items() if name != "csrf_token"}


def tried(visitor: Visitor, runtime: Runtime, content: str = GOOD) -> int:
    made = uploaded(visitor, content)
    form = filled(visitor.get(f"/imports/{made}/columns").text)
    assert visitor.post(f"/imports/{made}/columns", form).status_code == 303
    pending.work_off(runtime)
    return made


def test_a_file_goes_all_the_way_and_back(any_runtime: Runtime) -> None:
    """Upload, columns as suggested, trial, run by the worker, refused rows, undo."""
    first(any_runtime)
    purpose(any_runtime)
    visitor = Visitor(create_app(any_runtime)).signed_in()
    made = uploaded(visitor, GOOD)
    form = filled(visitor.get(f"/imports/{made}/columns").text)
    assert form["columns"][:2] == ["address:email", "first_name"]
    assert form["c1_purpose"] == ["offers"]
    assert visitor.post(f"/imports/{made}/columns", form).status_code == 303
    waiting = visitor.get(f"/imports/{made}")
    assert 'hx-trigger="every 1s"' in waiting.text
    assert "No worker is running." in waiting.text
    workers.beat(any_runtime)
    assert "No worker is running." not in visitor.get(f"/imports/{made}/progress").text
    pending.work_off(any_runtime)
    assert visitor.get(f"/imports/{made}/progress").headers["HX-Refresh"] == "true"
    trial = visitor.get(f"/imports/{made}").text
    assert "nothing has been changed yet" in trial
    assert "This is not an e-mail address." in trial
    assert not contact_views.search(any_runtime).lines
    assert visitor.post(f"/imports/{made}/start").status_code == 303
    assert visitor.post(f"/imports/{made}/start").status_code == 303  # a double click starts it once
    pending.work_off(any_runtime)
    assert records.one(any_runtime, made).state == "finished"
    assert len(contact_views.search(any_runtime).lines) == 2
    refused = visitor.get(f"/imports/{made}/refused.csv")
    assert refused.headers["Content-Disposition"] == f'attachment; filename="import-{made}-refused.csv"'
    lines = refused.text.removeprefix("\ufeff").splitlines()
    assert lines[0] == "line,field,code,refused,message"
    assert any(line.startswith("4,address:email,email_invalid,row,") for line in lines)
    assert "broken" not in refused.text
    visitor.post("/profile", {"name": "Ada", "language": "fr", "time_zone": "UTC"})
    french = visitor.get(f"/imports/{made}/refused.csv").text
    assert french.removeprefix("\ufeff").startswith("ligne,champ,code,")
    assert "Ce n’est pas une adresse e-mail" in french
    visitor.post("/profile", {"name": "Ada", "language": "en", "time_zone": "UTC"})
    assert visitor.post(f"/imports/{made}/undo").status_code == 303
    pending.work_off(any_runtime)
    assert "The import was taken back." in visitor.get(f"/imports/{made}").text
    assert not contact_views.search(any_runtime).lines


@pytest.mark.parametrize(
    "content,told",
    [
        (b"", "no rows"),
        (b"ann@example.net,Ann\n", "names of the columns"),
        (b"Email,Name\nann@example.net;Ann\n", ""),
        ("Email;Prénom|x\na@b.fr;b|c\n".encode(), "separates the columns"),
        (b'Email,Name\nann@example.net,"Ann\nbob@example.net,Bob\n', "quotation mark"),
        (b"Email,Name\nann@example.net,A\0nn\n", "zero byte"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "neither CSV nor XLSX"),
        (b"PK\x03\x04" + b"x" * 600, ""),
        ("Email,Name\né@example.net,É\n".encode() + b"b@example.net,\xe9\n", "Line 3"),
    ],
)
def test_a_bad_file_is_explained_and_taken_no_further(
    staffed: dict[str, Visitor], runtime: Runtime, content: bytes, told: str
) -> None:
    made = uploaded(staffed["marketer"], content)
    page = staffed["marketer"].get(f"/imports/{made}/columns")
    assert page.status_code == 200
    assert told in page.text
    if 'action="/imports/{made}/columns"' not in page.text:
        assert staffed["marketer"].post(f"/imports/{made}/start").status_code == 303
        pending.work_off(runtime)
        assert not contact_views.search(runtime).lines


def test_a_workbook_that_unpacks_to_far_more_is_refused(staffed: dict[str, Visitor]) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 200_000_000)
        archive.writestr("xl/workbook.xml", b"<workbook/>")
    made = uploaded(staffed["marketer"], file.getvalue(), "bomb.xlsx")
    assert staffed["marketer"].get(f"/imports/{made}/columns").status_code == 200
    assert "Try it out" not in staffed["marketer"].get(f"/imports/{made}/columns").text


def test_a_delimiter_may_be_said(staffed: dict[str, Visitor]) -> None:
    made = uploaded(staffed["marketer"], "Email;Prénom|x\na@example.net;b|c\n")
    page = staffed["marketer"].get(f"/imports/{made}/columns?delimiter=%3B").text
    assert "Prénom|x" in page
    assert "Try it out" in page


def test_no_file_is_no_import(staffed: dict[str, Visitor]) -> None:
    answer = staffed["marketer"].post("/imports/new", {}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "Choose a file." in answer.text


def test_only_the_upload_may_be_large(staffed: dict[str, Visitor]) -> None:
    sized = [name for name, view in staffed["admin"].client.application.view_functions.items() if hasattr(view, _SIZE)]
    assert "imports.upload" in sized
    size = {"CONTENT_LENGTH": str(pages.MAX_UPLOAD + 1)}
    assert staffed["admin"].open("/imports/new", method="POST", environ_overrides=size).status_code == 413
    assert files.MAX_BYTES == 500_000_000


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON", "x" * 300 + ".csv", "a\u202eb.csv", "<script>.csv"])
def test_a_files_name_is_only_a_text(staffed: dict[str, Visitor], runtime: Runtime, name: str) -> None:
    made = uploaded(staffed["marketer"], GOOD, name)
    path = jobs.path_of(runtime, made)
    assert path.parent == runtime.home / "uploads"
    assert path.name.startswith("import-")
    assert "<script>" not in staffed["marketer"].get("/imports").text


@pytest.mark.parametrize(
    "change,told",
    [
        ({"columns": ["-"] * 7}, "One column must hold an address"),
        ({"columns": ["address:email", "address:email", *["-"] * 5]}, "used for the same thing"),
        ({"columns": ["address:email", "__class__", *["-"] * 5]}, "The mapping of columns is wrong"),
        ({"columns": ["address:email", "attribute:none", *["-"] * 5]}, "does not exist any more"),
        ({"time_zone": "Mars"}, "The mapping of columns is wrong"),
        ({"c1_purpose": ""}, "Choose"),
    ],
)
def test_a_mapping_that_does_not_fit_is_shown_again(
    staffed: dict[str, Visitor], runtime: Runtime, change: dict[str, Any], told: str
) -> None:
    purpose(runtime)
    made = uploaded(staffed["marketer"], GOOD)
    form: dict[str, Any] = filled(staffed["marketer"].get(f"/imports/{made}/columns").text)
    answer = staffed["marketer"].post(f"/imports/{made}/columns", form | change)
    assert answer.status_code == 422
    assert told in answer.text


def test_a_mapping_is_saved_and_offered_again(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    made = uploaded(staffed["marketer"], "Courriel X,Nom X\nann@example.net,Ann\n")
    form: dict[str, Any] = filled(staffed["marketer"].get(f"/imports/{made}/columns").text)
    form |= {"columns": ["address:email", "last_name"], "save_as": "Our shop"}
    assert staffed["marketer"].post(f"/imports/{made}/columns", form).status_code == 303
    again = uploaded(staffed["marketer"], "Courriel X,Nom X\nbob@example.net,Bob\n")
    page = staffed["marketer"].get(f"/imports/{again}/columns").text
    assert "Our shop" in page
    assert filled(page)["columns"] == ["address:email", "last_name"]


def test_nothing_starts_untried(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    made = uploaded(staffed["marketer"], GOOD)
    staffed["marketer"].post(f"/imports/{made}/start")
    assert records.one(runtime, made).state == "uploaded"
    assert staffed["marketer"].post(f"/imports/{made}/discard").status_code == 303
    assert "deleted without being imported" in staffed["marketer"].get(f"/imports/{made}").text
    assert not list((runtime.home / "uploads").iterdir())


def test_an_import_running_can_be_stopped_and_taken_back(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    made = tried(staffed["marketer"], runtime)
    staffed["marketer"].post(f"/imports/{made}/start")
    assert staffed["marketer"].post(f"/imports/{made}/undo").status_code == 303
    assert records.one(runtime, made).state == "failed"
    pending.work_off(runtime)
    assert records.one(runtime, made).state == "undone"


def test_the_loop_does_not_wait_for_an_import(
    staffed: dict[str, Visitor], runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins the work in a thread, once, and goes on."""
    tried(staffed["marketer"], runtime)
    staffed["marketer"].post("/imports/1/start")
    begun, may_end, calls = threading.Event(), threading.Event(), []

    def slow(_runtime: Runtime) -> None:
        calls.append(1)
        begun.set()
        may_end.wait(20)

    monkeypatch.setattr(pending, "work_off", slow)
    assert pending.run_pending(runtime)
    assert begun.wait(20)
    assert pending.run_pending(runtime)
    may_end.set()
    for thread in threading.enumerate():
        if thread.name == "broadcaster-imports":
            thread.join(20)
    assert calls == [1]


def test_a_trial_asked_again_overtakes_the_first(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    """Only the newest mapping's result counts."""
    made = uploaded(staffed["marketer"], GOOD)
    form = filled(staffed["marketer"].get(f"/imports/{made}/columns").text)
    staffed["marketer"].post(f"/imports/{made}/columns", form)
    tell = pending._teller(runtime, made, 1)
    staffed["marketer"].post(f"/imports/{made}/columns", form)
    with pytest.raises(Conflict):
        tell(jobs.Progress(1, 2, 1.0))
    pending.work_off(runtime)
    assert records.one(runtime, made).state == "checked"


def test_what_is_shown_of_a_file_is_not_stored(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    made = tried(staffed["marketer"], runtime)
    told = pending.setup(runtime, made)
    assert told.check.report is not None
    stored = json.dumps([told.check.report.as_json(), [list(one) for one in told.check.rejects]])
    assert "broken" not in stored
    assert "example.net" not in stored


def test_an_agent_sees_no_imports_and_an_auditor_only_looks(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    made = tried(staffed["marketer"], runtime)
    assert staffed["agent"].get("/imports").status_code == 403
    page = staffed["auditor"].get(f"/imports/{made}")
    assert page.status_code == 200
    assert "/start" not in page.text
    assert send(staffed["auditor"], GOOD).status_code == 403
