"""Workbooks (XLSX): looked through before anything parses them, because a small file can unpack to a huge one."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import python_calamine

from broadcaster.core.errors import InvalidInput

MAX_UNPACKED = 60_000_000  #: bytes of all parts together; larger tables come as CSV
MAX_COLUMNS = 300
MAX_CELLS = 6_000_000
_ENTITY = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_CELL = re.compile(rb"<c\b[^>]*?\br=\"([A-Za-z]{1,4})(\d{1,8})\"")
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
    for part in parts:
        if part.flag_bits & 1:
            raise _not_a_workbook()
        if part.filename.endswith((".xml", ".rels")):
            _check_xml(archive, part)


def _check_xml(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Read a part in pieces: no entities, and no cell so far out that the table between would fill the memory."""
    columns = lines = read = 0
    tail = b""
    with archive.open(part) as stream:
        while block := stream.read(_BLOCK):
            read += len(block)
            if read > MAX_UNPACKED:
                raise InvalidInput("The workbook is too large.", code="unpacked_size", field="file")
            text = tail + block
            if _ENTITY.search(text) or b"\0" in text:
                raise InvalidInput("The workbook defines entities.", code="xml_entity", field="file")
            if "worksheets/" in part.filename:
                for column, line in _CELL.findall(text):
                    columns, lines = max(columns, _column(column)), max(lines, int(line))
            tail = text[-256:]
    if columns > MAX_COLUMNS or columns * lines > MAX_CELLS:
        message = "The sheet has cells too far out, or too many; save the table as CSV."
        raise InvalidInput(message, code="sheet_size", field="file")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


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
