"""What every shape that crosses a door has in common."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    MISSING,
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SLUG_PATTERN = r"^[a-z0-9]+(-[a-z0-9]+)*$"
MAX_SLUG = 100
# Language, script and region of BCP 47, written as it recommends: es, pt-BR, zh-Hans-CN.
LOCALE_PATTERN = r"^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?$"
# The language of texts where nobody asks for another.
DEFAULT_LOCALE: Final = "en"
# Everything of Unicode's category Cc but tab, line feed and carriage return, as JSON Schema can say it.
_LINE_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_TEXT_PATTERN = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"

_INSTANT = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})?$")
# A day from the calendar's ends, so that the clock of every zone can show what lies between.
_FIRST_MOMENT: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
_LAST_MOMENT: Final = datetime.max.replace(tzinfo=UTC) - timedelta(days=1)


class RequestShape(BaseModel):
    """What a client sends: unknown fields are refused, and no error repeats what was sent."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class ResponseShape(BaseModel):
    """What a client reads. A field is always there or, where it says `MISSING`, left out; it is never null.

    Its schema allows fields that it does not name: later versions add some.
    """

    model_config = ConfigDict(frozen=True)


# For a field that the example of its shape does better without.
NOT_IN_EXAMPLE: dict[str, Any] = {"x-not-in-example": True}


def _not_blank(value: str) -> str:
    # Format characters (category Cf: zero-width, direction marks) are legal inside a name but do not make one.
    if not any(unicodedata.category(character)[0] not in "ZC" for character in value):
        raise PydanticCustomError("blank", "must hold at least one visible character")
    return value


def _rfc_3339(value: Any) -> Any:
    match = _INSTANT.match(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError(
            "instant", "must be an RFC 3339 instant such as 2026-12-01T09:00:00+01:00 (in a query, write + as %2B)"
        )
    if match[2] is None:
        raise PydanticCustomError("instant_without_offset", "needs an offset from UTC, such as Z or +01:00")
    return value


def _to_utc(value: datetime) -> datetime:
    # Compared, where it lies beyond the calendar in UTC, without being computed.
    if not _FIRST_MOMENT <= value <= _LAST_MOMENT:
        raise PydanticCustomError("instant", "lies outside of the calendar")
    return value.astimezone(UTC)


@cache
def _zones() -> frozenset[str]:
    # The package's list, not the host's: the same names are good on every machine.
    return frozenset((files("tzdata") / "zones").read_text().split())


def whole(value: Any) -> Any:
    """The number; raises what Pydantic takes for a fault."""
    # JSON has one kind of number: 1.0 is as whole as 1. A text or a truth value is none.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("int_type", "must be a whole number")
    return value


def _known_zone(value: str) -> str:
    if value not in _zones():
        raise PydanticCustomError("time_zone", "is not an IANA time zone, such as Europe/Berlin")
    return value


WholeNumber = Annotated[int, BeforeValidator(whole)]
# A moment, as RFC 3339 writes it; kept in UTC.
Instant = Annotated[AwareDatetime, BeforeValidator(_rfc_3339), AfterValidator(_to_utc)]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
Locale = Annotated[str, StringConstraints(pattern=LOCALE_PATTERN)]
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, min_length=1, max_length=MAX_SLUG)]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of so many characters at most, such as a name: `Annotated[str, Line(200)]`. No control characters."""

    most: int
    pattern: ClassVar[str] = _LINE_PATTERN

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        words = core_schema.str_schema(min_length=1, max_length=self.most, pattern=self.pattern)
        return core_schema.no_info_after_validator_function(_not_blank, words)


class Text(Line):
    """Paragraphs: line breaks and tabs are welcome, other control characters are not."""

    pattern = _TEXT_PATTERN


class Named(ResponseShape):
    """Something with a page of its own, as it is named in another's answer."""

    slug: Slug = Field(description="Stable name in URLs.", examples=["hematologic-malignancies"])
    name: str = Field(description="Name for people.", examples=["Hematologic Malignancies"])


class ListShape(ResponseShape):
    """One page of a list."""

    next: str | MISSING = Field(
        default=MISSING,
        description="Address of the next page, relative to this API; absent on the last one.",
        examples=["/conditions?limit=1&cursor=WyJhIiwiYiJd"],
    )
