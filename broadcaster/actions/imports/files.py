"""Open a file that somebody gave us: CSV in any common form, or XLSX. Never trusts it, never holds it whole."""

from __future__ import annotations

import codecs
import csv
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

from broadcaster.actions.imports import sheets
from broadcaster.core.errors import InvalidInput

MAX_BYTES = 500_000_000
MAX_ROWS = 5_000_000
MAX_LINE = 1_000_000  #: characters
MAX_FIELD = 100_000  #: characters; longer is no field but a broken file
MAX_RECORD_LINES = 60  #: a quoted field with more line breaks is a quote that was never closed
DELIMITERS = (",", ";", "\t", "|")
_ENCODINGS = {"utf-8": "utf-8-sig", "utf8": "utf-8-sig", "latin-1": "cp1252", "iso-8859-1": "cp1252"}
_SAMPLE = 60


class Record(NamedTuple):
    """One record: its number from 1 after the header, the line it begins on, its cells."""

    number: int
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Format:
    """How a file is written; ``encoding`` and ``delimiter`` are empty for a workbook."""

    kind: str  #: "csv" or "xlsx"
    encoding: str = ""
    delimiter: str = ""
    sep_line: bool = False  #: the first line is Excel's ``sep=;``
    header: tuple[str, ...] = ()
    sheet: str = ""


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file. Raises InvalidInput ``not_a_file`` for links, folders, pipes and devices."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        raise InvalidInput("This is not a file that can be read.", code="not_a_file", field="file") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InvalidInput("This is not a plain file.", code="not_a_file", field="file")
    return os.fdopen(handle, "rb")


def inspect(path: Path, *, delimiter: str | None = None, encoding: str | None = None, sheet: str = "") -> Format:
    """Find out how a file is written; *delimiter* and *encoding* say it where it cannot be seen.

    Raises InvalidInput: ``no_rows``, ``header_missing``, ``header_empty``, ``delimiter``, ``encoding``, ``file_type``,
    ``file_size``, ``nul``, ``quote_open``, ``field_size``, ``unpacked_size``, ``sheet_size``, ``xml_entity``.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
    if size > MAX_BYTES:
        raise InvalidInput("The file is larger than 500 MB; split it.", code="file_size", field="file")
    if start.startswith(b"PK\x03\x04"):
        name, header = sheets.check(path, sheet)
        return _checked(Format("xlsx", header=tuple(header), sheet=name))
    if start.startswith(b"\xd0\xcf\x11\xe0"):
        message = "This is an old or encrypted Excel file; save it as .xlsx without a password, or as CSV."
        raise InvalidInput(message, code="file_type", field="file")
    found = _encoding(path, encoding)
    sample = _sample(path, found)
    if not sample:
        raise InvalidInput("The file is empty.", code="no_rows", field="file")
    told = re.fullmatch(r"\"?sep=(.)\"?", sample[0].rstrip("\r\n"))
    lines = sample[1:] if told else sample
    used = delimiter or (told[1] if told else _delimiter(lines))
    if len(used) != 1 or used in '\r\n"':
        raise InvalidInput("A delimiter is one character.", code="delimiter", field="delimiter")
    made = Format("csv", found, used, told is not None)
    first = next(_csv(path, made), None)
    if first is None:
        raise InvalidInput("The file is empty.", code="no_rows", field="file")
    return _checked(Format("csv", found, used, told is not None, tuple(first[1])))


def _checked(made: Format) -> Format:
    header = made.header
    if not any(name.strip() for name in header):
        raise InvalidInput("The first line has no column names.", code="header_missing", field="file", line=1)
    if any("@" in name or re.fullmatch(r"\+?[\d .()-]{6,}", name.strip()) for name in header):
        message = "The first line holds values, not column names."
        raise InvalidInput(message, code="header_missing", field="file", line=1)
    if len(header) > 300:
        raise InvalidInput("The file has more than 300 columns.", code="sheet_size", field="file", line=1)
    return made


def records(path: Path, made: Format, *, checked: bool = False) -> Iterator[Record]:
    """Yield the records after the header; empty lines are left out. Constant memory for CSV.

    *checked*: ``count`` has read this file to its end, so that its lines need no second look.
    """
    if made.kind == "xlsx":
        lines = sheets.rows(path, made.sheet)
    else:
        lines = _plain(path, made) if checked else _csv(path, made)
    next(lines, None)
    number = 0
    for line, cells in lines:
        if not any(cells):
            continue
        number += 1
        if number > MAX_ROWS:
            raise InvalidInput("The file has more than 5 000 000 rows; split it.", code="file_size", field="file")
        yield Record(number, line, cells)


def count(path: Path, made: Format) -> int:
    """Read a file to its end and return how many records it has. Raises InvalidInput naming what is broken, and where.

    Most files have nothing wrong: only one that has is read line by line, to say which.
    """
    if made.kind == "csv" and _lines_end(path):
        try:
            found = sum(map(any, map(itemgetter(1), islice(_plain(path, made), 1, None))))
        except InvalidInput:
            found = MAX_ROWS + 1
        if found <= MAX_ROWS:
            return found
    return sum(1 for _ in records(path, made))


def _lines_end(path: Path) -> bool:
    """Say whether no line can be too long and none holds a zero byte (UTF-16 does)."""
    with open_regular(path) as file:
        while block := file.read(MAX_LINE // 2):
            if b"\0" in block or not (b"\n" in block or b"\r" in block or len(block) < MAX_LINE // 2):
                return False
    return True


def _plain(path: Path, made: Format) -> Iterator[tuple[int, list[str]]]:
    """Yield what ``_csv`` yields, without a call of ours for each line, and without saying what is wrong where."""
    csv.field_size_limit(MAX_FIELD)
    with open_regular(path) as raw, open(raw.fileno(), encoding=made.encoding, newline="", closefd=False) as file:
        before = 1 if made.sep_line and file.readline(MAX_LINE) else 0
        reader, line = csv.reader(file, delimiter=made.delimiter, strict=True), before + 1
        try:
            for cells in reader:
                yield line, cells
                after = before + reader.line_num + 1
                if after - line > MAX_RECORD_LINES + 1:
                    raise csv.Error("quote")
                line = after
        except (csv.Error, UnicodeError):
            raise InvalidInput("The file was changed while it was read.", code="file_changed", field="file") from None


def _encoding(path: Path, told: str | None) -> str:
    """Return the encoding: as told, by its mark, UTF-8 if it is, else Windows-1252 if nothing speaks for UTF-8."""
    with open_regular(path) as file:
        start = file.read(4096)
        if told:
            return _known_encoding(told)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.count(0) > len(start) // 4:
            return "utf-16-le" if start[1::2].count(0) > start[::2].count(0) else "utf-16-be"
        file.seek(0)
        return _utf8_or_not(file)


def _known_encoding(told: str) -> str:
    try:
        name = codecs.lookup(told).name
    except LookupError:
        raise InvalidInput("There is no such encoding.", code="encoding", field="encoding") from None
    return _ENCODINGS.get(told.lower(), _ENCODINGS.get(name, name))


def _utf8_or_not(file: IO[bytes]) -> str:
    line, proved = 0, False
    broken = 0
    while chunk := file.readline(MAX_LINE * 4):
        line += 1
        try:
            proved = proved or (not chunk.isascii() and bool(chunk.decode()))
            if proved and not chunk.isascii():
                chunk.decode()
        except UnicodeDecodeError:
            broken = broken or line
        if broken and proved:
            message = f"Line {broken} is not UTF-8 while others are; say the encoding, or mend the line."
            raise InvalidInput(message, code="encoding", field="encoding", line=broken)
    return "cp1252" if broken else "utf-8-sig"


def _sample(path: Path, encoding: str) -> list[str]:
    lines: list[str] = []
    for _, line in _lines(path, encoding):
        if line.strip():
            lines.append(line)
        if len(lines) >= _SAMPLE:
            break
    return lines


def _lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield (number, line) with its end, each bounded."""
    number = 0
    with open_regular(path) as raw, open(raw.fileno(), encoding=encoding, newline="", closefd=False) as file:
        while True:
            try:
                line = file.readline(MAX_LINE)
            except (UnicodeDecodeError, UnicodeError):
                at = _undecodable(path, encoding)
                message = f"Line {at} is not written in {encoding}."
                raise InvalidInput(message, code="encoding", field="encoding", line=at) from None
            if not line:
                return
            number += 1
            if len(line) >= MAX_LINE:
                raise InvalidInput(f"Line {number} is too long.", code="field_size", field="file", line=number)
            if "\0" in line:
                raise InvalidInput(f"Line {number} holds a zero byte.", code="nul", field="file", line=number)
            yield number, line


def _undecodable(path: Path, encoding: str) -> int:
    """Return the line with the first byte that cannot be decoded; the text layer reads ahead and cannot say."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with open_regular(path) as file:
        while block := file.read(65536):
            try:
                line += decoder.decode(block).count("\n")
            except UnicodeDecodeError as problem:
                return line + problem.object[: problem.start].decode(encoding, "ignore").count("\n")
    return line


def _delimiter(lines: Sequence[str]) -> str:
    """Return the one delimiter that makes a table of the sample. Raises InvalidInput ``delimiter`` if in doubt."""
    header = lines[0].rstrip("\r\n")
    candidates = [one for one in DELIMITERS if one in header]
    if not candidates:
        if any(one in line for line in lines[1:] for one in DELIMITERS):
            raise _which_delimiter()
        return ","
    fitting = [one for one in candidates if _fits(lines, one)]
    if len(fitting) == 1 or (not fitting and len(candidates) == 1):
        return (fitting or candidates)[0]
    raise _which_delimiter()


def _fits(lines: Sequence[str], delimiter: str) -> bool:
    widths: list[int] = []
    try:
        widths.extend(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    except csv.Error:
        pass  # the reader proper names the line
    return bool(widths) and widths[0] > 1 and sum(width == widths[0] for width in widths) * 10 >= len(widths) * 9


def _which_delimiter() -> InvalidInput:
    message = "It is not certain what separates the columns; say it: , ; tab or |."
    return InvalidInput(message, code="delimiter", field="delimiter")


def _csv(path: Path, made: Format) -> Iterator[tuple[int, list[str]]]:
    """Yield (line on which it begins, cells) for every record, the header included."""
    at = _Position()
    source = at.watch(_lines(path, made.encoding))
    if made.sep_line:
        next(source, None)
    reader = csv.reader(source, delimiter=made.delimiter, strict=True)
    csv.field_size_limit(MAX_FIELD)
    while True:
        at.start = at.line + 1
        try:
            cells = next(reader, None)
        except csv.Error as problem:
            raise _broken(str(problem), at) from None
        if cells is None:
            return
        yield at.start, cells


class _Position:
    """Where the reader is; stops a record that swallows line after line."""

    def __init__(self) -> None:
        self.line = 0
        self.start = 1

    def watch(self, lines: Iterator[tuple[int, str]]) -> Iterator[str]:
        for number, line in lines:
            self.line = number
            if number - self.start > MAX_RECORD_LINES:
                raise csv.Error("quote")
            yield line


def _broken(problem: str, at: _Position) -> InvalidInput:
    if "field larger" in problem:
        return InvalidInput(f"Line {at.start} has a field that is too long.", code="field_size", line=at.start)
    message = f"Line {at.start} has a quotation mark that is not closed or not doubled."
    return InvalidInput(message, code="quote_open", field="file", line=at.start)
