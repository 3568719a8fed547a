"""How a condition page is asked for as JSON-LD: at an address of its own, and at the page's by `Accept`."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.core.conditional import PUBLIC
from app.core.db import Database
from app.core.media_types import prefers
from app.core.settings import Settings
from app.main import create_app
from tests.doors import started
from tests.pages import publish
from tests.whole_pages import SITE

SEED = "/conditions/acute-lymphoblastic-leukemia"
LD, JSON = "application/ld+json", "application/json"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (LD, LD),
        (LD.upper(), LD),
        (f'{LD};profile="http://www.w3.org/ns/json-ld#compacted"', LD),
        (f"{LD}, {JSON};q=0.9", LD),
        (f"{JSON};q=0.9,{LD}", LD),
        (f"{LD}, */*;q=0.1", LD),
        (f"{LD}, */*", LD),
        (f"{LD};q=0.5, */*;q=0.1", LD),
        (f"{JSON};q=0, */*", JSON),
        (f"{JSON};q=0, {LD};q=0.001", LD),
        (f"{LD}, {JSON}", JSON),
        (f"{JSON}, {LD};q=0.9", JSON),
        (f"{LD};q=0.5, */*", JSON),
        (f"{LD};q=0", JSON),
        (f"{LD};q=0, */*", JSON),
        (f"{LD};q=2", JSON),
        (f"{LD};q=nan", JSON),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", JSON),
        ("application/ld+jsonx, text/ld+json", JSON),
    ],
)
async def test_json_ld_is_what_is_preferred_and_nothing_else(accept: str, expected: str) -> None:
    assert prefers(accept, LD, JSON) == (expected == LD)


@pytest.mark.parametrize("order", [(JSON, LD), (LD, JSON)], ids=["json first", "json-ld first"])
async def test_the_page_itself_answers_in_the_language_that_a_machine_prefers(
    client: httpx.AsyncClient, order: tuple[str, str]
) -> None:
    direct = await client.get(f"{SEED}.jsonld")
    # Twice: the second time the page is remembered.
    for kind in order * 2:
        for accept in (kind, f"{kind.upper()}, text/html;q=0.5"):
            answer = await client.get(SEED, headers={"Accept": accept})
            assert answer.headers["Content-Type"] == kind
            assert (answer.content == direct.content) == (kind == LD)
            assert (answer.headers["ETag"] == direct.headers["ETag"]) == (kind == LD)
            assert "Accept" in answer.headers["Vary"].split(", ")


async def test_json_ld_is_kept_and_asked_again_like_the_page(client: httpx.AsyncClient) -> None:
    first = await client.get(f"{SEED}.jsonld")
    assert first.headers["Cache-Control"] == PUBLIC
    assert first.headers["Content-Language"] == "en"
    again = await client.get(f"{SEED}.jsonld", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await client.get(SEED)
    assert (await client.get(f"{SEED}.jsonld", headers={"If-None-Match": plain.headers["ETag"]})).status_code == 200


async def test_json_ld_is_as_fresh_as_the_page_and_in_its_languages(app: FastAPI, client: httpx.AsyncClient) -> None:
    # What is published through it is seen at once.
    database: Database = app.state.database
    await publish(database, "synthetic-condition")
    assert (await client.get("/conditions/synthetic-condition.jsonld")).json()["description"] == "Synthetic summary."
    await publish(database, "synthetic-condition", locale="es", summary="Resumen sintético.")
    wishes: tuple[dict[str, Any], ...] = (
        {"params": {"locale": "es"}},
        {"headers": {"Accept-Language": "es-MX, en;q=0.5"}},
    )
    for wish in wishes:
        answer = await client.get("/conditions/synthetic-condition.jsonld", **wish)
        assert (answer.json()["inLanguage"], answer.headers["Content-Language"]) == ("es", "es")
        assert answer.json()["translationOfWork"]["@id"] == f"{SITE}/conditions/synthetic-condition"
        assert answer.headers["Link"] == '</conditions/synthetic-condition?locale=es>; rel="canonical"'
    unknown = await client.get("/conditions/nothing.jsonld")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "condition-not-found")
    assert (await client.get("/conditions/.jsonld")).status_code == 404
    assert (await client.get(f"{SEED}.jsonld.jsonld")).status_code == 404


async def test_without_a_setting_the_door_gives_no_address(settings: Settings) -> None:
    async with started(settings.model_copy(update={"frontend_url": None})) as client:
        said = (await client.get(f"{SEED}.jsonld")).json()
    assert "@id" not in said
    assert said["about"]["name"] == "Acute Lymphoblastic Leukemia"


@pytest.mark.parametrize(
    "wrong", ["www.example.org", "https://www.example.org/", "ftp://x", "https://x/?a", "https://é.org"]
)
def test_an_address_of_a_frontend_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="frontend_url"):
        Settings(frontend_url=wrong)
    assert Settings(frontend_url="https://www.example.org:8443/a/b").frontend_url == "https://www.example.org:8443/a/b"


def test_the_doors_are_described_under_their_media_type() -> None:
    paths = create_app(Settings.model_construct()).openapi()["paths"]
    assert set(paths["/conditions/{slug}"]["get"]["responses"]["200"]["content"]) == {JSON, LD}
    assert set(paths["/conditions/{slug}.jsonld"]["get"]["responses"]["200"]["content"]) == {LD}
