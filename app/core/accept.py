"""What a client would rather have (RFC 9110, section 12.5): the lists of `Accept-Encoding` and `Accept-Language`."""

import re
from typing import Final

_MOST: Final = 20
_WEIGHTED: Final = re.compile(
    r"[ \t]*([\w*-]{1,40})(?:[ \t]*;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?[ \t]*", re.ASCII
)


def preferences(header: str) -> dict[str, float]:
    """What is named, in lower case, best first, with its quality from 0 to 1; what is malformed is left out."""
    found = (_WEIGHTED.fullmatch(part) for part in header.split(",", _MOST)[:_MOST])
    weights = [(match[1].lower(), float(match[2] or 1)) for match in found if match]
    return dict(sorted(weights, key=lambda weight: -weight[1]))


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sent this `Accept-Encoding` would have gzip, and not rather plain bytes."""
    weights = preferences(accept_encoding)
    gzip = weights.get("gzip", weights.get("*", 0))
    return gzip > 0 and gzip >= weights.get("identity", 0)
