"""Condition pages as JSON-LD: at an address of their own, and at the page's for whoever prefers it."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from app.content import page_times, pages
from app.content.errors import ConditionNotFound
from app.core.errors import InvalidInput
from app.core.problems import responses
from app.interop.schema_org import CONTEXT, MEDIA_TYPE
from app.page_answers import JsonLdAnswer, json_ld_of, languages_of, say
from app.routers.deps import ALWAYS, ConditionSlug, HouseInUse, ReadSession
from app.routers.former_slugs import SlugRoute, moved
from app.routers.languages import AT_ITS_ADDRESS, AcceptLanguage, AskedLocale

# What the OpenAPI file says of it: the frame of it, whose parts schema.org describes.
CONTENT: Final[dict[str, Any]] = {
    MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "required": ["@context", "@type", "name", "inLanguage", "about", "hasPart"],
            "properties": {
                "@context": {"const": CONTEXT},
                "@type": {"const": "MedicalWebPage"},
                "name": {"type": "string"},
                "inLanguage": {"type": "string"},
                "about": {"type": "object", "description": "A `MedicalCondition`."},
                "hasPart": {
                    "type": "array",
                    "items": {"type": "object"},
                    "description": "The page's sections, each a `HealthTopicContent`.",
                },
            },
        },
        "example": {
            "@context": CONTEXT,
            "@type": "MedicalWebPage",
            "@id": "https://www.example.org/conditions/acute-lymphoblastic-leukemia",
            "url": "https://www.example.org/conditions/acute-lymphoblastic-leukemia",
            "name": "Acute Lymphoblastic Leukemia",
            "inLanguage": "en",
            "about": {
                "@type": "MedicalCondition",
                "@id": "https://www.example.org/conditions/acute-lymphoblastic-leukemia#condition",
                "name": "Acute Lymphoblastic Leukemia",
                "alternateName": ["ALL"],
                "code": [{"@type": "MedicalCode", "codeValue": "C91.0", "codingSystem": "ICD-10"}],
                "riskFactor": [{"@type": "MedicalRiskFactor", "name": "Family history"}],
            },
            "hasPart": [
                {
                    "@type": "HealthTopicContent",
                    "identifier": "when_to_consult",
                    "hasHealthAspect": f"{CONTEXT}/SeeDoctorHealthAspect",
                    "text": "Upon diagnosis of ALL or suspicious blood test results.",
                }
            ],
        },
    }
}


_MOVED: Final = moved(can_be_gone=True)
# The framework would say that this is JSON-LD too.
_MOVED[308]["content"] = {
    "application/json": {"schema": {"$ref": f"#/components/schemas/{_MOVED[308].pop('model').__name__}"}}
}


router = APIRouter(
    prefix="/conditions",
    tags=["Web"],
    route_class=SlugRoute,
    default_response_class=JsonLdAnswer,
    responses=responses(*ALWAYS),
)


@router.get(
    "/{slug}.jsonld",
    responses={
        200: {
            "description": "The page as a `MedicalWebPage` of schema.org.",
            "content": CONTENT,
            **AT_ITS_ADDRESS,
        },
        **responses(ConditionNotFound, InvalidInput),
        **_MOVED,
    },
)
async def read_condition_json_ld(
    slug: ConditionSlug,
    request: Request,
    session: ReadSession,
    house: HouseInUse,
    accept_language: AcceptLanguage = None,
    locale: AskedLocale = None,
) -> Response:
    """Read a condition's page as JSON-LD.

    What a frontend puts into the page for search engines, in the words of schema.org 30.0: all of it may stand between
    `<script type="application/ld+json">` and `</script>` as it is. Addresses are the frontend's; where it is not known
    to this API (`CAREPATH_FRONTEND_URL`), they are left out. The page's own address answers the same to whoever
    prefers `application/ld+json` to `application/json`.
    """
    languages = await languages_of(house.published, accept_language, locale)
    page = await pages.get_published(session, slug, await pages.language_for(session, slug, languages))
    answer = json_ld_of(page, house.settings.frontend_url)
    request.state.version = page.revision
    changed_at = await page_times.changed_at(session, page)
    await say(house.published, answer, page.locale, address=f"/conditions/{slug}", changed_at=changed_at)
    return answer
