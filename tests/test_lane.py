"""Remembered pages are answered ahead of the framework, byte for byte as the door answers them."""

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

PAGE = "/conditions/acute-lymphoblastic-leukemia"
OWN = ("x-request-id", "date")


def told(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but what is each request's own."""
    headers = {name: value for name, value in answer.headers.items() if name not in OWN}
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("sent", [{}, {"If-None-Match": '"other"'}, {"Authorization": "Bearer x"}])
async def test_a_remembered_page_is_what_the_door_says(
    app: FastAPI, client: httpx.AsyncClient, method: str, sent: dict[str, str]
) -> None:
    by_door = await client.request(method, PAGE, headers=sent)
    assert app.state.published.remembered(PAGE.rpartition("/")[2]) is not None
    assert told(await client.request(method, PAGE, headers=sent)) == told(by_door)
    tag = {"If-None-Match": by_door.headers["etag"]}
    by_lane = await client.request(method, PAGE, headers=sent | tag)
    app.state.published._pages.clear()  # noqa: SLF001 - so that the door answers again
    assert told(by_lane) == told(await client.request(method, PAGE, headers=sent | tag))
    assert by_lane.status_code == 304


async def test_a_remembered_page_needs_no_database(app: FastAPI, client: httpx.AsyncClient) -> None:
    page = await client.get(PAGE)
    asked = []
    event.listen(app.state.database.reading.sync_engine, "before_cursor_execute", lambda *_: asked.append(1))
    assert (await client.get(PAGE)).content == page.content
    assert asked == []
    assert (await client.get(f"{PAGE}/treatment-options")).status_code == 200
    assert asked != []


async def test_what_is_no_page_goes_on_to_the_doors(client: httpx.AsyncClient) -> None:
    await client.get(PAGE)
    options = await client.get(f"{PAGE}/treatment-options")
    assert [len(options.json()["items"]), (await client.post(PAGE)).status_code] == [6, 405]
