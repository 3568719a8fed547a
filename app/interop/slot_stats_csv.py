"""Figures on slots as a table for spreadsheets (RFC 4180)."""

import csv
import io
from typing import Any, Final

from pydantic import MISSING

from app.consultations.slot_stats import SlotFigures, SlotStats, SlotStatsRow

MEDIA_TYPE: Final = "text/csv"
# Where a cell begins with one of these, a spreadsheet takes it for a formula (OWASP, "CSV Injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # fmt: skip
_FIGURES: Final = tuple(SlotFigures.model_fields)
COLUMNS: Final = ("row", "group", "name", *_FIGURES)


def stats_csv(stats: SlotStats) -> bytes:
    """A line for each group and, with `total` as its `row`, one for all; what is absent is empty."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in stats.rows:
        writer.writerow(["group", _text(row.group), _text(row.name), *_figures(row)])
    writer.writerow(["total", "", "", *_figures(stats.total)])
    return text.getvalue().encode()


def _figures(row: SlotFigures | SlotStatsRow) -> list[Any]:
    return ["" if (value := getattr(row, name)) is MISSING else value for name in _FIGURES]


def _text(value: Any) -> str:
    if value is MISSING:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) else value
