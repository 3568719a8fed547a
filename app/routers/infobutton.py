"""The door for electronic records, which ask for a page by a diagnosis."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import MISSING, BaseModel, ConfigDict, Field

from app.content import coded_pages
from app.content.coded_pages import CodedPage
from app.core.caching import PublicRoute
from app.core.errors import InvalidInput
from app.core.media_types import prefers
from app.core.problems import responses
from app.core.shapes import ResponseShape
from app.interop import infobutton
from app.interop.infobutton import ATOM
from app.routers.deps import ALWAYS, HouseInUse, ReadSession

_JSON: Final = "application/json"
_LEUKEMIA: Final = "Acute Lymphoblastic Leukemia"


class InfobuttonQuery(BaseModel):
    """What a record asks for. Records send much more, of the patient and of who asks: it is neither read nor kept."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    code_system: str = Field(
        alias="mainSearchCriteria.v.cs",
        pattern=r"^[ -~]{0,100}$",
        description="Code system, by object identifier or name: `2.16.840.1.113883.6.90` (ICD-10-CM), "
        "`2.16.840.1.113883.6.3` (ICD-10), `2.16.840.1.113883.6.177` (MeSH). No page has codes of others.",
        examples=["2.16.840.1.113883.6.90"],
    )
    code: str = Field(
        alias="mainSearchCriteria.v.c",
        pattern=r"^[ -~]{0,64}$",
        description="The code, with or without its point. One that divides further than the pages do finds the page of "
        "the closest code above it: C91.00 that of C91.0.",
        examples=["C91.00"],
    )
    language: str | None = Field(
        default=None,
        alias="informationRecipient.languageCode.c",
        max_length=35,
        description="Language (BCP 47). A page that there is not in it comes in the default language.",
        examples=["en"],
    )
    response_type: str | None = Field(
        default=None,
        alias="knowledgeResponseType",
        pattern=r"^(application/json|text/xml|application/xml|application/atom\+xml)$",
        description="JSON, or an Atom feed by the name that is asked for; without it `Accept` decides, and JSON where "
        "it does not.",
        examples=["application/json"],
    )


class FeedValue(ResponseShape):
    """A value, as MedlinePlus Connect writes it."""

    type: str | MISSING = Field(default=MISSING, description="`text` of a text.", examples=["text"])
    value: str = Field(alias="_value", description="The value.", examples=[_LEUKEMIA])


class FeedAuthor(ResponseShape):
    """Who answers."""

    name: FeedValue = Field(description="Name.")


class FeedCategory(ResponseShape):
    """What was understood of the question."""

    scheme: str = Field(description="A parameter's name.", examples=["mainSearchCriteria.v.c"])
    term: str = Field(description="Its value.", examples=["C91.00"])


class FeedLink(ResponseShape):
    """Where to go."""

    href: str = Field(
        description="Address of the page: the frontend's or, where that is not known, relative to this API.",
        examples=["https://www.example.org/conditions/acute-lymphoblastic-leukemia"],
    )
    rel: str = Field(description="Always `alternate`.", examples=["alternate"])
    hreflang: str = Field(description="Language of the page (BCP 47).", examples=["en"])


class FeedEntry(ResponseShape):
    """A condition's page."""

    title: FeedValue = Field(description="Name of the condition.")
    link: list[FeedLink] = Field(description="The page.")
    id: FeedValue = Field(description="Stays, whatever the page's address will be.")
    updated: FeedValue = Field(description="When the page last changed, UTC.")
    summary: FeedValue = Field(description="One or two sentences, without markup.")


class Feed(ResponseShape):
    """What was found."""

    lang: str = Field(description="Language (BCP 47).", examples=["en"])
    title: FeedValue = Field(description="Name of the service.")
    subtitle: FeedValue = Field(description="What was asked for.")
    id: FeedValue = Field(description="The same for the same question.")
    updated: FeedValue = Field(description="When an entry last changed, UTC; the year 1970 where there is none.")
    author: FeedAuthor = Field(description="Who answers.")
    category: list[FeedCategory] = Field(description="What was understood of the question.")
    entry: list[FeedEntry] = Field(description="The pages; empty where there is none for this code.")


class InfobuttonAnswer(ResponseShape):
    """The answer to an electronic record."""

    feed: Feed = Field(description="An Atom feed, in MedlinePlus Connect's spelling.")


_EXAMPLE: Final = infobutton.feed(
    [
        CodedPage(
            "C91.0",
            UUID("01993b2e-5f7c-7d0c-8a2b-6f4e1d3c5a79"),
            "acute-lymphoblastic-leukemia",
            "en",
            _LEUKEMIA,
            "Comprehensive care for ALL.",
            datetime(2026, 11, 23, 9, tzinfo=UTC),
        )
    ],
    infobutton.question("ICD-10-CM", "C91.00"),
    frontend_url="https://www.example.org",
)
_FEED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The pages for this code, as a feed.",
        "content": {
            _JSON: {"example": {"feed": _EXAMPLE}},
            **{kind: {"schema": {"type": "string"}, "example": infobutton.atom(_EXAMPLE).decode()} for kind in ATOM},
        },
        "headers": {"Content-Language": {"$ref": "#/components/headers/Content-Language"}},
    }
}

router = APIRouter(tags=["Web"], route_class=PublicRoute, responses=responses(*ALWAYS))


@router.get("/infobutton", response_model=InfobuttonAnswer, responses={**_FEED, **responses(InvalidInput)})
async def ask_infobutton(
    query: Annotated[InfobuttonQuery, Query()], request: Request, session: ReadSession, house: HouseInUse
) -> Response:
    """Find pages for an electronic record.

    HL7 Infobutton's URL-based request, answered as MedlinePlus Connect answers it, so that a record that asks there can
    ask here. Not all of either: diagnoses only, no JSONP, no HTML. A code or a code system that no page has is an empty
    feed. Every other parameter of the standard may be sent (`taskContext.c.c`, `mainSearchCriteria.v.dn`, `age.v.v`
    ...) and changes nothing.
    """
    asked = infobutton.question(query.code_system, query.code)
    found = [] if asked is None else await coded_pages.list_pages(session, asked.system, asked.codes)
    shown = [] if asked is None else infobutton.in_language(infobutton.closest(asked, found), query.language)
    said = infobutton.feed(shown, asked, frontend_url=house.settings.frontend_url)
    accept = ", ".join(request.headers.getlist("accept"))
    preferred = next((kind for kind in ATOM if prefers(accept, kind, _JSON)), _JSON)
    media_type = query.response_type or preferred
    headers = {"vary": "Accept", "content-language": said["lang"]}
    if media_type != _JSON:
        return Response(infobutton.atom(said), media_type=media_type, headers=headers)
    body = InfobuttonAnswer.model_validate({"feed": said}).model_dump_json(by_alias=True)
    return Response(body, media_type=_JSON, headers=headers)
