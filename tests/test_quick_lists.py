"""Lists for anyone are answered without the framework's part, to the byte as it would; the rest it looks at itself."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.dependencies import utils

from app.consultations import slots
from app.consultations.slot_filters import SlotFilter
from app.consultations.tables import SlotMode
from app.core import clock
from app.core.caching import ConditionalRoute
from app.core.db import Database
from app.core.paging import address_after
from app.core.settings import Settings
from app.main import create_app
from app.routers import slot_lists
from app.routers.slot_lists import ConsultationSlotList
from tests.doors import client_of
from tests.rows import make_slot
from tests.test_lane import told
from tests.wishes import book, post_slot

LIST = "/consultation-slots"
CONDITION = "acute-lymphoblastic-leukemia"
TOMORROW = quote((clock.now() + timedelta(days=1)).isoformat())
# What is answered at once.
PLAIN = (
    "",
    "limit=1",
    "limit=2&mode=phone",
    f"condition={CONDITION}&limit=3",
    f"from={TOMORROW}&to=2100-01-01T00:00:00%2B02:00&limit=2",
    "first_available=clinician",
    "weekday=monday&weekday=sunday&weekday=monday&limit=2",
    "weekday=tuesday",
    "time_from=00:00&time_to=24:00&limit=1",
    "category=hematologic-malignancies&limit=2&",
)
# What is simply wrong, needs a credential, or says something more than once.
FOR_THE_FRAMEWORK = (
    "limit=0",
    "limit=one",
    "colour=ultramarine",
    "status=open",
    "from=2031-05-06T09:00:00",
    "limit=1&limit=2",
    "mode=",
    "weekday=",
    "weekday=noday&weekday=monday",
    "room=3",
    "%63ondition=Not%20A%20Slug",
)
UNKNOWN = ("condition=no-condition", "room=nowhere&location=nowhere", "cursor=bm90LWEtY3Vyc29y")


@pytest.fixture
async def app_without_memory(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    """An application with some slots that remembers no list."""
    for number in range(6):
        starts_at = clock.now() + timedelta(days=2, hours=number)
        mode = ("phone", "video")[number % 2]
        await make_slot(database, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=30), mode=mode, capacity=3)
    app = create_app(settings.model_copy(update={"pages_memory_mb": 0}))
    async with app.router.lifespan_context(app):
        yield app


def without_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the framework has to look at fails from now on."""

    async def fail(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr("fastapi.routing.solve_dependencies", fail)
    assert utils.solve_dependencies is not fail


async def test_to_the_byte_as_the_framework_answers(
    app_without_memory: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(app_without_memory) as client:
        client.headers["X-Request-Id"] = "0" * 32
        queries = list(PLAIN + FOR_THE_FRAMEWORK + UNKNOWN)
        for query in queries[: len(PLAIN)]:
            following = (await client.get(f"{LIST}?{query}")).json().get("next")
            queries += [urlsplit(following).query] if following else []
        assert len(queries) > len(PLAIN + FOR_THE_FRAMEWORK + UNKNOWN) + 3
        quick = {query: await client.get(f"{LIST}?{query}") for query in queries}
        monkeypatch.setattr(slot_lists._OpenDoor, "quick_answer", ConditionalRoute.quick_answer)  # noqa: SLF001
        for query in queries:
            by_framework = await client.get(f"{LIST}?{query}")
            assert _told(quick[query]) == _told(by_framework), query
            tag = {"If-None-Match": by_framework.headers.get("ETag", '"none"')}
            assert (await client.get(f"{LIST}?{query}", headers=tag)).status_code in (304, 400, 401, 422)


@pytest.mark.parametrize("query", PLAIN)
async def test_a_plain_list_needs_no_framework(
    app_without_memory: FastAPI, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    without_framework(monkeypatch)
    async with client_of(app_without_memory) as client:
        for method in ("GET", "HEAD"):
            answer = await client.request(method, f"{LIST}?{query}")
            assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("query", FOR_THE_FRAMEWORK)
async def test_the_rest_goes_on_to_it(app_without_memory: FastAPI, monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    without_framework(monkeypatch)
    async with client_of(app_without_memory) as client:
        assert (await client.get(f"{LIST}?{query}")).status_code == 500
        assert (await client.get(LIST, headers={"Authorization": "Bearer cp_test_x"})).status_code == 500


async def test_what_is_said_is_what_the_shape_promises(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for number in range(3):
        wish = {"starts_at": f"2031-01-0{number + 1}T09:00:00.5Z", "ends_at": f"2031-01-0{number + 1}T10:00:00Z"}
        more = (
            {"external_id": f"own-{number}"} if number else {"condition": CONDITION, "allow_overlap": {"reason": "x"}}
        )
        answer = await client.post(
            LIST, json=wish | {"mode": "video", "capacity": 2, "time_zone": "UTC"} | more, headers=admin
        )
        assert answer.status_code == 201, answer.text
    for query, headers in (("", {}), ("limit=1", {}), ("status=all", admin)):
        body = (await client.get(f"{LIST}?{query}", headers=headers)).content
        shape = ConsultationSlotList.model_validate_json(body)
        assert shape.items
        assert shape.model_dump_json().encode() == body


async def test_the_next_page_has_the_same_query(app_without_memory: FastAPI) -> None:
    async with client_of(app_without_memory) as client:
        query = f"from={TOMORROW}&limit=2&mode=video&%63ursor="
        answer = await client.get(f"{LIST}?{query}")
        assert answer.status_code == 422
        query = f"&from={TOMORROW}&&limit=2&mode=video"
        first = await client.get(f"{LIST}?{query}")
        link = first.json()["next"]
        assert first.headers["link"] == f'<{link}>; rel="next"'
        assert dict(parse_qsl(urlsplit(link).query)).keys() == {"from", "limit", "mode", "cursor"}
        second = await client.get(link)
        assert [len(page.json()["items"]) for page in (first, second)] == [2, 1]
        # The one cursor is not handed on with the other, however it was written.
        again = await client.get(f"{LIST}?limit=1")
        cursor = again.json()["next"].partition("cursor=")[2]
        third = await client.get(f"{LIST}?limit=1&%63ursor={cursor}")
        assert third.json()["next"].lower().count("ursor=") == 1
        assert third.json()["items"] != again.json()["items"]


@pytest.mark.parametrize(
    ("query", "link"),
    [
        (b"", "/things?cursor=WyJ4Il0"),
        (b"&a=b&&cursor=YQ&c", "/things?a=b&c&cursor=WyJ4Il0"),
        (b"%63ursor=YQ&cur+sor=1&Cursor=2", "/things?cur+sor=1&Cursor=2&cursor=WyJ4Il0"),
        (b"q=100%&r=%zz%C3%a9", "/things?q=100%25&r=%25zz%C3%a9&cursor=WyJ4Il0"),
        (b'q=\xc3\xa9"<>\\^`{|} \r\n', "/things?q=%C3%A9%22%3C%3E%5C%5E%60%7B%7C%7D%20%0D%0A&cursor=WyJ4Il0"),
    ],
)
def test_the_next_address_is_one_whatever_was_sent(query: bytes, link: str) -> None:
    request = Request({"type": "http", "path": "/things", "query_string": query})
    assert address_after(request, "x", lambda name: (name,)) == link


async def test_a_row_that_was_seen_before_says_what_it_said_and_another_what_is_new(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    slot = await post_slot(client, admin, capacity=5)
    address = f"{LIST}/{slot['id']}"
    for capacity in (6, 5, 6):
        tag = (await client.get(address)).headers["ETag"]
        answer = await client.patch(address, json={"capacity": capacity}, headers=admin | {"If-Match": tag})
        assert answer.status_code == 200, answer.text
        for _ in range(2):
            assert (await client.get(f"{LIST}?limit=9")).json()["items"] == [(await client.get(address)).json()]
            await book(client, slot["id"])


async def test_a_row_is_told_once_for_all_lists_that_it_is_in(app_without_memory: FastAPI) -> None:
    database, policy = app_without_memory.state.database, app_without_memory.state.policy
    lists = []
    for wanted in (SlotFilter(), SlotFilter(mode=SlotMode.PHONE), SlotFilter(weekdays=tuple(range(1, 8)))):
        async with database.look() as look:
            lists.append({slot["id"]: slot for slot in await slots.find(look, wanted, policy=policy, limit=9)})
    everything, by_phone, by_day = lists
    assert len(everything) == len(by_day) == 2 * len(by_phone) == 6
    assert all(slot is everything[slot_id] for some in (by_phone, by_day) for slot_id, slot in some.items())


def _told(answer: httpx.Response) -> tuple[int, list[tuple[str, str]], bytes]:
    answer.extensions.setdefault("raw", answer.content)
    return told(answer)
