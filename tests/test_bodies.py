"""Bodies that say a thing twice, and bodies whose end never comes."""

import json

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Message

from app.core.bodies import StrictRequest
from app.core.errors import InvalidInput
from tests.wishes import bearer, book, post_slot

JSON = {"Content-Type": "application/json"}


async def parsed(body: bytes) -> object:
    """What a door gets of this body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return await StrictRequest({"type": "http", "headers": []}, receive).json()


async def test_every_door_with_a_body_refuses_a_name_written_twice(app: FastAPI, client: httpx.AsyncClient) -> None:
    found = 0
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.body_field is None:
            continue
        for method in route.methods or ():
            found += 1
            content = b'{"hunter2": "hunter2", "inner": {"hunter2": 1}, "hunter2": 2}'
            answer = await client.request(method, str(context.path), content=content, headers=JSON)
            problem = answer.json()
            assert (context.path, answer.status_code, problem["code"]) == (context.path, 422, "invalid-input")
            assert problem["errors"] == [
                {"detail": "names a field twice in one object", "code": "duplicate_key", "pointer": ""}
            ]
            assert "hunter2" not in answer.text
    assert found >= 5


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "c": [], "a": 2}}]', b'{"a": 1, "\\u0061": 2}', b'{"": 1, "": 2}']
)
async def test_a_name_written_twice_is_refused_wherever_it_stands(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        await parsed(body)


@pytest.mark.parametrize(
    "body", [b'{"a": {"a": 1}, "b": {"a": 1}}', b"[1, 1]", b'"a"', "\ufeff{}".encode(), '{"ä": 1}'.encode("utf-16")]
)
async def test_what_is_said_once_is_read_as_ever(body: bytes) -> None:
    assert await parsed(body) == json.loads(body)


@pytest.mark.parametrize("sent", [b"", b'{"note": "a'])
async def test_half_a_request_is_none(
    app: FastAPI, client: httpx.AsyncClient, admin: dict[str, str], sent: bytes
) -> None:
    booking = await book(client, (await post_slot(client, admin))["id"])
    messages: list[Message] = [
        {"type": "http.request", "body": sent, "more_body": True},
        {"type": "http.disconnect"},
    ]
    answers: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        answers.append(message)

    path = f"/consultation-bookings/{booking['reference']}/cancel"
    headers = {"content-length": "30"} | JSON | bearer(booking)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
    }
    await app(scope, receive, send)
    assert answers == []
    kept = await client.get(f"/consultation-bookings/{booking['reference']}", headers=bearer(booking))
    assert kept.json()["state"] == "booked"
