"""Which of two representations a client would rather have (RFC 9110, section 12.5.1): the list of `Accept`."""

import re
from typing import Final

_MOST: Final = 20
_NAMED: Final = 2
_WEIGHT: Final = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


def prefers(accept: str, wanted: str, default: str) -> bool:
    """Whether a client that sends this `Accept` asks for the media type `wanted` by name, and would rather have it.

    Not where it does not mind: of two that it names with the same weight the default is sent. A type that is named
    outranks one that a wildcard of the same weight allows.
    """
    weight, closeness = _rank(accept, wanted)
    return closeness == _NAMED and weight > 0 and (weight, closeness) > _rank(accept, default)


def _rank(accept: str, media_type: str) -> tuple[float, int]:
    """The weight that the closest matching range gives to a media type, and how close it is: 0 `*/*`, 1 `type/*`, 2."""
    ranges = {"*/*": 0, media_type.partition("/")[0] + "/*": 1, media_type: _NAMED}
    found = (-1, 0.0)
    for part in accept.split(",", _MOST)[:_MOST]:
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = _weight(parameters)
        if name in ranges and weight is not None:
            found = max(found, (ranges[name], weight))
    closeness, weight = found
    return weight, closeness


def _weight(parameters: list[str]) -> float | None:
    """1 unless a parameter says otherwise; None where it says what is no weight."""
    given = next((parameter[2:] for parameter in parameters if parameter.startswith("q=")), "1")
    return float(given) if _WEIGHT.fullmatch(given) else None
