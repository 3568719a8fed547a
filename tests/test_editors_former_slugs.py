"""Editors who use a former slug are sent to the present one, as everybody is; what was withdrawn is still theirs."""

import httpx
import pytest

from app.access.callers import Scope
from app.content import slugs, withdrawals
from app.content.editorial_tables import Subject
from app.core.db import Database
from tests.conftest import headers_with
from tests.editing import done, look, put
from tests.pages import page_content, publish
from tests.wishes import refusal

OLD, NEW = "/conditions/synthetic-old", "/conditions/synthetic-new"
READS = ("/draft", "/revisions", "/revisions/1", "/revisions/1/compare/2")
WRITES = (
    ("PUT", "/draft"),
    ("DELETE", "/draft"),
    ("POST", "/draft/submit"),
    ("POST", "/draft/approve"),
    ("POST", "/draft/return"),
    ("POST", "/draft/publish"),
    ("POST", "/draft/preview"),
    ("POST", "/revisions/1/restore"),
)


@pytest.fixture
async def renamed(database: Database) -> None:
    """A condition that was `synthetic-old`, then something else, and is `synthetic-new`; it has two revisions."""
    for summary in ("Synthetic 1.", "Synthetic 2."):
        await publish(database, "synthetic-old", summary=summary)
    async with database.write() as session:
        await slugs.rename(session, Subject.CONDITION, "synthetic-old", "synthetic-between", by="test")
        await slugs.rename(session, Subject.CONDITION, "synthetic-between", "synthetic-new", by="test")


def assert_moved(answer: httpx.Response, rest: str, query: str = "") -> None:
    """The answer says where it is now, and nobody keeps it."""
    assert (answer.status_code, answer.headers["location"]) == (308, f"{NEW}{rest}{query}"), answer.text
    assert answer.headers["link"] == f'<{NEW}{rest}>; rel="canonical"'
    assert answer.json() == {"moved_to": f"{NEW}{rest}{query}"}
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.usefixtures("renamed")
@pytest.mark.parametrize("rest", READS)
async def test_what_editors_read_has_moved(client: httpx.AsyncClient, admin: dict[str, str], rest: str) -> None:
    for query in ("", "?locale=en"):
        assert_moved(await client.get(f"{OLD}{rest}{query}", headers=admin), rest, query)
        here = await client.get(f"{OLD}{rest}{query}", headers=admin, follow_redirects=True)
        assert (here.status_code, here.url.path) == (200, f"{NEW}{rest}")


@pytest.mark.usefixtures("renamed")
@pytest.mark.parametrize(("method", "rest"), WRITES)
async def test_what_editors_do_is_to_be_done_there(
    client: httpx.AsyncClient, admin: dict[str, str], method: str, rest: str
) -> None:
    wish = page_content("synthetic-old") if method == "PUT" else None
    headers = admin | ({"If-Match": "*"} if method in ("PUT", "DELETE") or rest == "/draft/approve" else {})
    assert_moved(await client.request(method, f"{OLD}{rest}", json=wish, headers=headers), rest)
    assert (await look(client, admin, "synthetic-new"))[0]["state"] == "published"


@pytest.mark.usefixtures("renamed")
async def test_a_client_that_follows_does_all_of_it_under_the_former_slug(
    client: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    client.follow_redirects = True
    restored = await client.post(f"{OLD}/revisions/1/restore", headers=admin)
    assert (restored.status_code, restored.json()["slug"]) == (201, "synthetic-new")
    assert (await put(client, admin, "synthetic-new", causes=[]))["document"]["causes"] == []
    assert (await done(client, admin, "publish", slug="synthetic-old"))["revision"] == 3
    # A text says under which slug it stands: the former one does not go along.
    headers = admin | {"If-Match": "*"}
    answer = await client.put(f"{OLD}/draft", json=page_content("synthetic-old"), headers=headers)
    assert refusal(answer) == (422, "invalid-input")


@pytest.mark.usefixtures("renamed")
async def test_only_who_may_edit_is_sent_on(client: httpx.AsyncClient, database: Database) -> None:
    assert refusal(await client.get(f"{OLD}/draft")) == (401, "credential-invalid")
    other = await headers_with(database, Scope.SLOTS_WRITE)
    assert refusal(await client.get(f"{OLD}/draft", headers=other)) == (403, "scope-missing")


@pytest.mark.usefixtures("renamed")
async def test_what_is_nowhere_is_not_found(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    for address, code in (
        ("/conditions/synthetic-unknown/draft", "draft-not-found"),
        ("/conditions/synthetic-unknown/revisions", "condition-not-found"),
        (f"{NEW}/revisions/9", "revision-not-found"),
        (f"{NEW}/draft?locale=de", "draft-not-found"),
        ("/conditions/%00/draft", "draft-not-found"),
    ):
        assert refusal(await client.get(address, headers=admin)) == (404, code)


@pytest.mark.usefixtures("renamed")
async def test_a_withdrawn_condition_is_still_there_for_editors(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database
) -> None:
    async with database.write() as session:
        await withdrawals.withdraw(session, "synthetic-new", replacement=None, by="test")
    assert (await client.get(OLD)).status_code == (await client.get(NEW)).status_code == 410
    assert_moved(await client.get(f"{OLD}/revisions/2", headers=admin), "/revisions/2")
    assert (await client.get(f"{NEW}/revisions/2", headers=admin)).json()["document"]["summary"] == "Synthetic 2."
    assert refusal(await client.get(f"{NEW}/draft", headers=admin)) == (404, "draft-not-found")
    assert (await client.post(f"{OLD}/revisions/2/restore", headers=admin, follow_redirects=True)).status_code == 201
