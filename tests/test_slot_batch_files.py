"""Files of slots as they come: every format's oddities, what is broken in them, and how large they may be."""

import io
import json
from typing import Any

import httpx
import pytest

from app.consultations import batch_files
from app.consultations.slot_files import MOST_OF_ONE, FileFormat, read
from app.consultations.tables import ConsultationSlot
from app.core.db import Database
from app.core.edge import MAX_BATCH_BYTES
from app.core.errors import InvalidInput
from tests.batches import FORMS, outcomes, problems, send, send_slots, wishes, written
from tests.rows import counts
from tests.wishes import refusal

BOM = b"\xef\xbb\xbf"


def parsed(form: str, body: bytes) -> list[Any]:
    """What is in a file, a fault of one row by its code."""
    found = read(io.BytesIO(body), FileFormat(form))
    return [slot.faults[0].code if isinstance(slot, InvalidInput) else slot for slot in found]


def broken(form: str, body: bytes) -> tuple[str | None, str]:
    """Where a file cannot be read, and why."""
    with pytest.raises(InvalidInput) as refused:
        parsed(form, body)
    (fault,) = refused.value.faults
    return fault.pointer, fault.code


@pytest.mark.parametrize(
    ("form", "body", "slots"),
    [
        ("json", b'[{"a":1},{"a":2}]', [{"a": 1}, {"a": 2}]),
        ("json", BOM + b' [ {"a":1}\r\n,\t{"a":[2]} ]\n ', [{"a": 1}, {"a": [2]}]),
        ("json", b"[]", []),
        ("json", b'[1,"x",null,[],12345]', [1, "x", None, [], 12345]),
        ("json", b'[{"a":1,"a":2},{"b":{"c":1,"c":1}},{"a":3}]', ["duplicate_key", "duplicate_key", {"a": 3}]),
        ("json", b'["' + b"x" * MOST_OF_ONE + b'",1]', ["too_long", 1]),
        ("json", '[{"a":"\u00e4\U0001f600"}]'.encode(), [{"a": "\u00e4\U0001f600"}]),
        ("ndjson", b'{"a":1}\n{"a":2}\n', [{"a": 1}, {"a": 2}]),
        ("ndjson", BOM + b'{"a":1}\r\n\r\n  \n{"a":2}', [{"a": 1}, {"a": 2}]),
        ("ndjson", b'{"a":1}\n{"a":\n{"a":3} x\n\xff\n{"a":1,"a":1}\n{"a":4}\n',
         [{"a": 1}, "json_invalid", "json_invalid", "json_invalid", "duplicate_key", {"a": 4}]),
        ("ndjson", b'{"a":1}\n"' + b"x" * 3 * MOST_OF_ONE + b'"\n{"a":2}\n', [{"a": 1}, "too_long", {"a": 2}]),
        ("ndjson", b"[" * 9_000 + b"\n1\n", ["json_invalid", 1]),
        ("ndjson", b"1" * 5_000 + b"\n2\n", ["json_invalid", 2]),
        ("csv", b"mode,capacity\r\nvideo,1\r\n", [{"mode": "video", "capacity": 1}]),
        ("csv", BOM + b'mode,external_id\n"video","a ""b"", c"\n\n,\n',
         [{"mode": "video", "external_id": 'a "b", c'}, {}]),
        ("csv", b"capacity,allow_overlap\nx,\n1.5,why\n", [{"capacity": "x"},
         {"capacity": "1.5", "allow_overlap": {"reason": "why"}}]),
        ("csv", b"mode,capacity\nvideo\nvideo,1,2\nvideo,1\n", ["cells", "cells", {"mode": "video", "capacity": 1}]),
        ("csv", b"mode\n", []),
    ],
)  # fmt: skip
def test_what_is_in_a_file_is_read(form: str, body: bytes, slots: list[Any]) -> None:
    assert parsed(form, body) == slots


@pytest.mark.parametrize(
    ("form", "body", "fault"),
    [
        ("json", b"", ("", "list_type")),
        ("json", b'{"a":1}', ("", "list_type")),
        ("json", b'[{"a":1},{"a":}]', ("/1", "json_invalid")),
        ("json", b'[{"a":1},]', ("/1", "json_invalid")),
        ("json", b'[{"a":1} {"a":2}]', ("/1", "json_invalid")),
        ("json", b'[{"a":1},{"a":2}', ("/2", "json_invalid")),
        ("json", b'[{"a":1}] x', ("/1", "json_invalid")),
        ("json", b'[{"a":"\xff"}]', ("/0", "json_invalid")),
        ("json", b'["' + b"x" * 1_000_000 + b'"]', ("/0", "json_invalid")),
        ("json", b"[" * 10_000, ("/0", "json_invalid")),
        ("csv", b"mode,surprise\nvideo,1\n", ("", "unknown_column")),
        ("csv", b"mode,mode\nvideo,1\n", ("", "repeated_column")),
        ("csv", b'mode,capacity\nvideo,1\nvideo,"1\n', ("/1", "csv_invalid")),
        ("csv", b'mode,capacity\n"video"x,1\n', ("/0", "csv_invalid")),
        ("csv", b"mode\nvideo\n\xff\n", ("/1", "csv_invalid")),
        ("csv", b"mode\nvideo\n" + b"x" * 2 * MOST_OF_ONE, ("/1", "csv_invalid")),
        ("csv", b'mode\nvideo\n"' + b'\n","' * MOST_OF_ONE + b'"\n', ("/1", "csv_invalid")),
        ("csv", b"\xff\n", ("", "csv_invalid")),
    ],
)
def test_what_cannot_be_read_refuses_the_whole_file(form: str, body: bytes, fault: tuple[str, str]) -> None:
    assert broken(form, body) == fault


@pytest.mark.parametrize("size", [1, 7, 100, 65_536 - 3, 65_536, 65_536 + 3])
def test_a_list_is_read_the_same_wherever_its_pieces_end(size: int) -> None:
    slots = [{"a": "\u00e4" * (number % 50), "b": number} for number in range(2_000)]
    body = b" " * size + json.dumps(slots, ensure_ascii=False).encode()
    assert parsed("json", body) == slots


@pytest.mark.parametrize("form", FORMS)
async def test_a_file_without_a_slot_is_refused(client: httpx.AsyncClient, admin: dict[str, str], form: str) -> None:
    for body in (written(form, []), b""):
        answer = await send(client, admin, body, form=form)
        assert refusal(answer) == (422, "invalid-input")
        assert answer.json()["errors"][0]["code"] == ("no_slots" if body or form != "json" else "list_type")


@pytest.mark.parametrize("form", FORMS)
async def test_more_slots_than_may_be_are_refused(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, form: str
) -> None:
    (one,) = wishes(1)
    answer = await send_slots(client, admin, [one] * (batch_files.MOST_SLOTS + 1), form=form)
    assert refusal(answer) == (422, "invalid-input")
    assert [fault["code"] for fault in answer.json()["errors"]] == ["too_many"]
    assert await counts(database, ConsultationSlot) == [0]


async def test_as_many_slots_as_may_be_are_taken(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    (one,) = wishes(1)
    answer = await send_slots(client, admin, [one] * batch_files.MOST_SLOTS, query="?dry_run=true")
    assert (answer.status_code, answer.json()["created"]) == (200, batch_files.MOST_SLOTS)


@pytest.mark.parametrize("is_told", [True, False])
async def test_a_body_of_one_byte_too_many_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], is_told: bool
) -> None:
    async def pieces(size: int) -> Any:
        for place in range(0, size, 65_536):
            yield b" " * min(65_536, size - place)

    headers = admin | {"Content-Type": "application/json"}
    for size, refused in ((MAX_BATCH_BYTES, (422, "invalid-input")), (MAX_BATCH_BYTES + 1, (413, "body-too-large"))):
        told = {"Content-Length": str(size)} if is_told else {"Transfer-Encoding": "chunked"}
        answer = await client.post("/consultation-slots/batch", content=pieces(size), headers=headers | told)
        assert refusal(answer) == refused


async def test_only_a_batch_may_be_so_large(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for address in ("/consultation-slots", "/consultation-slots/batch/", "/consultation-slots/batch/close"):
        assert (await client.post(address, content=b" " * 70_000, headers=admin)).status_code == 413


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/xml", "text/csv; charset=iso-8859-1", "application/json; charset=utf-16"]
)
async def test_another_media_type_is_refused(client: httpx.AsyncClient, admin: dict[str, str], kind: str) -> None:
    answer = await send(client, admin, written("json", wishes(1)), form=kind)
    assert refusal(answer) == (415, "media-type-unsupported")


async def test_a_body_that_is_packed_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    packed = admin | {"Content-Encoding": "gzip"}
    assert refusal(await send_slots(client, packed, wishes(1))) == (415, "media-type-unsupported")


@pytest.mark.parametrize("kind", ["text/csv;charset=UTF-8", 'TEXT/CSV; charset="utf-8"', "text/csv; header=present"])
async def test_parameters_of_a_media_type_are_understood(
    client: httpx.AsyncClient, admin: dict[str, str], kind: str
) -> None:
    answer = await send(client, admin, BOM + written("csv", wishes(2)), form=kind)
    assert outcomes(answer) == ["created", "created"]


@pytest.mark.parametrize(("form", "body"), [("json", b'[{"mode":"video"},{]'), ("csv", b'mode\nvideo\n"')])
async def test_a_broken_file_is_refused_in_partial_mode_too(
    client: httpx.AsyncClient, admin: dict[str, str], form: str, body: bytes
) -> None:
    answer = await send(client, admin, body, form=form, query="?mode=partial")
    assert refusal(answer) == (422, "invalid-input")
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/1"]


async def test_a_broken_line_is_one_rows_fault(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    first, second = (line + b"\n" for line in written("ndjson", wishes(2)).splitlines())
    answer = await send(client, admin, first + b'{"mode"\n\n' + second, form="ndjson", query="?mode=partial")
    assert outcomes(answer) == ["created", "refused", "created"]
    assert problems(answer) == {2: (422, "invalid-input", [("", "json_invalid")])}


async def test_an_unknown_parameter_or_mode_is_refused(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for query in ("?mode=some", "?dry_run=perhaps", "?dryrun=true"):
        assert refusal(await send_slots(client, admin, wishes(1), query=query)) == (422, "invalid-input")
