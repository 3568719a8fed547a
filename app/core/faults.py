"""What is wrong with a request, field by field: from what Pydantic says, and as it is told."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import MISSING, Field

from app.core.errors import FieldFault, Refusal
from app.core.shapes import ResponseShape

# A request can be wrong in thousands of places; nobody mends more than these at a time.
MOST_FAULTS: Final = 20
# Pydantic's own sentences for these carry characters of what was sent.
_SENTENCES: Final[Mapping[str, str]] = {
    "extra_forbidden": "is not a field of this request",
    "json_invalid": "is not valid JSON",
    "missing": "is required",
    "uuid_parsing": "is not a UUID",
    "value_error": "is not valid",
}
_FIELD_NAME: Final = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,40}$")
NOT_JSON: Final = FieldFault(_SENTENCES["json_invalid"], "json_invalid", pointer="")


class FieldProblem(ResponseShape):
    """One thing wrong with a request."""

    detail: str = Field(description="What is wrong, for people.", examples=["must be later than starts_at"])
    code: str = Field(description="Stable word for the rule.", examples=["end_before_start"])
    pointer: str | MISSING = Field(
        default=MISSING, description="JSON pointer into the body (RFC 6901).", examples=["/ends_at"]
    )
    parameter: str | MISSING = Field(
        default=MISSING, description="Name of a path, query or header parameter.", examples=["limit"]
    )


def faults_of(errors: Sequence[Mapping[str, Any]]) -> Iterable[FieldFault]:
    """The first of what Pydantic found, each at a place that begins with `body` or with the kind of parameter."""
    return (_fault(error) for error in errors[:MOST_FAULTS])


def described(refusal: type[Refusal]) -> dict[str, Any]:
    """What RFC 9457 says of every refusal of this kind."""
    return {
        "type": f"/problems/{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail(),
        "code": refusal.code,
    }


def named(refusal: Refusal) -> dict[str, Any]:
    """Each thing that is wrong, as the member of its problem."""
    return {"errors": [_as_dict(fault) for fault in refusal.faults]} if refusal.faults else {}


def _fault(fault: Mapping[str, Any]) -> FieldFault:
    place, *path = fault["loc"]
    code = str(fault["type"])
    detail = _SENTENCES.get(code, str(fault["msg"]))
    if code == "json_invalid":
        return NOT_JSON
    if code == "extra_forbidden" and not _FIELD_NAME.match(str(path[-1])):
        # A client that sends a text where a name belongs must not get the text back.
        path.pop()
    if place == "body":
        return FieldFault(detail, code, pointer="".join(f"/{step}" for step in path))
    # A number is the place in a list of a parameter that was sent several times.
    names = [str(step) for step in path if not isinstance(step, int)]
    return FieldFault(detail, code, parameter=names[-1] if names else str(place))


def _as_dict(fault: FieldFault) -> dict[str, str]:
    place = {"parameter": fault.parameter} if fault.parameter is not None else {"pointer": fault.pointer or ""}
    return {"detail": fault.detail, "code": fault.code, **place}
