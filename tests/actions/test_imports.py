"""Imports on both databases: what is taken, what is not and why, kill, undo."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import select

from broadcaster.actions import consent as consents
from broadcaster.actions import contact_fields, contact_views, contacts, sequencer
from broadcaster.actions.imports import files, jobs, records, undo, uploads
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.addresses import normalise_email
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.errors import BroadcasterError, Conflict, InvalidInput
from broadcaster.core.event_types import AddressSeen
from broadcaster.core.import_columns import Cell, ConsentRule, Mapping
from broadcaster.storage import consent as ledger
from broadcaster.storage import log, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.database import Database, allocate
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Address, Suppression
from tests import factories

ACTOR = "cli:test"
HEADER = "Email,Phone,First name,Last name,Country,Language,Consent,Date,Version,Form,Proof"
PROVED = "yes,2024-03-01,1,web form,https://example.org/form/1"


@pytest.fixture
def runtime(database_url, tmp_path):
    with factories.installation(database_url, tmp_path / "home") as made:
        factories.brand_and_purpose(made)
        yield made


def mapping(**changes) -> Mapping:
    rule = ConsentRule(
        purpose="offers",
        answer=Cell(column="Consent"),
        date=Cell(column="Date"),
        wording=Cell(column="Version"),
        source=Cell(column="Form"),
        evidence=Cell(column="Proof"),
    )
    columns = {
        "address:email": "Email",
        "address:sms": "Phone",
        "first_name": "First name",
        "last_name": "Last name",
        "country": "Country",
        "language": "Language",
    }
    return Mapping(**{"columns": columns, "consents": (rule,), **changes})


def table(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def take(runtime: Runtime, body: bytes, told: Mapping | None = None, **options):
    import_id = jobs.upload(runtime, io.BytesIO(body), name="people.csv", actor=ACTOR)
    jobs.start(runtime, import_id, files.inspect(jobs.path_of(runtime, import_id)), told or mapping(), actor=ACTOR)
    return import_id, jobs.run(runtime, import_id, actor=ACTOR, **options)


def standing(runtime: Runtime, email: str, purpose: str = "offers") -> str | None:
    found = contact_views.search(runtime, email).lines
    views = [contact_views.view(runtime, line.id) for line in found]
    states = {one.purpose: one.standing for view in views for at in view.addresses for one in at.standings}
    return states.get(purpose)


def sendable(runtime: Runtime, email: str) -> bool:
    """Ask the rows themselves, as the gate does."""
    with runtime.db.reading() as session:
        row = people.find_address(session, runtime.keys, NewAddress("email", None, "email", normalise_email(email)))
        if row is None or row.suppressed or row.status != "ok":
            return False
        return any(state.standing == "granted" for state in ledger.state_of(session, row.id).values())


def tell(runtime: Runtime, email: str, action: Action) -> None:
    with runtime.db.reading() as session:
        row = people.find_address(session, runtime.keys, NewAddress("email", None, "email", normalise_email(email)))
        assert row is not None
        purpose, now = ledger.purpose_id(session, "offers"), runtime.db.now(session)
    act = NewConsent(
        key=os.urandom(16),
        address_id=row.id,
        purpose_id=purpose,
        action=action,
        actor=Actor.PERSON,
        source=Source.KEYWORD,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={},
    )
    consents.record(runtime, [act], actor="person")


def codes(runtime: Runtime, import_id: int) -> list[tuple[int, str]]:
    return [(one.line, one.code) for one in records.rejects(runtime, import_id)]


def test_rows_become_contacts_with_proved_consent(runtime):
    import_id, report = take(runtime, table(f"Ann@Example.org,0612345678,Ann,Durand,France,fr,{PROVED}"))
    assert (report.created, report.addresses, report.consent["granted"]) == (1, 2, 1)
    (line,) = contact_views.search(runtime, "durand ann").lines
    view = contact_views.view(runtime, line.id)
    assert [one.value for one in view.addresses] == ["ann@example.org", "+33612345678"]
    assert (view.fields["country"], view.fields["first_name"]) == ("FR", "Ann")
    (event,) = view.consents
    assert event.evidence is not None
    assert event.evidence["evidence"] == "https://example.org/form/1"
    assert event.wording == "Yes, send me offers."
    assert sendable(runtime, "ann@example.org")
    assert records.one(runtime, import_id).state == "finished"
    assert not list((runtime.home / "uploads").iterdir())
    sequencer.sequence(runtime)
    assert sequencer.verify(runtime).problems == []


@pytest.mark.parametrize(
    "told,code",
    [
        (",,,,", "consent_empty"),
        ("yes?,2024-03-01,1,web form,proof", "consent_unclear"),
        ("yes,,1,web form,proof", "consent_no_date"),
        ("yes,2999-01-01,1,web form,proof", "consent_future"),
        ("yes,45000,1,web form,proof", "consent_date"),
        ("yes,03/04/2024,1,web form,proof", "consent_date"),
        ("yes,2024-03-01,,web form,proof", "consent_no_wording"),
        ("yes,2024-03-01,9,web form,proof", "consent_no_wording"),
        ("yes,2024-03-01,1,,proof", "consent_no_source"),
        ("yes,2024-03-01,1,web form,", "consent_no_evidence"),
    ],
)
def test_consent_without_proof_is_no_consent(runtime, told, code):
    """F9, B32: the row is taken, its consent is not, and the file says why."""
    import_id, report = take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{told}"))
    assert report.created == 1
    assert (2, code) in codes(runtime, import_id)
    assert not sendable(runtime, "ann@example.org")


def test_a_date_before_birth_is_no_consent(runtime):
    body = b"Email,Born,Proof\nann@example.org,1990,p\n"
    rule = ConsentRule(
        purpose="offers",
        date=Cell(value="1989-05-05"),
        wording=Cell(value="1"),
        source=Cell(value="shop"),
        evidence=Cell(column="Proof"),
    )
    told = Mapping(columns={"address:email": "Email", "birth_year": "Born"}, consents=(rule,))
    import_id, _ = take(runtime, body, told)
    assert codes(runtime, import_id) == [(2, "consent_before_birth")]


@pytest.mark.parametrize("action", [Action.WITHDRAWN, Action.OBJECTED, Action.RESTRICTED])
@pytest.mark.parametrize("existing", ["update", "fill", "keep"])
def test_no_import_lifts_a_refusal(runtime, action, existing):
    """Design 3.4, B33: whatever the options."""
    take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{PROVED}"))
    tell(runtime, "ann@example.org", action)
    later = PROVED.replace("2024-03-01", "2025-03-01")
    _, report = take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{later}"), mapping(existing=existing))
    assert report.consent["ineffective" if action is Action.RESTRICTED else "kept_withdrawn"] == 1
    assert not sendable(runtime, "ann@example.org")


def suppress(runtime: Runtime, email: str, *, known: bool) -> None:
    from broadcaster.core.event_types import Suppressed
    from broadcaster.storage import log

    with runtime.db.transaction(ACTOR) as session:
        now = runtime.db.now(session)
        address = NewAddress("email", None, "email", email)
        mark = runtime.keys.suppression[0].id
        digest = runtime.keys.suppression_digest(people.digest_of(runtime.keys, address))
        session.add(Suppression(key_id=mark, digest=digest, channel="email", reason="erasure", created_at=now))
        if known:
            row = people.find_address(session, runtime.keys, address)
            assert isinstance(row, Address)
            row.suppressed = True
            session.add(row)
        log.record(session, Suppressed("added", 1, "erasure"), at=now)


def test_a_suppressed_address_stays_suppressed(runtime):
    take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{PROVED}"))
    suppress(runtime, "ann@example.org", known=True)
    later = PROVED.replace("2024-03-01", "2025-03-01")
    _, report = take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{later}"))
    assert report.consent["kept_suppressed"] == 1
    assert not sendable(runtime, "ann@example.org")


def test_an_erased_person_is_not_taken_again(runtime):
    suppress(runtime, "ann@example.org", known=False)
    import_id, report = take(runtime, table(f"Ann@Example.org,+33612345678,Ann,,FR,fr,{PROVED}"))
    assert (report.created, report.refused) == (0, 1)
    assert codes(runtime, import_id) == [(2, "suppressed")]
    assert contact_views.search(runtime).lines == ()
    with pytest.raises(BroadcasterError, match="only the person"):
        contacts.create(runtime, {"first_name": "Ann"}, addresses={"email": "ann@example.org"}, actor=ACTOR)


def test_a_suppression_outlives_the_rotation_of_keys(runtime):
    take(runtime, table(f"bob@example.org,,Bob,,FR,fr,{PROVED}"))
    suppress(runtime, "ann@example.org", known=False)
    rotated = replace(runtime, keys=runtime.keys.rotate("index", b"i" * 32).rotate("suppression", b"s" * 32))
    import_id, report = take(
        rotated, table(f"ann@example.org,,Ann,,FR,fr,{PROVED}", f"bob@example.org,,Bob,,FR,fr,{PROVED}")
    )
    assert codes(rotated, import_id) == [(2, "suppressed")]
    assert (report.created, report.unchanged, report.consent["already"]) == (0, 1, 1)


def test_the_person_lifts_what_another_key_remembers(runtime):
    suppress(runtime, "ann@example.org", known=False)
    rotated = replace(runtime, keys=runtime.keys.rotate("index", b"i" * 32))
    with rotated.db.transaction(ACTOR) as session:
        now = rotated.db.now(session)
        new = NewAddress("email", None, "email", "ann@example.org")
        mine = [people.digest_of(rotated.keys, new)]
        people.create_addresses(session, rotated.keys, [new], now=now, suppressed_digests=mine)
        log.record(session, AddressSeen(1, "email"), at=now)
    assert not sendable(rotated, "ann@example.org")
    tell(rotated, "ann@example.org", Action.GRANTED)
    assert sendable(rotated, "ann@example.org")
    with rotated.db.reading() as session:
        assert session.exec(select(Suppression)).all() == []


def test_who_shares_somebody_with_a_known_row_is_decided_with_it(runtime):
    take(runtime, table(f"ann@example.org,+33612345601,Ann,,FR,fr,{PROVED}"))
    _, report = take(
        runtime,
        table(
            f"eve@example.org,,Eve,,FR,fr,{PROVED}",
            f"carl@example.org,+33612345602,,,FR,fr,{PROVED}",
            "dora@example.org,+33612345602,,,FR,fr,,,,,",
            "ann@example.org,+33612345602,,,FR,fr,,,,,",
        ),
    )
    assert (report.rows, report.created, report.repeated, report.refused) == (4, 2, 1, 1)
    assert sendable(runtime, "eve@example.org")
    assert sendable(runtime, "carl@example.org")
    assert contact_views.search(runtime, "dora@example.org").lines


def test_ids_put_aside_for_an_import_are_nobody_elses(runtime):
    with runtime.db.transaction(ACTOR) as session:
        mine = allocate(session, "address", 3)
    with runtime.db.transaction(ACTOR) as session:
        new = NewAddress("email", None, "email", "ann@example.org")
        ((other, _),) = people.create_addresses(session, runtime.keys, [new], now=runtime.db.now(session))
        log.record(session, AddressSeen(other, "email"), at=runtime.db.now(session))
    assert other not in mine


def test_files_a_crash_left_behind_are_deleted(runtime):
    import_id = jobs.upload(runtime, io.BytesIO(table()), name="people.csv", actor=ACTOR)
    kept = jobs.path_of(runtime, import_id)
    left, fresh = (kept.with_name(f"import-{name}.data") for name in ("0" * 16, "1" * 16))
    left.write_bytes(b"x")
    fresh.write_bytes(b"x")
    for path in (kept, left):
        os.utime(path, (1, 1))
    assert uploads.forget_orphans(runtime) == 1
    assert (kept.exists(), left.exists(), fresh.exists()) == (True, False, True)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("chunk_rows", [1, 2000])
def test_the_stricter_of_two_rows_wins(runtime, order, chunk_rows):
    """B34: in whichever order and chunk they come, and the file is told."""
    rows = [f"ann@example.org,,Ann,,FR,fr,{PROVED}", "ann@example.org,,Ann,,FR,fr,no,,,,"]
    import_id, report = take(runtime, table(*(rows[n] for n in order)), chunk_rows=chunk_rows)
    assert (report.created, report.repeated) == (1, 1)
    assert report.notes["consent_opposite"] == 1
    assert "consent_opposite" in {code for _, code in codes(runtime, import_id)}
    assert not sendable(runtime, "ann@example.org")


def test_a_list_of_people_who_said_no(runtime):
    rule = ConsentRule(purpose="marketing", answer=Cell(value="no"))
    _, report = take(
        runtime, b"Email\nann@example.org\n", Mapping(columns={"address:email": "Email"}, consents=(rule,))
    )
    assert report.consent["withdrawn"] == 1
    _, again = take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{PROVED}"))
    assert not sendable(runtime, "ann@example.org")
    assert again.consent["granted"] == 0


BAD_ROWS = [
    (",,Ann,,FR,fr,,,,,", "no_address"),
    ("a@b,,Ann,,FR,fr,,,,,", "email_invalid"),
    ('"a@b.fr\r\nBcc: x@y",,Ann,,FR,fr,,,,,', "control_character"),
    (",6.12E+08,Ann,,FR,fr,,,,,", "phone_scientific"),
    (",112,Ann,,FR,fr,,,,,", "phone_invalid"),
    (",+999123456789,Ann,,FR,fr,,,,,", "phone_invalid"),
    ("ann@example.org,Ann", "row_width"),
]


def test_refused_rows_are_listed_and_never_quoted(runtime):
    import_id, report = take(runtime, table(*(row for row, _ in BAD_ROWS)))
    assert (report.refused, report.created) == (len(BAD_ROWS), 0)
    refused = [one.code for one in records.rejects(runtime, import_id) if one.refused]
    assert refused == [code for _, code in BAD_ROWS]
    out = io.StringIO()
    records.write_rejects(records.rejects(runtime, import_id), out)
    assert out.getvalue().startswith("line,field,code,refused,message")
    assert "Ann" not in out.getvalue()


def test_ways_of_writing_one_person_make_one_contact(runtime):
    """B15, B16, B18."""
    phones = [
        "+33 6 12 34 56 78",
        "0033612345678",
        "+33(0)612345678",
        "\u0660\u0036\u0031\u0032345678",
        "0612345678\u200e",
    ]
    _, report = take(runtime, table(*(f",{phone},Ann,,FR,fr,,,,," for phone in phones)))
    assert (report.created, report.repeated, report.refused) == (1, 4, 0)


def test_a_dry_run_tells_the_same_and_writes_nothing(runtime, tmp_path):
    take(runtime, table(f"old@example.org,,Old,,FR,fr,{PROVED}"))
    tell(runtime, "old@example.org", Action.WITHDRAWN)
    rows = [f"p{n % 7}@example.org,,Name{n % 7},,FR,fr,{PROVED}" for n in range(12)]
    rows += [f"old@example.org,,New,,DE,fr,{PROVED.replace('2024', '2025')}", ",,,,,,,,,,x"]
    path = tmp_path / "f.csv"
    path.write_bytes(table(*rows))
    before = contents(runtime)
    dry = jobs.dry_run(runtime, path, files.inspect(path), mapping(), chunk_rows=5)
    assert contents(runtime) == before
    _, real = take(runtime, path.read_bytes(), chunk_rows=5)
    names = ("rows", "created", "changed", "unchanged", "repeated", "refused", "fields", "refusals", "addresses")
    assert {name: getattr(dry.report, name) for name in names} == {name: getattr(real, name) for name in names}
    assert dry.report.consent["kept_withdrawn"] == real.consent["kept_withdrawn"] == 1


def contents(runtime: Runtime) -> list[tuple]:
    names = (
        "contact",
        "address",
        "contact_address",
        "consent_event",
        "import_job",
        "import_reject",
        "log_entry",
        "person_key",
    )
    with runtime.db.reading() as session:
        connection = session.connection()
        return [tuple(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name} ORDER BY 1, 2"))) for name in names]


def test_a_shared_mailbox_has_several_people(runtime):
    rows = ["family@example.org,,Ann,Durand,FR,fr,,,,,", "family@example.org,,Bob,Smith,FR,fr,,,,,"]
    _, report = take(runtime, table(*rows))
    assert report.created == 2
    views = [contact_views.view(runtime, line.id) for line in contact_views.search(runtime, "family@example.org").lines]
    assert {view.fields["first_name"] for view in views} == {"Ann", "Bob"}
    assert {one.shared_with for view in views for one in view.addresses} == {1}


def test_what_an_import_changes_is_remembered_and_taken_back(runtime):
    contact_fields.define_group(runtime, "vip", "VIP", actor=ACTOR)
    person = contacts.create(
        runtime, {"first_name": "Ann", "country": "FR"}, addresses={"email": "ann@example.org"}, actor=ACTOR
    )
    body = table(f"ann@example.org,+33612345678,Ann,Durand,DE,de,{PROVED}", f"new@example.org,,New,,FR,fr,{PROVED}")
    import_id, report = take(runtime, body, mapping(groups=("vip",)))
    assert (report.created, report.changed) == (1, 1)
    view = contact_views.view(runtime, person)
    assert (view.fields["country"], view.fields["last_name"], view.fields["groups"]) == ("DE", "Durand", ["vip"])
    assert {one.field for one in view.preferences} == {"country", "language", "last_name"}
    done = undo.undo(runtime, import_id, actor=ACTOR)
    assert (done.consents, done.contacts) == (2, 1)
    view = contact_views.view(runtime, person)
    assert (view.fields["country"], view.fields["last_name"], view.fields["groups"]) == ("FR", None, [])
    assert [one.value for one in view.addresses] == ["ann@example.org"]
    assert not sendable(runtime, "ann@example.org")
    assert contact_views.search(runtime, "new@example.org").lines == ()
    sequencer.sequence(runtime)
    assert sequencer.verify(runtime).problems == []
    _, again = take(runtime, table(f"new@example.org,,New,,FR,fr,{PROVED}"))
    assert (again.created, sendable(runtime, "new@example.org")) == (1, True)
    with pytest.raises(Conflict):
        undo.undo(runtime, import_id, actor=ACTOR)


def test_an_undo_keeps_what_said_no(runtime):
    import_id, _ = take(runtime, table("ann@example.org,,Ann,,FR,fr,no,,,,"))
    undo.undo(runtime, import_id, actor=ACTOR)
    take(runtime, table(f"ann@example.org,,Ann,,FR,fr,{PROVED}"))
    assert not sendable(runtime, "ann@example.org")


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from broadcaster.actions.imports import jobs
from broadcaster.actions.runtime import open_runtime
keys = Path(sys.argv[2]).read_text()
runtime = open_runtime(database_url=sys.argv[1], keys_text=keys, home=Path(sys.argv[3]), public_url="")
def watch(progress):
    if progress.done >= 300:
        os.kill(os.getpid(), signal.SIGKILL)
jobs.run(runtime, int(sys.argv[4]), actor="cli:test", watch=watch, chunk_rows=100)
"""


def test_a_killed_import_goes_on_and_ends_as_if_undisturbed(runtime, tmp_path):
    """kill -9 in the middle, in a process of its own; nothing doubled, nothing lost."""
    rows = [f"p{n}@example.org,,Name{n},,FR,fr,{PROVED}" for n in range(1000)] + ["p1@example.org,,Name1,,FR,fr,no,,,,"]
    import_id = jobs.upload(runtime, io.BytesIO(table(*rows)), name="x", actor=ACTOR)
    jobs.start(runtime, import_id, files.inspect(jobs.path_of(runtime, import_id)), mapping(), actor=ACTOR)
    keys = tmp_path / "keys.json"
    keys.write_text(runtime.keys.dump())
    url = runtime.db.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", KILLED, url, str(keys), str(runtime.home), str(import_id)]
    ended = subprocess.run(command, check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    assert records.one(runtime, import_id).rows_done == 300
    report = jobs.run(runtime, import_id, actor=ACTOR)
    assert (report.rows, report.created, report.repeated) == (1001, 1000, 1)
    assert (report.consent["granted"], report.consent["withdrawn"]) == (1000, 1)
    with runtime.db.reading() as session:
        count = session.connection().exec_driver_sql("SELECT count(*), count(DISTINCT key) FROM consent_event").one()
    assert tuple(count) == (1001, 1001)
    sequencer.sequence(runtime)
    assert sequencer.verify(runtime).problems == []


def test_two_runners_do_not_double(runtime):
    rows = [f"p{n}@example.org,,Name{n},,FR,fr,{PROVED}" for n in range(30)]
    import_id = jobs.upload(runtime, io.BytesIO(table(*rows)), name="x", actor=ACTOR)
    jobs.start(runtime, import_id, files.inspect(jobs.path_of(runtime, import_id)), mapping(), actor=ACTOR)
    busy: list[jobs.Progress] = []

    def meddle(progress):
        if not busy:
            busy.append(progress)
            jobs.run(runtime, import_id, actor=ACTOR, chunk_rows=10)

    with pytest.raises(Conflict):
        jobs.run(runtime, import_id, actor=ACTOR, chunk_rows=10, watch=meddle)
    assert records.one(runtime, import_id).report.created == 30


def test_whoever_comes_second_looks_on(runtime):
    """A command line and a worker want the same import: one does it, both give its report."""
    rows = [f"p{n}@example.org,,Name{n},,FR,fr,{PROVED}" for n in range(30)]
    import_id = jobs.upload(runtime, io.BytesIO(table(*rows)), name="x", actor=ACTOR)
    jobs.start(runtime, import_id, files.inspect(jobs.path_of(runtime, import_id)), mapping(), actor=ACTOR)
    worker = replace(runtime, db=Database(runtime.db.url.render_as_string(hide_password=False)))
    records.hold(worker, import_id)
    seen: list[jobs.Progress] = []

    def watch(progress):
        if not seen:
            assert records.run_waiting(runtime) == 0
            assert records.run_waiting(worker) == 1
        seen.append(progress)

    report = records.finish(runtime, import_id, actor=ACTOR, watch=watch)
    worker.close()
    assert (report.created, len(seen)) == (30, 1)


def test_the_helper_process_gives_the_same(runtime):
    """A file of more than a megabyte is read by a process of its own."""
    rows = [f"p{n}@example.org,,Name{n},,FR,fr,{PROVED}{'x' * 900}" for n in range(1500)]
    _, report = take(runtime, table(*rows))
    assert (report.created, report.consent["granted"]) == (1500, 1500)


def test_an_upload_has_our_own_name(runtime):
    """B40: the file's own name is text, never a path."""
    import_id = jobs.upload(runtime, io.BytesIO(b"a"), name="../../x\0\n" + "y" * 300, actor=ACTOR)
    path = jobs.path_of(runtime, import_id)
    assert path.parent == runtime.home / "uploads"
    assert path.name.startswith("import-")
    shown = records.one(runtime, import_id).name
    assert len(shown) <= 100
    assert "\n" not in shown
    jobs.discard(runtime, import_id, actor=ACTOR)
    assert not path.exists()


def test_an_import_cannot_start_on_a_broken_file(runtime):
    """B27: nothing of it is taken, the line is named."""
    body = table(*(f"p{n}@example.org,,A,,FR,fr,,,,," for n in range(500))) + b'x@example.org,"open\n' + b"a,b\n" * 400
    import_id = jobs.upload(runtime, io.BytesIO(body), name="x", actor=ACTOR)
    found = files.inspect(jobs.path_of(runtime, import_id))
    with pytest.raises(InvalidInput) as caught:
        jobs.start(runtime, import_id, found, mapping(), actor=ACTOR)
    assert (caught.value.code, caught.value.line) == ("quote_open", 502)
    assert contact_views.search(runtime).lines == ()


def test_mappings_are_offered_again(runtime):
    records.save_mapping(runtime, "monthly", mapping())
    found = records.mapping_for(runtime, HEADER.lower().split(","))
    assert found is not None
    assert found == ("monthly", mapping())
    assert records.mapping_for(runtime, ["x"]) is None


def test_a_workbook_is_read(runtime, tmp_path):
    path = tmp_path / "people.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in workbook([["Email", "Phone"], ["ann@example.org", "0612345678"]]).items():
            archive.writestr(name, body)
    told = Mapping(columns={"address:email": "Email", "address:sms": "Phone"}, region="FR")
    _, report = take(runtime, path.read_bytes(), told)
    assert (report.created, report.addresses) == (1, 2)


def workbook(rows: list[list[str]]) -> dict[str, str]:
    cells = "".join(
        f'<row r="{y}">'
        + "".join(f'<c r="{chr(65 + x)}{y}" t="inlineStr"><is><t>{v}</t></is></c>' for x, v in enumerate(row))
        + "</row>"
        for y, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rels = "http://schemas.openxmlformats.org/package/2006/relationships"
    doc = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return {
        "[Content_Types].xml": (
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{doc}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>'
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{main}" xmlns:r="{doc}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets>'
            "</workbook>"
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{rels}"><Relationship Id="r1" Type="{doc}/worksheet" '
            'Target="worksheets/sheet1.xml"/></Relationships>'
        ),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
    }


def ends(runtime: Runtime, source: str) -> list[tuple]:
    with runtime.db.reading() as session:
        query = text(f"SELECT address_id, expires_at FROM consent_event WHERE source = '{source}' ORDER BY 1")
        return [tuple(map(str, row)) for row in session.connection().execute(query)]


@pytest.mark.parametrize("chunk_rows", [2, 100])
def test_an_import_gives_the_same_end_as_a_form(runtime, chunk_rows):
    """By the row of everybody who uses the address, the shortest of several; of a number also by its country."""
    legal = {"FR": {"consent_months": 36}, "DE": {"consent_months": 30}, "BE": {"consent_months": 33}}
    set_settings(runtime, {"legal": legal}, actor=ACTOR)
    both = ConsentRule(**{**mapping().consents[0].model_dump(), "channel": "sms"})
    _, report = take(
        runtime,
        table(
            f"b@example.org,,Bea,,GB,en,{PROVED}",
            f"b@example.org,,Carl,,DE,en,{PROVED}",
            f"a@example.org,,Ann,,FR,en,{PROVED}",
            f"d@example.org,+32470123456,Dan,,,en,{PROVED}",
            f"e@example.org,+32470123457,Eve,,FR,en,{PROVED}",
            f"f@example.org,,Fay,,,en,{PROVED}",
            f"a@example.org,,Ann,,FR,en,{PROVED.replace('-03-', '-04-')}",
        ),
        mapping(consents=(mapping().consents[0], both)),
        chunk_rows=chunk_rows,
    )
    assert report.created == 6
    imported = ends(runtime, "import")
    assert len({end for _, end in imported}) > 3
    with runtime.db.reading() as session:
        rows = session.connection().execute(text("SELECT address_id, occurred_at FROM consent_event ORDER BY 1"))
        told = [(row[0], datetime.fromisoformat(str(row[1])[:26]).replace(tzinfo=UTC)) for row in rows]
        purpose = ledger.purpose_id(session, "offers")
    consents.record(runtime, [factories.grant(address, purpose, at) for address, at in told], actor=ACTOR)
    assert sorted(ends(runtime, "web_form")) == sorted(imported)


def test_an_end_by_the_law_is_sealed_ahead_too(runtime):
    """A file of more than a megabyte is read by a process of its own."""
    set_settings(runtime, {"legal": {"FR": {"consent_months": 60}}}, actor=ACTOR)
    rows = [f"p{n}@example.org,,Name{n},,FR,fr,{PROVED}{'x' * 900}" for n in range(1500)]
    take(runtime, table(*rows))
    assert {end[:10] for _, end in ends(runtime, "import")} == {"2029-03-01"}
    assert sendable(runtime, "p7@example.org")
