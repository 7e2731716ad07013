"""Files that people hand us: rows B24 to B38 of the bad inputs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from broadcaster.actions.imports import files, sheets
from broadcaster.core.errors import InvalidInput
from tests.actions.test_imports import workbook


def put(tmp_path: Path, body: bytes, name: str = "f.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(body)
    return path


def read(path: Path, **options) -> list[list[str]]:
    """Read a file carefully; the quick road must find the same."""
    found = files.inspect(path, **options)
    told = list(files.records(path, found))
    assert files.count(path, found) == len(told)
    assert list(files.records(path, found, checked=True)) == told
    return [record.cells for record in told]


def refusal(path: Path, **options) -> InvalidInput:
    """Return what stops the careful road, and the count before an import in the same words."""
    told = []
    for road in (lambda found: list(files.records(path, found)), lambda found: files.count(path, found)):
        with pytest.raises(InvalidInput) as caught:
            road(files.inspect(path, **options))
        told.append(caught.value)
    assert told[0].exit_code == 3
    assert (told[0].code, told[0].line) == (told[1].code, told[1].line)
    return told[0]


@pytest.mark.parametrize(
    "body,code",
    [
        (b"", "no_rows"),
        (b"\n\n", "no_rows"),
        (b"ann@example.org,Ann\nbob@example.org,Bob\n", "header_missing"),
        (b"0612345678\n", "header_missing"),
        (b"a,b;c\n1,2;3\n", "delimiter"),
        (b"email\na,b\n", "delimiter"),
        (b"name,x\nJos\xc3\xa9,1\nM\xfcller,2\n", "encoding"),
        (b"a,b\n1,\x00\n", "nul"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "field_size"),
        (b"a,b\n" + b"x" * 2_000_000 + b"\n", "field_size"),
        (b'a,b\n1,"open\n' + b"1,2\n" * 50_000, "quote_open"),
        (b'a,b\n1,"open\n1,"b"\n', "quote_open"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, "file_type"),
        (b"PK\x03\x04 not a zip at all", "file_type"),
        (b",".join(b"c%d" % n for n in range(400)) + b"\n", "sheet_size"),
    ],
)
def test_broken_files_are_named(tmp_path, body, code):
    assert refusal(put(tmp_path, body)).code == code


def test_the_line_is_named(tmp_path):
    """B26, B27: where to look."""
    broken = b"name,x\n" + b"Jos\xc3\xa9,1\n" * 5 + b"M\xfcller,2\n"
    assert refusal(put(tmp_path, broken)).line == 7
    assert refusal(put(tmp_path, b'a,b\n1,2\n1,"open\n' + b"1,2\n" * 50_000)).line == 3
    assert refusal(put(tmp_path, b"a,b\n1,\xe9\n"), encoding="utf-8").line == 2


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_what_spreadsheets_write_is_read(tmp_path, delimiter, ends, encoding):
    rows = [["Prénom", "Ville"], ["Zoé", "Orléans"], ["Ann", f"a{delimiter}b"]]
    body = ends.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows) + ends
    assert read(put(tmp_path, body.encode(encoding))) == rows[1:]


def test_what_excel_says_of_its_delimiter_is_believed(tmp_path):
    assert read(put(tmp_path, b"sep=;\r\na;b,c\r\n1;2,3\r\n")) == [["1", "2,3"]]


def test_a_header_alone_is_an_empty_table(tmp_path):
    assert read(put(tmp_path, b"email,name\n")) == []


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    path = put(tmp_path, b'a,b\n1,"x\ny"\n\n3,4\n')
    assert [(one.number, one.line) for one in files.records(path, files.inspect(path))] == [(1, 2), (2, 5)]


@pytest.mark.parametrize("lines", [61, 62])
def test_a_record_of_too_many_lines_is_an_open_quote_on_both_roads(tmp_path, lines):
    path = put(tmp_path, b'a,b\n1,"' + b"\n" * (lines - 1) + b'"\n3,4\n')
    if lines == files.MAX_RECORD_LINES + 1:
        assert len(read(path)) == 2
    else:
        assert refusal(path).code == "quote_open"


def test_a_file_that_changes_after_it_was_counted_is_no_crash(tmp_path):
    path = put(tmp_path, b"a,b\n1,2\n")
    found = files.inspect(path)
    path.write_bytes(b'a,b\n1,"2\n')
    with pytest.raises(InvalidInput) as caught:
        list(files.records(path, found, checked=True))
    assert caught.value.code == "file_changed"


def test_only_plain_files_are_opened(tmp_path):
    """B35"""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(put(tmp_path, b"a,b\n"))
    for name in ("pipe", "link", ".", "missing", "f.csv/x", "a\0b"):
        assert refusal(tmp_path / name).code == "not_a_file"


def test_a_large_file_is_refused_unread(tmp_path):
    """B31"""
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES + 1)
    assert refusal(path).code == "file_size"


def archive(tmp_path: Path, parts: dict[str, str | bytes]) -> Path:
    path = tmp_path / "book.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, body in parts.items():
            made.writestr(name, body)
    return path


BOOK = workbook([["email", "name"], ["ann@example.org", "Ann"]])
SHEET = "xl/worksheets/sheet1.xml"
RELS = "xl/_rels/workbook.xml.rels"
FAR = BOOK[SHEET].replace('r="B2"', 'r="XFD1048576"')
WITH_X = '<worksheet xmlns:x="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def test_a_sheet_is_read(tmp_path):
    assert read(archive(tmp_path, dict(BOOK))) == [["ann@example.org", "Ann"]]


@pytest.mark.parametrize(
    "parts,code",
    [
        ({SHEET: b" " * 150_000_000}, "unpacked_size"),
        ({SHEET: FAR}, "sheet_size"),
        ({SHEET: '<!DOCTYPE x [<!ENTITY a "b">]>' + BOOK[SHEET]}, "xml_entity"),
        ({SHEET: '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + BOOK[SHEET]}, "xml_entity"),
        ({SHEET: BOOK[SHEET].encode("utf-16")}, "xml_entity"),
        ({SHEET: FAR.replace('"', "'")}, "sheet_size"),
        ({SHEET: FAR.replace('<c r="XFD', '<c a=">" r="XFD')}, "sheet_size"),
        ({SHEET: FAR.replace('<c r="XFD', "<c" + " " * 1_200_000 + 'r="XFD')}, "sheet_size"),
        ({SHEET: FAR.replace("<c ", "<x:c ").replace("</c>", "</x:c>").replace("<worksheet", WITH_X)}, "sheet_size"),
        (
            {SHEET: BOOK[SHEET].replace("</sheetData>", f'<row r="1048576">{"<c/>" * 16_000}</row></sheetData>')},
            "sheet_size",
        ),
        ({"xl/far.bin": FAR, RELS: BOOK[RELS].replace("worksheets/sheet1.xml", "far.bin")}, "file_type"),
        ({SHEET: BOOK[SHEET].replace("</worksheet>", "")}, "file_type"),
        ({SHEET: "x" + BOOK[SHEET]}, "file_type"),
        ({"xl/vbaProject.bin": b"x"}, "file_type"),
        ({"../../evil.xml": b"x"}, "file_type"),
        ({"xl/workbook.xml": None}, "file_type"),
    ],
)
def test_workbooks_are_looked_through_first(tmp_path, parts, code):
    """B36 to B38."""
    made = {name: body for name, body in {**BOOK, **parts}.items() if body is not None}
    assert refusal(archive(tmp_path, made)).code == code


def test_an_encrypted_part_is_refused(tmp_path):
    path = archive(tmp_path, dict(BOOK))
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02")
    raw[at + 8] |= 1
    path.write_bytes(raw)
    assert refusal(path).code == "file_type"


BOUNDED = """
import sys
from pathlib import Path
from broadcaster.actions.imports import files
from broadcaster.core.errors import InvalidInput
path = Path(sys.argv[1])
try:
    print(sum(1 for _ in files.records(path, files.inspect(path))))
except InvalidInput as problem:
    print(problem.code)
"""


def test_the_largest_workbook_we_take_fits_in_memory(tmp_path):
    """X45: under 300 MB, whatever the table."""
    cells = "".join(
        f'<row r="{y}">'
        + "".join(f'<c r="{c}{y}" t="inlineStr"><is><t>v{y}</t></is></c>' for c in "ABCDEFGH")
        + "</row>"
        for y in range(1, 130_000)
    )
    sheet = BOOK[SHEET].partition("<sheetData>")[0] + f"<sheetData>{cells}</sheetData></worksheet>"
    assert len(sheet) < sheets.MAX_UNPACKED
    path = archive(tmp_path, {**BOOK, SHEET: sheet})

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (300_000_000, 300_000_000))

    command = [sys.executable, "-c", BOUNDED, str(path)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=limit, cwd=Path(__file__).parents[2]
    )
    assert ended.stdout.strip() == "129998", ended.stderr[-500:]
