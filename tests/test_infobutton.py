"""Electronic records ask for a page by a diagnosis, as they ask MedlinePlus Connect."""

from typing import Any
from xml.etree import ElementTree as ET

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col

from app.content.tables import CodeSystem, ConditionRevision
from app.core.conditional import PUBLIC
from app.core.db import Database
from app.core.settings import Settings
from app.interop.infobutton import question
from tests.doors import started
from tests.pages import publish
from tests.rows import everything

SITE = "https://www.example.org"
SEED = f"{SITE}/conditions/acute-lymphoblastic-leukemia"
ICD_10_CM, ICD_10, MESH, SNOMED = (f"2.16.840.1.113883.6.{number}" for number in (90, 3, 177, 96))
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def asking(system: str, code: str, **more: str) -> dict[str, str]:
    """The parameters that a record sends."""
    return {"mainSearchCriteria.v.cs": system, "mainSearchCriteria.v.c": code} | more


async def ask(client: httpx.AsyncClient, system: str, code: str, **more: str) -> dict[str, Any]:
    """The feed that a record gets."""
    answer = await client.get("/infobutton", params=asking(system, code, **more))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    feed: dict[str, Any] = answer.json()["feed"]
    return feed


def links(feed: dict[str, Any]) -> list[str]:
    """Where the entries of a feed lead."""
    return [entry["link"][0]["href"] for entry in feed["entry"]]


async def test_a_diagnosis_leads_to_the_page(client: httpx.AsyncClient) -> None:
    page = (await client.get("/conditions/acute-lymphoblastic-leukemia")).json()
    feed = await ask(client, ICD_10_CM, "C91.0")
    (entry,) = feed["entry"]
    assert entry["title"] == {"type": "text", "_value": "Acute Lymphoblastic Leukemia"}
    assert entry["link"] == [{"href": SEED, "rel": "alternate", "hreflang": "en"}]
    assert entry["summary"] == {"type": "text", "_value": page["summary"]}
    assert entry["id"]["_value"].startswith("urn:uuid:")
    assert feed["lang"] == "en"
    assert feed["category"] == [
        {"scheme": "mainSearchCriteria.v.c", "term": "C91.0"},
        {"scheme": "mainSearchCriteria.v.cs", "term": "ICD10CM"},
    ]
    assert feed["updated"] == entry["updated"]
    assert entry["updated"]["_value"][:19] == page["updated_at"][:19]


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD_10_CM, "C91.00"),
        (ICD_10_CM, "C91.02"),
        (ICD_10_CM, "c9100"),
        (ICD_10, " C91.0 "),
        (f"urn:oid:{ICD_10}", "C910"),
        ("ICD-10-CM", "C91.0"),
        ("icd10cm", "C91.01"),
        ("ICD-10", "C91.0"),
        (MESH, "D054198"),
        ("MeSH", "d054198"),
        ("MSH", "D054198"),
    ],
)
async def test_however_the_code_is_written_it_is_found(client: httpx.AsyncClient, system: str, code: str) -> None:
    assert links(await ask(client, system, code)) == [SEED]


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD_10_CM, "C91"),  # above ours: other diseases too
        (ICD_10_CM, "C91.1"),
        (ICD_10_CM, "C92.00"),
        (ICD_10_CM, "D054198"),
        (MESH, "C91.0"),
        (MESH, "D0541980"),
        (MESH, ""),
        (ICD_10_CM, ""),
        (ICD_10_CM, "C91.0%"),
        (ICD_10_CM, "C91.0 OR 1=1"),
        (SNOMED, "91857003"),
        ("", "C91.0"),
        ("2.16.840.1.113883.6.9", "C91.0"),
    ],
)
async def test_what_no_page_has_is_an_empty_feed(client: httpx.AsyncClient, system: str, code: str) -> None:
    feed = await ask(client, system, code)
    assert feed["entry"] == []
    # The same answer to the same question: whoever asks again is told that nothing changed.
    first = await client.get("/infobutton", params=asking(system, code))
    again = await client.get(
        "/infobutton", params=asking(system, code), headers={"If-None-Match": first.headers["ETag"]}
    )
    assert again.status_code == 304


async def test_the_closest_code_decides(client: httpx.AsyncClient, database: Database) -> None:
    for slug, code in (("synthetic-all", "C91"), ("synthetic-relapse", "C91.02"), ("synthetic-other", "C91.0")):
        await publish(database, slug, codes=[{"system": "icd-10", "code": code}])
    site = f"{SITE}/conditions"
    assert links(await ask(client, ICD_10_CM, "C91.02")) == [f"{site}/synthetic-relapse"]
    # Two pages with one code, by name.
    assert links(await ask(client, ICD_10_CM, "C91.00")) == [SEED, f"{site}/synthetic-other"]
    assert links(await ask(client, ICD_10_CM, "C91.1")) == [f"{site}/synthetic-all"]


def test_codes_above_a_code_go_up_to_its_category() -> None:
    asked = question(ICD_10_CM, "S72.001A")
    assert asked is not None
    assert asked.codes == ("S72.001A", "S72.001", "S72.00", "S72.0", "S72")
    mesh = question("MeSH", "D054198")
    assert mesh is not None
    assert (mesh.system, mesh.codes) == (CodeSystem.MESH, ("D054198",))


async def test_the_language_is_that_of_the_recipient(client: httpx.AsyncClient, database: Database) -> None:
    codes = [{"system": "icd-10", "code": "Z99.8"}]
    await publish(database, "synthetic-a", codes=codes, name="Synthetic name")
    await publish(database, "synthetic-a", codes=codes, name="Nombre sintético", locale="es")
    page = f"{SITE}/conditions/synthetic-a"
    for sent, expected, name in (
        ("es", f"{page}?locale=es", "Nombre sintético"),
        ("es-MX", f"{page}?locale=es", "Nombre sintético"),
        ("ES", f"{page}?locale=es", "Nombre sintético"),
        ("en", page, "Synthetic name"),
        ("fr", page, "Synthetic name"),
        ("", page, "Synthetic name"),
        ("-", page, "Synthetic name"),
    ):
        feed = await ask(client, ICD_10, "Z99.8", **{"informationRecipient.languageCode.c": sent})
        assert (sent, links(feed), feed["entry"][0]["title"]["_value"]) == (sent, [expected], name)
        assert feed["lang"] == feed["entry"][0]["link"][0]["hreflang"]


async def test_what_records_send_besides_changes_nothing(client: httpx.AsyncClient) -> None:
    plain = await client.get("/infobutton", params=asking(ICD_10_CM, "C91.0"))
    more = {
        "taskContext.c.c": "PROBLISTREV",
        "mainSearchCriteria.v.dn": "Something else",
        "subTopic.v.c": "Q000628",
        "patientPerson.administrativeGenderCode.c": "F",
        "age.v.v": "77",
        "age.v.u": "a",
        "informationRecipient": "PAT",
        "performer": "PROV",
        "representedOrganization.id.root": "1.2.3",
        "anything": "at all",
    }
    full = await client.get("/infobutton", params=asking(ICD_10_CM, "C91.0", **more))
    assert (full.status_code, full.content, full.headers["ETag"]) == (200, plain.content, plain.headers["ETag"])
    assert full.headers["Cache-Control"] == PUBLIC


@pytest.mark.parametrize(
    ("wish", "kind"),
    [
        ({"knowledgeResponseType": "text/xml"}, "text/xml; charset=utf-8"),
        ({"knowledgeResponseType": "application/xml"}, "application/xml"),
        ({"Accept": "application/atom+xml"}, "application/atom+xml"),
        ({"Accept": "text/xml, application/json;q=0.5"}, "text/xml; charset=utf-8"),
    ],
)
async def test_the_answer_is_an_atom_feed_for_whoever_wants_one(
    client: httpx.AsyncClient, database: Database, wish: dict[str, str], kind: str
) -> None:
    await publish(
        database,
        "synthetic-a",
        codes=[{"system": "icd-10", "code": "C91.0"}],
        name='A & <b> "c"',
        summary="\uffffx & y",
    )
    headers = {"Accept": wish["Accept"]} if "Accept" in wish else {}
    params = asking(ICD_10_CM, "C91.00", **({} if headers else wish))
    answer = await client.get("/infobutton", params=params, headers=headers)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
    feed = ET.fromstring(answer.content)
    assert feed.tag == f"{{{ATOM['a']}}}feed"
    # RFC 4287, section 4.1: what a feed and an entry must have.
    for parent in (feed, *feed.iterfind("a:entry", ATOM)):
        assert [len(parent.findall(f"a:{name}", ATOM)) for name in ("id", "title", "updated")] == [1, 1, 1]
    assert feed.findtext("a:author/a:name", namespaces=ATOM) == "Carepath"
    assert [link.get("href") for link in feed.iterfind("a:entry/a:link", ATOM)] == [
        f"{SITE}/conditions/synthetic-a",
        SEED,
    ]
    assert [title.text for title in feed.iterfind("a:entry/a:title", ATOM)] == [
        'A & <b> "c"',
        "Acute Lymphoblastic Leukemia",
    ]
    said = (await client.get("/infobutton", params=asking(ICD_10_CM, "C91.00"))).json()["feed"]
    assert feed.findtext("a:id", namespaces=ATOM) == said["id"]["_value"]
    terms = [(each.get("scheme"), each.get("term")) for each in feed.iterfind("a:category", ATOM)]
    assert terms == [(each["scheme"], each["term"]) for each in said["category"]]


async def test_what_decides_about_the_form_is_named_to_caches(client: httpx.AsyncClient) -> None:
    for accept in ("*/*", "text/xml"):
        answer = await client.get("/infobutton", params=asking(ICD_10_CM, "C91.0"), headers={"Accept": accept})
        assert "Accept" in answer.headers["Vary"].split(", ")
    # The parameter outranks the header.
    params = asking(ICD_10_CM, "C91.0", knowledgeResponseType="application/json")
    answer = await client.get("/infobutton", params=params, headers={"Accept": "text/xml"})
    assert answer.headers["Content-Type"] == "application/json"


async def test_without_a_frontend_the_link_is_the_apis_own(settings: Settings) -> None:
    async with started(settings.model_copy(update={"frontend_url": None})) as client:
        assert links(await ask(client, ICD_10_CM, "C91.0")) == ["/conditions/acute-lymphoblastic-leukemia"]


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"mainSearchCriteria.v.c": "C91.0"}, "mainSearchCriteria.v.cs"),
        ({"mainSearchCriteria.v.cs": ICD_10_CM}, "mainSearchCriteria.v.c"),
        (asking(ICD_10_CM, "C" * 65), "mainSearchCriteria.v.c"),
        (asking(ICD_10_CM, "C91\x00"), "mainSearchCriteria.v.c"),
        (asking(ICD_10_CM, "C91.0", knowledgeResponseType="text/html"), "knowledgeResponseType"),
    ],
)
async def test_a_question_that_is_none_is_refused(
    client: httpx.AsyncClient, params: dict[str, str], named: str
) -> None:
    answer = await client.get("/infobutton", params=params)
    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [named]


async def test_the_documented_example_is_an_answer(app: FastAPI, client: httpx.AsyncClient) -> None:
    content = app.openapi()["paths"]["/infobutton"]["get"]["responses"]["200"]["content"]
    example, real = content["application/json"]["example"]["feed"], await ask(client, "ICD-10-CM", "C91.00")
    assert (set(example), set(example["entry"][0])) == (set(real), set(real["entry"][0]))
    assert (example["id"], example["category"], links(example)) == (real["id"], real["category"], links(real))
    assert ET.fromstring(content["text/xml"]["example"]).tag == f"{{{ATOM['a']}}}feed"


async def test_a_code_that_is_written_without_its_point_is_found(client: httpx.AsyncClient, database: Database) -> None:
    codes = [{"system": "icd-10", "code": code} for code in ("C920", "C92.0", "C93")]
    made = await publish(database, codes=codes)
    page = (await client.get("/conditions/synthetic-condition")).json()
    assert [code["code"] for code in page["codes"]] == ["C92.0", "C93"]
    for code in ("C92.0", "C920", "C9200"):
        assert links(await ask(client, ICD_10_CM, code)) == [f"{SITE}/conditions/synthetic-condition"]
    for code in ("C92.0", "C920"):
        cards = (await client.get("/conditions", params={"code": f"icd-10|{code}"})).json()["items"]
        assert [card["slug"] for card in cards] == ["synthetic-condition"]
    # What was published is kept as it was written.
    (revision,) = await everything(
        database, ConditionRevision, col(ConditionRevision.condition_id) == made.condition_id
    )
    assert revision["document"]["codes"] == codes
