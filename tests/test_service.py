"""The service about itself: health, and an API docs page that reaches nothing outside."""

import re

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from app.core.db import Database
from app.core.settings import Settings
from tests.doors import started
from tests.rows import run

PAGE = "/conditions/acute-lymphoblastic-leukemia"


async def test_a_service_that_is_well_says_so(client: httpx.AsyncClient) -> None:
    for address in ("/health/live", "/health/ready"):
        answer = await client.get(address)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_service_is_not_ready_for_a_schema_of_another_version(
    client: httpx.AsyncClient, database: Database
) -> None:
    for change in ("UPDATE alembic_version SET version_num = '2020_01_01_other'", "DELETE FROM alembic_version"):
        await run(database, text(change))
        answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        # Restarting the process would not help.
        assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)
async def test_a_service_without_its_database_is_alive_but_not_ready(
    app: FastAPI, client: httpx.AsyncClient, settings: Settings
) -> None:
    assert (await client.get(PAGE)).status_code == 200
    here: Database = app.state.database
    gone = Database(settings.model_copy(update={"database_url": "postgresql://nobody@127.0.0.1:1/nowhere"}))
    app.state.database = gone
    try:
        for address in ("/health/ready", "/conditions", "/consultation-slots"):
            answer = await client.get(address)
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        for address in ("/health/live", PAGE):
            assert (await client.get(address)).status_code == 200
    finally:
        app.state.database = here
        await gone.close()


async def test_the_docs_page_loads_from_this_server_only(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert not re.search(r"https?:|\*|unsafe-eval", page.headers["Content-Security-Policy"])
    files = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)""", page.text)
    assert sorted(files) == ["/docs/favicon.png", "/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css"]
    assert not re.search(r"https?://", page.text)
    (description,) = re.findall(r"""url:\s*["']([^"']+)""", page.text)
    assert (await client.get(description)).json()["openapi"].startswith("3.1.")


async def test_the_files_of_the_docs_page_are_served_and_nothing_beside_them(client: httpx.AsyncClient) -> None:
    types = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
    for name, media_type in types.items():
        answer = await client.get(f"/docs/{name}")
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, media_type)
        assert len(answer.content) > 500
    assert not re.search(r"""url\(["']?https?:|@import""", (await client.get("/docs/swagger-ui.css")).text)
    for name in ("redoc.standalone.js", "..%2F__init__.py", "../__init__.py", "__init__.py", ""):
        assert (name, (await client.get(f"/docs/{name}")).status_code) == (name, 404)


async def test_the_docs_page_can_be_switched_off(settings: Settings) -> None:
    async with started(settings.model_copy(update={"docs": False})) as client:
        for address in ("/docs", "/docs/swagger-ui.css"):
            assert (await client.get(address)).status_code == 404
        assert (await client.get("/openapi.json")).status_code == 200
