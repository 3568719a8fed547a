"""Slots in files, JSON, NDJSON or CSV: read as a stream, one slot at a time, however many there are.

What is wrong with one slot is that row's fault. What makes the rest of the file unreadable refuses all of it.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from typing import IO, Any, Final

from app.consultations.slot_shapes import ConsultationSlotCreate
from app.core.errors import InvalidInput

# A slot's fields, as a header names them.
COLUMNS: Final = tuple(ConsultationSlotCreate.model_fields)
# No slot takes as much: bytes of a line, characters of an element.
MOST_OF_ONE: Final = 16 * 1024
_PIECE: Final = 64 * 1024
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)


class FileFormat(StrEnum):
    """How slots are written in a file."""

    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def read(file: IO[bytes], form: FileFormat) -> Iterator[Any]:
    """Each slot as it was sent, or the InvalidInput that it is refused by; raises InvalidInput for the whole file."""
    return {FileFormat.JSON: _read_json, FileFormat.NDJSON: _read_ndjson, FileFormat.CSV: _read_csv}[form](file)


class _Decoder:
    """Reads JSON, and tells where an object said a name twice: one reader takes the first value, another the last."""

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._is_ambiguous = False

    def decode(self, text: str, place: int = 0) -> tuple[Any, int]:
        """The value here, or what is wrong with it, and where it ends. Raises ValueError for what is no JSON."""
        self._is_ambiguous = False
        try:
            value, end = self._decoder.raw_decode(text, place)
        except RecursionError:
            raise ValueError from None
        if self._is_ambiguous:
            return InvalidInput.at("", "duplicate_key", "names a field twice in one object"), end
        return value, end

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        self._is_ambiguous = self._is_ambiguous or len(found) != len(pairs)
        return found


class _Window:
    """The part of a text that is being looked at."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._decoder = file, codecs.getincrementaldecoder("utf-8-sig")()
        self.text, self.place, self.is_last = "", 0, False

    def sign(self) -> str:
        """The next character that is no space, with at least one slot's text after it; none at the end."""
        while True:
            self._fill()
            space = _SPACE.match(self.text, self.place)
            self.place = space.end() if space else self.place
            if self.is_last or len(self.text) - self.place > MOST_OF_ONE:
                return self.text[self.place : self.place + 1]

    def _fill(self) -> None:
        while not self.is_last and len(self.text) - self.place <= MOST_OF_ONE:
            piece = self._file.read(_PIECE)
            self.is_last = not piece
            self.text = self.text[self.place :] + self._decoder.decode(piece, final=self.is_last)
            self.place = 0


def _read_json(file: IO[bytes]) -> Iterator[Any]:
    window, decoder, row = _Window(file), _Decoder(), 1
    try:
        if window.sign() != "[":
            raise InvalidInput.at("", "list_type", "must be a list of slots")
        window.place += 1
        if window.sign() != "]":
            while True:
                window.sign()
                value, end = decoder.decode(window.text, window.place)
                yield _too_long() if end - window.place > MOST_OF_ONE else value
                window.place = end
                row += 1
                sign = window.sign()
                if sign == "]":
                    break
                if sign != ",":
                    raise _broken(row, "json_invalid")
                window.place += 1
        window.place += 1
        if window.sign():
            raise _broken(row, "json_invalid")
    except ValueError:
        # Not UTF-8 either. What comes after cannot be told apart any more.
        raise _broken(row, "json_invalid") from None


def _read_ndjson(file: IO[bytes]) -> Iterator[Any]:
    decoder = _Decoder()
    for line in _lines(file):
        if line is None:
            yield _too_long()
        elif not line.isspace():
            try:
                text = line.decode().strip(" \t\r\n")
                value, end = decoder.decode(text)
            except ValueError:
                value, end = None, -1
            yield value if end == len(text) else InvalidInput.at("", "json_invalid", "is not valid JSON")


def _read_csv(file: IO[bytes]) -> Iterator[Any]:
    row = 0
    try:
        texts = _Texts(file)
        reader = csv.reader(texts, strict=True)
        header = next(reader, [])
        for number, name in enumerate(header, start=1):
            if name not in COLUMNS:
                raise InvalidInput.at("", "unknown_column", f"has a column, number {number}, that no slot has")
            if header.count(name) > 1:
                raise InvalidInput.at("", "repeated_column", f"has column number {number} twice")
        row, texts.size = 1, 0
        for cells in reader:
            texts.size = 0
            if cells:
                yield _slot(header, cells)
                row += 1
    except (csv.Error, ValueError):
        raise _broken(row, "csv_invalid") from None


def _slot(header: list[str], cells: list[str]) -> Any:
    if len(cells) != len(header):
        return InvalidInput.at("", "cells", f"has {len(cells)} cells where the header has {len(header)}")
    # An empty cell is an absent field.
    slot: dict[str, Any] = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    if _NUMBER.fullmatch(slot.get("capacity", "")):
        slot["capacity"] = int(slot["capacity"])
    if "allow_overlap" in slot:
        slot["allow_overlap"] = {"reason": slot["allow_overlap"]}
    return slot


class _Texts:
    """The lines of a CSV file. A row takes as many as its quotes hold together: `size` is what it takes so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._lines, self.size = _lines(file), 0

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            if line is None or self.size + len(line) > MOST_OF_ONE:
                raise ValueError
            self.size += len(line)
            yield line.decode()


def _lines(file: IO[bytes]) -> Iterator[bytes | None]:
    """Each line with its end; None for one that is too long."""
    line = file.readline(MOST_OF_ONE + 1).removeprefix(codecs.BOM_UTF8)
    while line:
        is_too_long = len(line) > MOST_OF_ONE
        yield None if is_too_long else line
        while is_too_long and line and not line.endswith(b"\n"):
            line = file.readline(_PIECE)
        line = file.readline(MOST_OF_ONE + 1)


def _too_long() -> InvalidInput:
    return InvalidInput.at("", "too_long", "is longer than any slot can be")


def _broken(row: int, code: str) -> InvalidInput:
    what = f"cannot be read from row {row} on" if row else "cannot be read"
    return InvalidInput.at(f"/{row - 1}" if row else "", code, what)
