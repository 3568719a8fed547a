"""Answers that several doors give."""

import json

from fastapi import Request, Response, status

from app.access.idempotency import Answer


def created(request: Request, answer: Answer, *, name: str) -> Response:
    """The 201 for what was made now, or by an earlier attempt with the same key; `name` is the member that names it."""
    headers = {"location": f"{request.url.path}/{json.loads(answer.body)[name]}", "cache-control": "no-store"}
    if answer.is_replay:
        headers["idempotent-replayed"] = "true"
    return Response(answer.body, status.HTTP_201_CREATED, headers, media_type="application/json")
