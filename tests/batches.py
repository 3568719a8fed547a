"""Batches of slots as clients send them: the same slots in each format."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from app.consultations.slot_files import COLUMNS
from tests.wishes import slot_wish

TYPES = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}
FORMS = tuple(TYPES)


def wishes(count: int, **changes: Any) -> list[dict[str, Any]]:
    """So many slots, one after the other."""
    first = slot_wish(days=30)
    return [_later(first, number) | changes for number in range(count)]


def _later(first: Mapping[str, Any], number: int) -> dict[str, Any]:
    times = {
        name: (datetime.fromisoformat(first[name]) + timedelta(minutes=30 * number)).isoformat()
        for name in ("starts_at", "ends_at")
    }
    return dict(first) | times


def written(form: str, slots: Iterable[Mapping[str, Any]]) -> bytes:
    """These slots as a file."""
    if form == "json":
        return json.dumps(list(slots)).encode()
    if form == "ndjson":
        return b"".join(json.dumps(slot).encode() + b"\n" for slot in slots)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for slot in slots:
        reason = {"allow_overlap": slot["allow_overlap"]["reason"]} if slot.get("allow_overlap") else {}
        writer.writerow(dict(slot) | reason)
    return text.getvalue().encode()


async def send(
    client: httpx.AsyncClient, admin: Mapping[str, str], body: bytes, *, form: str = "json", query: str = ""
) -> httpx.Response:
    """Send this as a batch."""
    headers = {**admin, "Content-Type": TYPES.get(form, form)}
    return await client.post(f"/consultation-slots/batch{query}", content=body, headers=headers)


async def send_slots(
    client: httpx.AsyncClient,
    admin: Mapping[str, str],
    slots: Iterable[Mapping[str, Any]],
    *,
    form: str = "json",
    query: str = "",
) -> httpx.Response:
    """Send these slots as a batch."""
    return await send(client, admin, written(form, slots), form=form, query=query)


def outcomes(answer: httpx.Response) -> list[str]:
    """What became of each row that the answer names."""
    return [result["outcome"] for result in answer.json()["results"]]


def problems(answer: httpx.Response) -> dict[int, tuple[int, str, list[tuple[str, str]]]]:
    """The status, the name and the faults of each refused row."""
    return {
        result["row"]: (
            result["problem"]["status"],
            result["problem"]["code"],
            [(fault["pointer"], fault["code"]) for fault in result["problem"].get("errors", [])],
        )
        for result in answer.json()["results"]
        if "problem" in result
    }
