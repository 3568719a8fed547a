"""Days on the wall clock of a slot's zone, and where they lie in time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

# No clock is further from UTC.
_FARTHEST: Final = timedelta(days=1)


def span_of(first: date, last: date) -> dict[str, Any]:
    """These days, as the queries are given them: with the time in which they lie in every zone, for the index."""
    return {
        "first": first,
        "last": last,
        "since": datetime(first.year, first.month, first.day, tzinfo=UTC) - _FARTHEST,
        "until": datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1) + _FARTHEST,
    }
