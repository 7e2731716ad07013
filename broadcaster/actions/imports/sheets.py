"""Workbooks (XLSX): looked through before anything parses them, because a small file can unpack to a huge one."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import python_calamine

from broadcaster.core.errors import InvalidInput

MAX_UNPACKED = 60_000_000  #: bytes of all parts together; larger tables come as CSV
MAX_COLUMNS = 300
MAX_CELLS = 6_000_000
_DIGITS = "0123456789"
_TEXT = frozenset({"v", "t", "is", "si", "f"})  #: most of what a workbook consists of, and nothing to look at
_BLOCK = 1 << 20


def check(path: Path, sheet: str) -> tuple[str, list[str]]:
    """Return (sheet name, header) of a workbook that is safe to parse.

    Raises InvalidInput: ``file_type``, ``unpacked_size``, ``sheet_size``, ``xml_entity``, ``no_rows``, ``sheet``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check_parts(archive)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError):
        raise _not_a_workbook() from None
    name = _sheet_name(path, sheet)
    first = next(rows(path, name), None)
    if first is None:
        raise InvalidInput("The sheet is empty.", code="no_rows", field="file")
    return name, first[1]


def _not_a_workbook() -> InvalidInput:
    message = "This is not an Excel workbook (.xlsx) without macros and password."
    return InvalidInput(message, code="file_type", field="file")


def _check_parts(archive: zipfile.ZipFile) -> None:
    parts = archive.infolist()
    names = {part.filename for part in parts}
    if len(parts) > 2000 or sum(part.file_size for part in parts) > MAX_UNPACKED:
        message = "The workbook unpacks to more than 60 MB; save the table as CSV."
        raise InvalidInput(message, code="unpacked_size", field="file")
    odd = any(".." in name or name.startswith("/") or "\\" in name for name in names)
    if odd or "xl/workbook.xml" not in names or any("vbaProject" in name for name in names):
        raise _not_a_workbook()
    if any(part.flag_bits & 1 for part in parts):
        raise _not_a_workbook()
    for part in parts:
        with archive.open(part) as stream:
            _check_part(part.filename.lower(), stream)


def _check_part(name: str, stream: IO[bytes]) -> None:
    """Read a part in pieces: what it says of its size is not believed."""
    reader = _Cells(sheets_follow=name == "xl/_rels/workbook.xml.rels")
    is_xml = name.endswith((".xml", ".rels"))
    read = 0
    while block := stream.read(_BLOCK):
        read += len(block)
        if read > MAX_UNPACKED:
            raise InvalidInput("The workbook is too large.", code="unpacked_size", field="file")
        if is_xml:
            reader.feed(block)
    if is_xml:
        reader.feed(b"", last=True)


class _Cells:
    """The outermost cell of a part: the parser makes a table of everything in between, and dies if it is too large.

    Raises InvalidInput ``sheet_size``, ``xml_entity``, and ``file_type`` for what is no XML in UTF-8.
    """

    def __init__(self, *, sheets_follow: bool) -> None:
        self.sheets_follow = sheets_follow
        self.row = self.column = self.rows = self.columns = 0
        self.parser = expat.ParserCreate("utf-8")
        self.parser.StartElementHandler = self._begins
        self.parser.StartDoctypeDeclHandler = _refuse_doctype

    def feed(self, block: bytes, *, last: bool = False) -> None:
        if b"\0" in block:
            raise _entities()
        try:
            self.parser.Parse(block, last)
        except expat.ExpatError:
            raise _not_a_workbook() from None

    def _begins(self, name: str, attributes: dict[str, str]) -> None:
        if name in _TEXT:
            return
        kind = name.rpartition(":")[2]
        if kind == "c":
            self._cell(attributes.get("r", ""))
        elif kind == "row":
            told = attributes.get("r", "")
            self.row, self.column = _number(told) if told else self.row + 1, 0
        elif kind == "Relationship" and self.sheets_follow and not attributes.get("Target", "").endswith(".xml"):
            raise _not_a_workbook()  # a sheet under another name would not have been looked through

    def _cell(self, place: str) -> None:
        """Go to *place* ("B2"); a cell that says none stands right of the last."""
        if place:
            letters = place.rstrip(_DIGITS)
            self.column, self.row = _column(letters), _number(place[len(letters) :])
        else:
            self.column += 1
        if self.column > self.columns or self.row > self.rows:
            self.columns, self.rows = max(self.columns, self.column), max(self.rows, self.row)
            if self.columns > MAX_COLUMNS or self.columns * self.rows > MAX_CELLS:
                message = "The sheet has cells too far out, or too many; save the table as CSV."
                raise InvalidInput(message, code="sheet_size", field="file")


def _refuse_doctype(*_told: object) -> None:
    raise _entities()


def _entities() -> InvalidInput:
    return InvalidInput("The workbook defines entities.", code="xml_entity", field="file")


@lru_cache(maxsize=MAX_COLUMNS)
def _column(letters: str) -> int:
    if not re.fullmatch(r"[A-Za-z]{1,4}", letters):
        raise _not_a_workbook()
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - 64
    return number


def _number(digits: str) -> int:
    if not digits or len(digits) > 8 or digits.strip(_DIGITS):
        raise _not_a_workbook()
    return int(digits)


def _sheet_name(path: Path, sheet: str) -> str:
    names = _open(path).sheet_names
    if not names or (sheet and sheet not in names):
        raise InvalidInput("There is no such sheet.", code="sheet", field="sheet")
    return sheet or names[0]


def _open(path: Path) -> python_calamine.CalamineWorkbook:
    try:
        return python_calamine.CalamineWorkbook.from_path(path)
    except Exception:  # its errors have no common root, and some are the parser's own panics
        raise _not_a_workbook() from None


def rows(path: Path, sheet: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line from 1, cells as text)."""
    try:
        table = _open(path).get_sheet_by_name(sheet)
        first = table.start[0] if table.start else 0
        for number, row in enumerate(table.iter_rows(), 1 + first):
            yield number, [_as_text(cell) for cell in row]
    except (python_calamine.CalamineError, UnicodeError):
        raise _not_a_workbook() from None


def _as_text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time | timedelta):
        return cell.isoformat() if isinstance(cell, date | time) else str(cell)
    return "" if cell is None else str(cell)
