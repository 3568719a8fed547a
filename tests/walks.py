"""A walk through every GET of the OpenAPI file, with every value that anybody could try, to look for planted words."""

import itertools
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI

Request = tuple[str, Mapping[str, str]]
# What is never published, by the state that it gets to; what was public once; the next texts of what is public.
DRAFTS: Mapping[str, Sequence[str]] = {
    "draft": (),
    "submitted": ("submit",),
    "approved": ("submit", "approve"),
    "scheduled": ("submit", "approve"),
}
GONE = ("withdrawn", "ended", "replaced")
KINDS = (*DRAFTS, *GONE, "edited", "rescheduled", "translated")
# What is looked for, in answers of every form, whatever the case: `content` makes such words.
PLANTED = re.compile(f"zq(?:{'|'.join(KINDS)})[0-9]*")
_NOT_DESCRIBED = ("/openapi.json", "/docs", "/docs/swagger-ui.css", "/nowhere", "/conditions/")
_MOST_PAGES = 6


@dataclass(frozen=True)
class Known:
    """The values to try. A parameter that is in none of these is a fault: nobody thought of it."""

    # Of path parameters, by what stands before the first of them and the name.
    paths: Mapping[tuple[str, str], Sequence[str]]
    queries: Mapping[str, Sequence[str]]
    headers: Sequence[Mapping[str, str]]


@dataclass
class Found:
    """What a walk met."""

    # The operations, and the planted words that each of them said without being asked for them.
    said: dict[str, set[str]] = field(default_factory=dict)
    asked: int = 0
    answered: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


def content(kind: str) -> dict[str, Any]:
    """A page, or the next text of one, with a word of its own in each of its fields."""
    numbers = itertools.count(1)

    def word() -> str:
        return f"Zq{kind}{next(numbers)}"

    return {
        "slug": word().lower(),
        "name": word(),
        "alternate_names": [word()],
        "summary": word(),
        "category": {"slug": word().lower(), "name": word()},
        "overview": word(),
        "when_to_consult": word(),
        "what_to_bring": {"text": word(), "items": [word(), word()]},
        "risk_factors": [word()],
        "causes": [word()],
        "treatment_options": [{"slug": word().lower(), "name": word(), "description": word()}],
        "consultation": {"heading": word(), "text": word()},
        "codes": [{"system": "icd-10", "code": word().upper()}, {"system": "mesh", "code": word().upper()}],
        "urgency_signs": [{"sign": word(), "urgency": "emergency", "action": word()}],
        "review": {"last_reviewed_on": "2026-01-02", "next_review_on": "2026-02-02", "reviewed_by": word()},
        "references": [
            {"section": "causes", "title": word(), "url": f"https://{word().lower()}.test/", "publisher": word()}
        ],
    }


async def walk(app: FastAPI, client: httpx.AsyncClient, known: Known) -> Found:
    """Ask everything, in everybody's name."""
    found = Found()
    for operation, requests in _requests(app.openapi(), known, found):
        for address, headers in requests:
            async for answer in _pages(client, address, headers):
                found.asked += 1
                if answer.status_code == httpx.codes.OK:
                    found.answered.add(operation)
                # Whoever asks for a word may hear it again: not another one.
                asked_for = set(PLANTED.findall(str(answer.request.url).casefold()))
                heard = f"{answer.text}\n{answer.headers}".casefold()
                found.said.setdefault(operation, set()).update(set(PLANTED.findall(heard)) - asked_for)
    return found


def _requests(spec: dict[str, Any], known: Known, found: Found) -> Iterator[tuple[str, Iterator[Request]]]:
    for path, item in spec["paths"].items():
        if "get" in item:
            yield item["get"]["operationId"], _of_path(path, item["get"].get("parameters", []), known, found)
    yield "not described", itertools.product(_NOT_DESCRIBED, known.headers)


def _of_path(path: str, parameters: list[dict[str, Any]], known: Known, found: Found) -> Iterator[Request]:
    """Each thing in each language for everybody, and with each value of each other query parameter."""
    names = [parameter["name"] for parameter in parameters if parameter["in"] == "path"]
    top = path.split("{", maxsplit=1)[0]
    found.unknown |= {f"{path}: {name}" for name in names if (top, name) not in known.paths}
    values: dict[str, list[str]] = {}
    needed = []
    for parameter in parameters:
        if parameter["in"] == "query":
            name = parameter["name"]
            # Its example is a value that somebody has thought of.
            values[name] = list(dict.fromkeys([*known.queries.get(name, ()), *_example(parameter)]))
            needed += [name] if parameter["required"] else []
            if name not in known.queries:
                found.unknown.add(f"{path}?{name}=")
    queries = [dict(zip(needed, said, strict=True)) for said in itertools.product(*(values[name] for name in needed))]
    languages = [{}, *({"locale": locale} for locale in known.queries.get("locale", ()) if "locale" in values)]
    more = [{name: value} for name in values if name not in (*needed, "locale") for value in values[name]]
    for said in itertools.product(*(known.paths.get((top, name), ()) for name in names)):
        address = path.format(**dict(zip(names, said, strict=True)))
        for query, language, headers in itertools.product(queries, languages, known.headers):
            yield str(httpx.URL(address, params=query | language)), headers
        for query, one in itertools.product(queries, more):
            yield str(httpx.URL(address, params=query | one)), {}


def _example(parameter: dict[str, Any]) -> list[str]:
    return [str(parameter["example"])] if "example" in parameter else []


async def _pages(client: httpx.AsyncClient, address: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
    """The answer, and the pages after it."""
    for _ in range(_MOST_PAGES):
        answer = await client.get(address, headers=headers)
        yield answer
        is_list = answer.status_code == httpx.codes.OK and answer.headers.get("Content-Type") == "application/json"
        following = answer.json().get("next") if is_list else None
        if following is None or following == address:
            return
        address = following
