"""What editors can do through the doors: a request for each."""

import httpx

from app.access.callers import Scope
from app.core.db import Database
from tests.conftest import headers_with
from tests.deed import Deed
from tests.pages import page_content

_DRAFT = "/conditions/{slug}/draft"
# Each has a draft of its own, by somebody else than who does the deeds.
_DRAFTS = ("edited", "dropped", "submitted", "approved", "returned", "published", "previewed")
_THINGS = (("categories", "category", "category-order"), ("treatment-options", "treatment", "treatment-option-order"))


async def editorial_deeds(client: httpx.AsyncClient, admin: dict[str, str], database: Database) -> list[Deed]:
    """One for every door that changes content; what it is done to is made. The orders come first: they name all."""
    author = await headers_with(database, Scope.CONTENT_WRITE)
    for name in _DRAFTS:
        made = await client.post("/conditions", json=page_content(f"synthetic-{name}"), headers=author)
        assert made.status_code == 201, made.text
    for name in ("approved", "returned"):
        handed_in = await client.post(f"/conditions/synthetic-{name}/draft/submit", headers=author)
        assert handed_in.status_code == 200, handed_in.text
    for name in ("renamed", "withdrawn", "restored"):
        await client.post("/conditions", json=page_content(f"synthetic-{name}"), headers=author)
        published = await client.post(f"/conditions/synthetic-{name}/draft/publish", headers=admin)
        assert published.status_code == 200, published.text
    any_version = admin | {"If-Match": "*"}
    found = [await _on_things(client, admin, *names) for names in _THINGS]
    return [
        *(deeds[0] for deeds in found),
        *(deed for deeds in found for deed in deeds[1:]),
        Deed("/conditions", "/conditions", admin, {"condition_draft.created"}, page_content("synthetic-new")),
        Deed(_DRAFT, _at("edited"), any_version, {"condition_draft.edited"}, page_content("synthetic-edited"), "PUT"),
        Deed(_DRAFT, _at("dropped"), any_version, {"condition_draft.deleted"}, method="DELETE"),
        Deed(f"{_DRAFT}/submit", _at("submitted", "/submit"), admin, {"condition_draft.submitted"}),
        Deed(f"{_DRAFT}/approve", _at("approved", "/approve"), any_version, {"condition_draft.approved"}),
        Deed(f"{_DRAFT}/return", _at("returned", "/return"), admin, {"condition_draft.returned"}),
        Deed(f"{_DRAFT}/publish", _at("published", "/publish"), admin, {"condition.published"}),
        Deed(f"{_DRAFT}/preview", _at("previewed", "/preview"), admin, {"condition_draft.previewed"}),
        Deed(
            "/conditions/{slug}/revisions/{number}/restore",
            "/conditions/synthetic-restored/revisions/1/restore",
            admin,
            {"condition_draft.restored"},
        ),
        Deed(
            "/conditions/{slug}/rename",
            "/conditions/synthetic-renamed/rename",
            admin,
            {"condition.renamed"},
            {"slug": "synthetic-renamed-now"},
        ),
        Deed("/conditions/{slug}/withdraw", "/conditions/synthetic-withdrawn/withdraw", admin, {"condition.withdrawn"}),
    ]


def _at(name: str, step: str = "") -> str:
    return f"/conditions/synthetic-{name}/draft{step}"


async def _on_things(client: httpx.AsyncClient, admin: dict[str, str], place: str, kind: str, order: str) -> list[Deed]:
    """What can be done to categories, or to treatments."""
    for name in ("worded", "moved", "gone"):
        named = {"slug": f"synthetic-{name}", "name": f"Synthetic {name}"}
        assert (await client.post(f"/{place}", json=named, headers=admin)).status_code == 201
    slugs = (await client.get(f"/{order}", headers=admin)).json()["slugs"]
    any_version = admin | {"If-Match": "*"}
    new = {"slug": "synthetic-made", "name": "Synthetic made"}
    new_slug = {"slug": "synthetic-moved-now"}
    return [
        Deed(f"/{order}", f"/{order}", any_version, {f"{kind}.moved"}, {"slugs": slugs[::-1]}, "PUT"),
        Deed(f"/{place}", f"/{place}", admin, {f"{kind}.created"}, new),
        Deed(
            f"/{place}/{{slug}}/names/{{locale}}",
            f"/{place}/synthetic-worded/names/es",
            any_version,
            {f"{kind}.named"},
            {"name": "Sintético"},
            "PUT",
        ),
        Deed(f"/{place}/{{slug}}/rename", f"/{place}/synthetic-moved/rename", admin, {f"{kind}.renamed"}, new_slug),
        Deed(f"/{place}/{{slug}}", f"/{place}/synthetic-gone", any_version, {f"{kind}.deleted"}, method="DELETE"),
    ]
