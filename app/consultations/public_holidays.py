"""Public holidays of countries and their parts (ISO 3166), from the package `holidays`."""

from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any, Final

HOLIDAYS_PATTERN: Final = r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$"
_LANGUAGE: Final = "en_US"


def is_known(code: str) -> bool:
    """Whether holidays are known for this country, or part of it. The first call takes a while."""
    try:
        names(code, 2030)
    except NotImplementedError:
        return False
    return True


@lru_cache(maxsize=512)
def names(code: str, year: int) -> Mapping[date, str]:
    """A year's public holidays by day; raises NotImplementedError. The first call takes a while.

    In English where the package has them in English, else as the country calls them.
    """
    import holidays  # noqa: PLC0415 - heavy, and most processes never need it

    country, _, part = code.partition("-")
    options: dict[str, Any] = {"subdiv": part or None, "years": year}
    known = holidays.country_holidays(country, **options)
    if _LANGUAGE in known.supported_languages:
        known = holidays.country_holidays(country, language=_LANGUAGE, **options)
    return dict(known)
