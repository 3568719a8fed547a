"""A condition is withdrawn: its page is gone, whoever asks is told so, and where to go instead."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import col

from app.access.tables import AuditEntry
from app.content.editorial_tables import ConditionDraft, ConditionWithdrawal
from app.content.tables import ConditionPage, ConditionRevision
from app.core.db import Database
from tests.editing import told as told_of_drafts
from tests.moves import feed, put_draft, rename, seen
from tests.pages import publish
from tests.rows import counts, everything
from tests.wishes import book, listed, post_slot, read, refusal

PAGE, OTHER = "/conditions/synthetic-condition", "/conditions/synthetic-other"


async def withdraw(
    client: httpx.AsyncClient, admin: dict[str, str], address: str = PAGE, **wish: Any
) -> httpx.Response:
    """Withdraw what is at this address."""
    return await client.post(f"{address}/withdraw", json=wish or None, headers=admin)


@pytest.fixture
async def ids(database: Database) -> list[UUID]:
    """Two published conditions, the first of them in two languages."""
    made = await publish(database)
    await publish(database, locale="es", category={"slug": "synthetic-category", "name": "Categoría"})
    return [made.condition_id, (await publish(database, "synthetic-other")).condition_id]


@pytest.mark.usefixtures("ids")
async def test_a_withdrawn_page_is_gone(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    answer = await withdraw(client, admin)
    assert answer.status_code == 200
    told = answer.json()
    assert (told.pop("withdrawn_at")[-1], told) == ("Z", {"slug": "synthetic-condition"})
    for rest in ("", "/treatment-options"):
        gone = await client.get(f"{PAGE}{rest}")
        assert (refusal(gone), "replacement" in gone.json()) == ((410, "condition-withdrawn"), False)
        assert gone.headers["content-type"] == "application/problem+json"
        assert ("link" in gone.headers, "max-age=60," in gone.headers["cache-control"]) == (False, True)
        head = await client.head(f"{PAGE}{rest}")
        assert (head.status_code, head.content) == (410, b"")
    for address in ("/conditions", "/categories/synthetic-category"):
        body = (await client.get(address)).json()
        assert "synthetic-condition" not in {card["slug"] for card in body.get("items", body.get("conditions"))}


@pytest.mark.usefixtures("ids")
async def test_a_replacement_is_named(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    answer = await withdraw(client, admin, replacement="synthetic-other")
    assert answer.json()["replacement"] == OTHER
    gone = await client.get(PAGE)
    assert (refusal(gone), gone.json()["replacement"]) == ((410, "condition-withdrawn"), OTHER)
    assert gone.headers["link"] == f'<{OTHER}>; rel="successor-version"'
    await rename(client, admin, OTHER, "synthetic-renamed")
    assert (await client.get(PAGE)).json()["replacement"] == "/conditions/synthetic-renamed"
    # While the replacement is not public, nobody is sent there.
    await withdraw(client, admin, "/conditions/synthetic-renamed")
    assert "replacement" not in (await client.get(PAGE)).json()


@pytest.mark.usefixtures("ids")
async def test_its_former_slugs_are_gone_too(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    await rename(client, admin, PAGE, "synthetic-new")
    await withdraw(client, admin, "/conditions/synthetic-new", replacement="synthetic-other")
    for slug in ("synthetic-condition", "synthetic-new"):
        gone = await client.get(f"/conditions/{slug}")
        assert (refusal(gone), gone.json()["replacement"]) == ((410, "condition-withdrawn"), OTHER)


async def test_whoever_was_sent_to_a_page_that_goes_is_sent_on(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    for letter in "abc":
        await publish(database, f"synthetic-{letter}")
    await withdraw(client, admin, "/conditions/synthetic-a", replacement="synthetic-b")
    await withdraw(client, admin, "/conditions/synthetic-b", replacement="synthetic-c")
    for letter in "ab":
        gone = await client.get(f"/conditions/synthetic-{letter}")
        assert gone.json()["replacement"] == "/conditions/synthetic-c"


async def test_withdrawing_again_changes_nothing_but_the_replacement(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, ids: list[UUID]
) -> None:
    first = (await withdraw(client, admin)).json()
    assert (await withdraw(client, admin)).json() == first
    told = ("withdrawn", ids[0], "synthetic-condition", None)
    assert (await feed(database, "kind", "subject_id", "slug", "locale"))[7:] == [told]
    for _ in range(2):
        answer = await withdraw(client, admin, replacement="synthetic-other")
        assert answer.json() == first | {"replacement": OTHER}
    assert (await withdraw(client, admin)).json() == first | {"replacement": OTHER}
    assert (await feed(database, "kind", "subject_id", "slug", "locale"))[7:] == [told, told]
    trail = await everything(database, AuditEntry, col(AuditEntry.action) == "condition.withdrawn")
    assert [line["subject"] for line in trail] == [str(ids[0])] * 2


async def test_drafts_go_and_revisions_stay(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, ids: list[UUID]
) -> None:
    await put_draft(database, condition_id=ids[0])
    await put_draft(database, locale="fr")
    await put_draft(database, "synthetic-other", condition_id=ids[1])
    before = await counts(database, ConditionRevision)
    await withdraw(client, admin)
    assert [row["slug"] for row in await everything(database, ConditionDraft)] == ["synthetic-other"]
    assert await told_of_drafts(database) == [("deleted", 2)] * 2
    assert await everything(database, ConditionPage, col(ConditionPage.condition_id) == ids[0]) == []
    assert await counts(database, ConditionRevision) == before


@pytest.mark.usefixtures("ids")
async def test_slots_and_bookings_stay(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    slot = await post_slot(client, admin, condition="synthetic-condition", capacity=2)
    booking = await book(client, slot["id"])
    await withdraw(client, admin)
    after = (await read(client, booking))["condition"]
    kept = ("slug", "what_to_bring", "page_revision")
    assert [after[member] for member in kept] == [booking["condition"][member] for member in kept]
    assert await listed(client, "condition=synthetic-condition") == [slot["id"]]


async def test_publishing_again_ends_it(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, ids: list[UUID]
) -> None:
    await withdraw(client, admin, replacement="synthetic-other")
    assert (await client.get(PAGE)).status_code == 410
    assert (await publish(database)).condition_id == ids[0]
    assert (await seen(client, PAGE, 200)).json()["revision"] == 2
    assert await counts(database, ConditionWithdrawal) == [0]


@pytest.mark.usefixtures("ids")
async def test_only_what_is_published_replaces(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    await publish(database, "synthetic-gone")
    await put_draft(database, "synthetic-draft")
    await withdraw(client, admin, "/conditions/synthetic-gone")
    for slug, code in (
        ("synthetic-gone", "unknown_reference"),
        ("synthetic-draft", "unknown_reference"),
        ("nothing", "unknown_reference"),
        ("synthetic-condition", "own_replacement"),
    ):
        answer = await withdraw(client, admin, replacement=slug)
        faults = [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]]
        assert (slug, answer.status_code, faults) == (slug, 422, [("/replacement", code)])
    assert (await client.get(PAGE)).status_code == 200
    assert refusal(await withdraw(client, admin, "/conditions/nothing")) == (404, "condition-not-found")


@pytest.mark.usefixtures("ids")
async def test_who_has_read_another_revision_is_told_so(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for name, status in (('"2"', 412), ('"1-00000000000000000000"', 200)):
        assert (await withdraw(client, admin | {"If-Match": name})).status_code == status


async def test_a_new_slug_is_told_nobody_while_nothing_is_public(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, ids: list[UUID]
) -> None:
    await withdraw(client, admin)
    told = await feed(database, "number")
    assert (await rename(client, admin, PAGE, "synthetic-secret")).status_code == 200
    assert await feed(database, "number") == told
    assert "synthetic-secret" not in (await client.get("/changes?limit=100")).text
    trail = await everything(database, AuditEntry, col(AuditEntry.action) == "condition.renamed")
    assert [line["subject"] for line in trail] == [str(ids[0])]
    # Its slugs lead to what is said of it all the same.
    for address in (PAGE, "/conditions/synthetic-secret"):
        assert refusal(await client.get(address)) == (410, "condition-withdrawn")
    await publish(database, "synthetic-secret")
    assert (await feed(database, "kind", "subject_id", "slug"))[-1] == ("published", ids[0], "synthetic-secret")
    assert (await client.get(PAGE)).status_code == 308


@pytest.mark.parametrize("step", ["withdraw", "rename"])
async def test_a_condition_in_another_language_only_is_known_by_the_tag_of_that_page(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, step: str
) -> None:
    address = "/conditions/synthetic-spanish"
    wish = {"slug": "synthetic-renamed"} if step == "rename" else {}
    await publish(database, "synthetic-spanish", locale="es")
    old = (await client.get(address)).headers["etag"]
    await publish(database, "synthetic-spanish", locale="es")
    # From the door, whatever is remembered.
    new = (await client.get(address, headers=admin)).headers["etag"]
    for tag, status in ((old, 412), (new, 200)):
        answer = await client.post(f"{address}/{step}", json=wish, headers=admin | {"If-Match": tag})
        assert (tag, answer.status_code) == (tag, status)
