"""The sitemap: every page that is published, at the frontend's address, by the rules of the protocol."""

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import httpx
import pytest
from sqlalchemy import insert

from app.content import page_addresses
from app.content.tables import Condition, ConditionPage
from app.core.conditional import PUBLIC
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.interop import sitemap as writer
from app.routers import sitemap as door
from tests.doors import started
from tests.pages import publish
from tests.rows import everything, run

SITE = "https://www.example.org"
SEED = f"{SITE}/conditions/acute-lymphoblastic-leukemia"
NAMESPACES = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9", "xhtml": "http://www.w3.org/1999/xhtml"}


def read(answer: httpx.Response) -> ET.Element:
    """The file, which keeps the protocol's rules: the schema's order of elements, lengths, one host, UTC."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/xml")
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?>')
    assert len(answer.content) < 50 * 1024 * 1024
    root = ET.fromstring(answer.content)
    kind = root.tag.removeprefix(f"{{{NAMESPACES['s']}}}")
    child = {"urlset": "url", "sitemapindex": "sitemap"}[kind]
    assert {entry.tag for entry in root} == {f"{{{NAMESPACES['s']}}}{child}"}
    assert 1 <= len(root) <= 50_000
    for entry in root:
        loc, lastmod, *links = entry
        assert (loc.tag, lastmod.tag) == (f"{{{NAMESPACES['s']}}}loc", f"{{{NAMESPACES['s']}}}lastmod")
        assert 12 <= len(str(loc.text)) <= 2_048
        parts = urlsplit(str(loc.text))
        assert f"{parts.scheme}://{parts.netloc}" == SITE
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", str(lastmod.text))
        assert {link.tag for link in links} <= {f"{{{NAMESPACES['xhtml']}}}link"}
        assert {(link.get("rel"), len(link)) for link in links} <= {("alternate", 0)}
    locs = [str(loc.text) for loc in root.iterfind("*/s:loc", NAMESPACES)]
    assert len(set(locs)) == len(locs)
    return root


def locs(root: ET.Element) -> list[str]:
    """The addresses of a file."""
    return [str(loc.text) for loc in root.iterfind("*/s:loc", NAMESPACES)]


async def make_pages(database: Database, number: int) -> None:
    """Put copies of the seed page there, past the rules."""
    (page,) = await everything(database, ConditionPage)
    (condition,) = await everything(database, Condition)
    made: list[dict[str, Any]] = [
        {"id": new_id(), "slug": f"synthetic-{place}", "category_id": condition["category_id"]}
        for place in range(number)
    ]
    copies = [page | {"id": new_id(), "condition_id": each["id"]} for each in made]
    async with database.write() as session:
        await session.exec(insert(Condition), params=made)
        await session.exec(insert(ConditionPage), params=copies)


async def test_every_published_page_is_there(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database, "synthetic-a")
    await publish(database, "synthetic-b")
    answer = await client.get("/sitemap.xml")
    assert locs(read(answer)) == [SEED, f"{SITE}/conditions/synthetic-a", f"{SITE}/conditions/synthetic-b"]
    page = (await client.get("/conditions/synthetic-a")).json()
    second = read(answer)[1]
    changed = datetime.fromisoformat(str(second.findtext("s:lastmod", namespaces=NAMESPACES)))
    assert changed == datetime.fromisoformat(page["updated_at"]).replace(microsecond=0)


async def test_each_language_is_a_page_that_names_all_of_them(client: httpx.AsyncClient, database: Database) -> None:
    for locale in ("en", "es", "pt-BR"):
        await publish(database, "synthetic-a", locale=locale)
    await publish(database, "synthetic-b", locale="es")
    urls = {str(url.findtext("s:loc", namespaces=NAMESPACES)): url for url in read(await client.get("/sitemap.xml"))}
    page = f"{SITE}/conditions/synthetic-a"
    alternates = [("en", page), ("es", f"{page}?locale=es"), ("pt-BR", f"{page}?locale=pt-BR"), ("x-default", page)]
    assert set(urls) == {SEED, *(address for _, address in alternates), f"{SITE}/conditions/synthetic-b?locale=es"}
    for _, address in alternates:
        links = urls[address].iterfind("xhtml:link", NAMESPACES)
        assert [(link.get("hreflang"), link.get("href")) for link in links] == alternates
    assert not urls[SEED].findall("xhtml:link", NAMESPACES)


async def test_a_page_that_is_published_is_there_at_once(client: httpx.AsyncClient) -> None:
    first = await client.get("/sitemap.xml")
    database: Database = client._transport.app.state.database  # type: ignore[attr-defined]  # noqa: SLF001 - this process's own
    await publish(database, "synthetic-a")
    second = await client.get("/sitemap.xml")
    assert len(read(first)) + 1 == len(read(second))
    assert first.headers["ETag"] != second.headers["ETag"]


async def test_it_is_kept_and_asked_again_like_a_page(client: httpx.AsyncClient) -> None:
    packed = await client.get("/sitemap.xml", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/sitemap.xml", headers={"Accept-Encoding": "identity"})
    assert (packed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert packed.content == plain.content
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for answer, coding in ((packed, "gzip"), (plain, "identity")):
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == (PUBLIC, "Accept-Encoding")
        headers = {"Accept-Encoding": coding, "If-None-Match": answer.headers["ETag"]}
        again = await client.get("/sitemap.xml", headers=headers)
        assert (again.status_code, again.content, again.headers["Vary"]) == (304, b"", "Accept-Encoding")


async def test_without_a_frontend_there_is_none(settings: Settings) -> None:
    async with started(settings.model_copy(update={"frontend_url": None})) as client:
        for address in ("/sitemap.xml", "/sitemap-1.xml"):
            answer = await client.get(address)
            assert (answer.status_code, answer.json()["code"]) == (404, "sitemap-not-found")


async def test_without_a_page_there_is_none(settings: Settings, database: Database) -> None:
    await run(database, ConditionPage.__table__.delete())  # type: ignore[attr-defined]
    async with started(settings) as client:
        assert (await client.get("/sitemap.xml")).status_code == 404


async def test_a_part_that_there_is_not_is_not_found(client: httpx.AsyncClient) -> None:
    whole, part = await client.get("/sitemap.xml"), await client.get("/sitemap-1.xml")
    assert whole.content == part.content
    expected = {"2": 404, "50000": 404, "0": 422, "50001": 422, "x": 422, "-1": 422}
    assert {number: (await client.get(f"/sitemap-{number}.xml")).status_code for number in expected} == expected


async def test_many_pages_are_an_index_of_parts(
    client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "PAGES_PER_FILE", 3)
    await make_pages(database, 5)
    seeded = {"slug": "hematologic-malignancies", "name": "Synthetic"}
    await publish(database, "synthetic-0", locale="es", category=seeded)
    index = read(await client.get("/sitemap.xml"))
    assert locs(index) == [f"{SITE}/sitemap-{number}.xml" for number in (1, 2, 3)]
    parts = [read(await client.get(urlsplit(loc).path)) for loc in locs(index)]
    assert [len(part) for part in parts] == [3, 3, 1]
    listed = [loc for part in parts for loc in locs(part)]
    assert listed[:3] == [SEED, f"{SITE}/conditions/synthetic-0", f"{SITE}/conditions/synthetic-0?locale=es"]
    assert len(set(listed)) == 7
    for entry, part in zip(index, parts, strict=True):
        changed = [str(url.findtext("s:lastmod", namespaces=NAMESPACES)) for url in part]
        assert entry.findtext("s:lastmod", namespaces=NAMESPACES) == max(changed)
    assert (await client.get("/sitemap-4.xml")).status_code == 404


async def test_more_pages_than_a_file_may_hold(client: httpx.AsyncClient, database: Database) -> None:
    await make_pages(database, writer.PAGES_PER_FILE)
    index = read(await client.get("/sitemap.xml"))
    parts = [read(await client.get(urlsplit(loc).path)) for loc in locs(index)]
    assert [len(part) for part in parts] == [writer.PAGES_PER_FILE, 1]
    slugs = {loc for part in parts for loc in locs(part)}
    assert len(slugs) == writer.PAGES_PER_FILE + 1


async def test_both_questions_walk_an_index(database: Database) -> None:
    # Neither of them sorts: the order is that of the key (condition, language).
    if database.reading.dialect.name != "sqlite":
        pytest.skip("a planner that knows how few rows there are sorts them")
    for query in (page_addresses._ADDRESSES, page_addresses._PARTS):  # noqa: SLF001 - the plans are the point
        asked = query.params(skip=10, limit=10, size=10)
        text = asked.compile(database.reading.sync_engine, compile_kwargs={"literal_binds": True})
        async with database.reading.connect() as connection:
            plan = [str(row.detail) for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
        assert any("autoindex_condition_pages" in step or "uq_condition_pages" in step for step in plan), plan
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
