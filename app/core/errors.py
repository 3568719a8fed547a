"""Refusals: what the rooms raise when the answer is no.

A refusal is a class named as a fact. Its docstring's first paragraph is the sentence that a client reads and that the
OpenAPI file shows; the rest of the docstring, where there is one, says what to do and stands on the problem's page.

    Refusal
    ├── InvalidInput 422, BodyTooLarge 413, MediaTypeUnsupported 415, RateLimited 429
    ├── NotFound 404, MethodNotAllowed 405, VersionStale 412, VersionNeeded 428
    ├── InternalError 500, Unavailable 503
    └── the rooms' own, in `content/errors.py`, `consultations/errors.py` and `access/errors.py`
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


class NotReady(Exception):
    """Something is not as a command needs it. The text says what it is, and what a person can do about it."""


@dataclass(frozen=True, slots=True)
class FieldFault:
    """One thing wrong with a request: where (a JSON pointer into the body, or a parameter's name) and what."""

    detail: str
    code: str
    pointer: str | None = None
    parameter: str | None = None


class Refusal(Exception):
    """The request was refused."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "refusal"
    title: ClassVar[str] = "Refused"
    # The database's constraints and triggers that mean this refusal.
    constraints: ClassVar[tuple[str, ...]] = ()
    # Headers that its answer has, by the names that the OpenAPI file describes them under.
    headers: ClassVar[tuple[str, ...]] = ()
    # JSON schemas of the members that this problem adds to RFC 9457's.
    members: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, *, retry_after: int | None = None, **extra: Any) -> None:
        super().__init__(self.code)
        self.faults: tuple[FieldFault, ...] = ()
        self.retry_after = retry_after
        self.extra = extra

    def __init_subclass__(cls) -> None:
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", cls.__name__)
        cls.code = words.lower().replace(" ", "-")
        cls.title = words[0] + words[1:].lower()

    @classmethod
    def detail(cls) -> str:
        """The sentence for the client."""
        return " ".join(cls.explanation().split("\n\n")[0].split())

    @classmethod
    def explanation(cls) -> str:
        """The whole docstring, paragraphs kept."""
        return inspect.getdoc(cls) or ""


class InvalidInput(Refusal):
    """The request holds values that cannot be used; `errors` names each of them.

    `errors[].pointer` is a JSON pointer (RFC 6901) into the body, `errors[].parameter` the name of a path, query or
    header parameter, `errors[].code` a stable word for the rule. The sent value is never repeated.
    """

    status = 422

    def __init__(self, *faults: FieldFault) -> None:
        super().__init__()
        self.faults = faults

    @classmethod
    def at(cls, pointer: str, code: str, detail: str) -> "InvalidInput":
        """One fault in the body."""
        return cls(FieldFault(detail, code, pointer=pointer))

    @classmethod
    def parameter(cls, name: str, code: str, detail: str) -> "InvalidInput":
        """One fault in a path, query or header parameter."""
        return cls(FieldFault(detail, code, parameter=name))


class BodyTooLarge(Refusal):
    """The request's body is larger than 64 KiB or, where a page's text is sent, 1 MiB, or a batch of slots, 16 MiB."""

    status = 413


class MediaTypeUnsupported(Refusal):
    """The request's body is in a format that this operation does not take: see its `Content-Type` in the description.

    Texts are UTF-8, and not compressed.
    """

    status = 415


class RateLimited(Refusal):
    """Too many requests from this address; `Retry-After` says in how many seconds to try again."""

    status = 429
    headers = ("Retry-After",)


class VersionNeeded(Refusal):
    """Send `If-Match` with the `ETag` that you have read, so that nobody's change is lost."""

    status = 428


class VersionStale(Refusal):
    """Somebody has changed it since you have read it. Read it again."""

    status = 412


class NotFound(Refusal):
    """Nothing is published at this address."""

    status = 404


class MethodNotAllowed(Refusal):
    """This address does not take this method; `Allow` names those it takes."""

    status = 405


class InternalError(Refusal):
    """Something went wrong on our side.

    Quote the `request_id` when you report it.
    """

    status = 500


class Unavailable(Refusal):
    """The service cannot answer right now. Try again after `Retry-After` seconds, with the same `Idempotency-Key`."""

    status = 503
    headers = ("Retry-After",)

    def __init__(self) -> None:
        super().__init__(retry_after=2)


def all_refusals() -> Iterator[type[Refusal]]:
    """Every refusal that has been defined, depth first."""
    waiting = Refusal.__subclasses__()
    while waiting:
        refusal = waiting.pop(0)
        yield refusal
        waiting = refusal.__subclasses__() + waiting


def refusal_for(constraint: str | None) -> type[Refusal] | None:
    """The refusal that a violated constraint means; None when no door should have let the request get that far."""
    return next((r for r in all_refusals() if constraint in r.constraints), None)
