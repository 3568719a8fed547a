"""The feed of changes: everything that happens to what is public, in the order of the commits, and no end to it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from app.content import changes, publishing
from app.content.document import ConditionDocument
from app.content.editorial_tables import ChangeKind, Subject
from app.content.tables import RevisionSource
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.doors import started
from tests.pages import page_content, publish
from tests.test_paging import pack

WHOLE = [
    "alternate_names", "category", "causes", "codes", "consultation", "locale", "name", "overview", "risk_factors",
    "slug", "summary", "treatment_options", "what_to_bring", "when_to_consult",
]  # fmt: skip


async def read(client: httpx.AsyncClient, address: str = "/changes") -> dict[str, Any]:
    """One answer of the feed."""
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["link"] == f'<{found["next"]}>; rel="next"'
    return found


async def follow(client: httpx.AsyncClient, address: str) -> tuple[list[dict[str, Any]], str]:
    """All changes from here to the newest, and where to ask for newer ones."""
    items: list[dict[str, Any]] = []
    while True:
        answer = await read(client, address)
        address = answer["next"]
        if not answer["items"]:
            return items, address
        items += answer["items"]


def of_pages(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The changes of pages, without the categories and treatments that they are the first to name."""
    return [item for item in items if item["subject"] == "condition"]


async def record(database: Database, kind: ChangeKind, subject: Subject, **said: Any) -> None:
    """Note a change of a thing of which nothing else is known."""
    async with database.write() as session:
        await changes.take_turn(session)
        await changes.record(session, kind, subject, new_id(), at=clock.now(), **said)


async def test_the_feed_begins_with_what_was_published_first(client: httpx.AsyncClient) -> None:
    *named, first = (await read(client))["items"]
    assert [item["slug"] for item in named if item["subject"] == "category"] == ["hematologic-malignancies"]
    page = (await client.get(first["url"])).json()
    assert (first["slug"], first["revision"], first["at"]) == (page["slug"], 1, page["published_at"])


async def test_a_publish_and_an_update_tell_what_to_read_and_which_sections_are_others(
    client: httpx.AsyncClient, database: Database
) -> None:
    start = (await read(client))["next"]
    first = await publish(database)
    await publish(database, summary="Synthetic other summary.", causes=[])
    await publish(database, summary="Synthetic other summary.", causes=[])
    items = of_pages((await follow(client, start))[0])
    told = {"subject": "condition", "id": str(first.condition_id), "slug": "synthetic-condition", "locale": "en"}
    told["url"] = "/conditions/synthetic-condition"
    times = [item.pop("at") for item in items]
    numbers = [item.pop("number") for item in items]
    assert items == [
        told | {"kind": "published", "revision": 1, "sections": WHOLE},
        told | {"kind": "updated", "revision": 2, "sections": ["causes", "summary"]},
        told | {"kind": "updated", "revision": 3, "sections": []},
    ]
    assert sorted(set(numbers)) == numbers
    assert [datetime.fromisoformat(time).utcoffset() is not None for time in sorted(times)] == [True] * 3
    assert (await client.get(told["url"])).json()["updated_at"] == times[-1]


async def test_a_page_in_another_language_has_an_address_of_its_own(
    client: httpx.AsyncClient, database: Database
) -> None:
    start = (await read(client))["next"]
    await publish(database, locale="pt-BR")
    (item,) = of_pages((await follow(client, start))[0])
    assert (item["locale"], item["url"]) == ("pt-BR", "/conditions/synthetic-condition?locale=pt-BR")


@pytest.mark.parametrize("kind", [ChangeKind.WITHDRAWN, ChangeKind.UNPUBLISHED, ChangeKind.DELETED])
@pytest.mark.parametrize("subject", Subject)
async def test_what_is_gone_has_no_address(
    client: httpx.AsyncClient, database: Database, kind: ChangeKind, subject: Subject
) -> None:
    start = (await read(client))["next"]
    await record(database, kind, subject, slug="synthetic")
    ((item,), _) = await follow(client, start)
    assert (item["kind"], item["subject"], item["slug"], item["sections"]) == (kind, subject, "synthetic", [])
    assert {"url", "locale", "revision", "previous_slug"} & set(item) == set()


@pytest.mark.parametrize(
    ("subject", "url"),
    [
        (Subject.CONDITION, "/conditions/synthetic-b"),
        (Subject.CATEGORY, "/categories/synthetic-b"),
        # No page offers it.
        (Subject.TREATMENT, None),
    ],
)
async def test_what_was_renamed_says_both_slugs(
    client: httpx.AsyncClient, database: Database, subject: Subject, url: str | None
) -> None:
    start = (await read(client))["next"]
    await record(database, ChangeKind.RENAMED, subject, slug="synthetic-b", previous_slug="synthetic-a")
    ((item,), _) = await follow(client, start)
    assert (item["previous_slug"], item["slug"], item.get("url")) == ("synthetic-a", "synthetic-b", url)


async def test_following_next_shows_each_change_once_whatever_the_limit(
    client: httpx.AsyncClient, database: Database
) -> None:
    for number in range(5):
        await publish(database, f"synthetic-{number}")
    whole = (await read(client, "/changes?limit=100"))["items"]
    assert len(of_pages(whole)) == 6
    for limit in (1, 2, len(whole)):
        items, last = await follow(client, f"/changes?limit={limit}")
        assert items == whole
        assert f"limit={limit}" in last


async def test_the_last_address_stays_and_answers_what_is_new(client: httpx.AsyncClient, database: Database) -> None:
    _, last = await follow(client, "/changes")
    empty = await client.get(last)
    assert empty.json() == {"items": [], "next": last}
    assert empty.headers["cache-control"] == "no-cache"
    known = {"If-None-Match": empty.headers["etag"]}
    assert (await client.get(last, headers=known)).status_code == 304
    await publish(database)
    answer = await client.get(last, headers=known)
    new = ["synthetic-category", "synthetic-treatment", "synthetic-condition"]
    assert (answer.status_code, [item["slug"] for item in answer.json()["items"]]) == (200, new)


async def test_a_cursor_of_another_database_is_refused(client: httpx.AsyncClient, database: Database) -> None:
    ahead = (await read(client))["items"][-1]["number"] + 1
    for cursor in (pack(str(ahead)), pack(str(2**31 - 1)), pack("-1"), pack("1.5"), pack("a"), pack("1", "2")):
        answer = await client.get("/changes", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "cursor")
    await publish(database)
    assert [item["kind"] for item in (await read(client, f"/changes?cursor={pack(str(ahead))}"))["items"]] == [
        "published", "published",
    ]  # fmt: skip


async def test_a_feed_without_a_change_has_an_address_for_the_first_one(
    make_unseeded: Callable[[], Settings],
) -> None:
    settings = make_unseeded()
    database = Database(settings)
    try:
        async with started(settings) as client:
            empty = await read(client)
            assert empty["items"] == (await read(client, empty["next"]))["items"] == []
            await publish(database)
            (item,) = of_pages((await follow(client, empty["next"]))[0])
    finally:
        await database.close()
    assert (item["slug"], item["kind"]) == ("synthetic-condition", "published")


async def test_numbers_are_in_the_order_of_the_commits(
    client: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    """Whoever has a number keeps the others out until its COMMIT: a lower number never appears after a higher one."""
    _, last = await follow(client, "/changes")
    other = Database(settings)
    try:
        async with database.write() as session:
            await changes.take_turn(session)
            first = await changes.record(
                session, ChangeKind.UPDATED, Subject.CATEGORY, new_id(), slug="synthetic-first", at=clock.now()
            )
            second = asyncio.create_task(publish(other, "synthetic-second"))
            await asyncio.sleep(0.3)
            assert not second.done()
            assert (await read(client, last))["items"] == []
        await second
    finally:
        await other.close()
    items, _ = await follow(client, last)
    assert [(item["slug"], item["number"]) for item in items] == [
        ("synthetic-first", first), ("synthetic-category", first + 1), ("synthetic-treatment", first + 2),
        ("synthetic-second", first + 3),
    ]  # fmt: skip


async def test_a_change_that_was_rolled_back_is_not_told_and_takes_no_number(
    client: httpx.AsyncClient, database: Database
) -> None:
    told, last = await follow(client, "/changes")

    async def publish_and_fail() -> None:
        document = ConditionDocument.model_validate(page_content())
        async with database.write() as session:
            await publishing.publish(session, document, source=RevisionSource.EDITOR, by="test")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await publish_and_fail()
    assert (await read(client, last))["items"] == []
    await publish(database)
    items, _ = await follow(client, last)
    assert items[0]["number"] == told[-1]["number"] + 1
