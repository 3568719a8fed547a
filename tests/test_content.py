"""What is published, as lists and one by one: conditions, categories, treatment options."""

import httpx
import pytest
from fastapi import FastAPI

from app.content import category_changes
from app.content.name_shapes import CategoryWords
from app.core.db import Database
from tests.pages import publish, treatment

ALL = "acute-lymphoblastic-leukemia"


async def slugs(client: httpx.AsyncClient, address: str) -> list[str]:
    """What a list holds, in its order."""
    answer = await client.get(address)
    assert answer.status_code == 200, answer.text
    return [item["slug"] for item in answer.json()["items"]]


async def test_a_card_says_what_the_page_says(client: httpx.AsyncClient) -> None:
    page = (await client.get(f"/conditions/{ALL}")).json()
    assert (await client.get("/conditions")).json() == {
        "items": [{member: page[member] for member in ("slug", "name", "summary", "category", "updated_at")}]
    }


async def test_every_given_filter_must_hold(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database, "synthetic-b", treatment_options=[treatment("car-t-cell-therapy")])
    expected = {
        "category=hematologic-malignancies": [ALL],
        "category=synthetic-category": ["synthetic-b"],
        "letter=A": [ALL],
        "letter=a": [ALL],
        "letter=S": ["synthetic-b"],
        "letter=z": [],
        "treatment=car-t-cell-therapy": [ALL, "synthetic-b"],
        "treatment=targeted-therapy": [ALL],
        "code=icd-10%7CC91.0": [ALL],
        "code=mesh|D054198": [ALL],
        "code=mesh|C91.0": [],
        "category=hematologic-malignancies&letter=a&treatment=car-t-cell-therapy&code=icd-10|C91.0": [ALL],
        "category=synthetic-category&letter=a": [],
        "category=named-by-nobody": [],
        "treatment=named-by-nobody": [],
    }
    assert {query: await slugs(client, f"/conditions?{query}") for query in expected} == expected


async def test_a_filter_that_cannot_hold_is_refused(client: httpx.AsyncClient) -> None:
    queries = {
        "letter": ["ab", "", "%C3%A9", "1"],
        "code": ["C91.0", "other|1", "icd-10|", "|C91.0", "icd-10|C91.0|", "icd-10|%00"],
        "category": ["Not%20a%20slug", "%00", "", "a" * 101],
        "treatment": ["../x", "a--b"],
    }
    refused = {
        f"{parameter}={value}": await client.get(f"/conditions?{parameter}={value}")
        for parameter, values in queries.items()
        for value in values
    }
    assert {query: answer.status_code for query, answer in refused.items()} == dict.fromkeys(refused, 422)
    named = {query: [fault["parameter"] for fault in answer.json()["errors"]] for query, answer in refused.items()}
    assert named == {query: [query.partition("=")[0]] for query in refused}


async def test_names_sort_without_case_and_accents(client: httpx.AsyncClient, database: Database) -> None:
    names = ["Synthetic Zebra", "synthetic äpple", "SYNTHETIC APRICOT", "Sýnthetic apple", "Éclair", "eclair b"]
    for number, name in enumerate(names):
        await publish(database, f"synthetic-{number}", name=name)
    listed = (await client.get("/conditions?category=synthetic-category")).json()["items"]
    assert [card["name"] for card in listed] == [
        "Éclair",
        "eclair b",
        "synthetic äpple",
        "Sýnthetic apple",
        "SYNTHETIC APRICOT",
        "Synthetic Zebra",
    ]
    assert await slugs(client, "/conditions?letter=E") == ["synthetic-4", "synthetic-5"]


async def test_a_category_counts_and_lists_its_conditions_by_name(
    client: httpx.AsyncClient, database: Database
) -> None:
    await publish(database, "synthetic-b", name="Synthetic B")
    await publish(database, "synthetic-a", name="synthetic a")
    assert (await client.get("/categories")).json() == {
        "items": [
            {"slug": "hematologic-malignancies", "name": "Hematologic Malignancies", "condition_count": 1},
            {"slug": "synthetic-category", "name": "Synthetic Category", "condition_count": 2},
        ]
    }
    category = (await client.get("/categories/synthetic-category")).json()
    cards = (await client.get("/conditions?category=synthetic-category")).json()["items"]
    assert [card["slug"] for card in cards] == ["synthetic-a", "synthetic-b"]
    assert category == {
        "slug": "synthetic-category",
        "name": "Synthetic Category",
        "condition_count": 2,
        "conditions": cards,
    }


async def test_a_category_has_a_description_only_when_somebody_wrote_one(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    assert "description" not in (await client.get("/categories/hematologic-malignancies")).json()
    words = CategoryWords(name="Hematologic Malignancies", description="Synthetic description.")
    async with app.state.database.write() as session:
        await category_changes.name(session, "hematologic-malignancies", "en", words, by="test", versions=None)
    for address in ("/categories", "/categories/hematologic-malignancies"):
        answer = (await client.get(address)).json()
        assert answer.get("items", [answer])[0]["description"] == "Synthetic description."


async def test_a_category_that_lost_its_conditions_is_empty(client: httpx.AsyncClient, database: Database) -> None:
    await publish(database)
    await publish(database, category={"slug": "hematologic-malignancies", "name": "Hematologic Malignancies"})
    category = (await client.get("/categories/synthetic-category")).json()
    assert (category["condition_count"], category["conditions"]) == (0, [])
    assert (await client.get("/categories/hematologic-malignancies")).json()["condition_count"] == 2


async def test_a_treatment_tells_what_each_page_says_of_it(client: httpx.AsyncClient, database: Database) -> None:
    own = treatment("car-t-cell-therapy", name="Synthetic wording", description="Synthetic words of another page.")
    await publish(database, "synthetic-a", name="Aa Synthetic", treatment_options=[own])
    of_the_page = (await client.get(f"/conditions/{ALL}")).json()["treatment_options"][-1]
    assert (await client.get("/treatment-options/car-t-cell-therapy")).json() == {
        "slug": "car-t-cell-therapy",
        "name": "CAR-T Cell Therapy",
        "offered_for": [
            {
                "condition": {"slug": "synthetic-a", "name": "Aa Synthetic"},
                "name": own["name"],
                "description": own["description"],
            },
            {
                "condition": {"slug": ALL, "name": "Acute Lymphoblastic Leukemia"},
                "name": of_the_page["name"],
                "description": of_the_page["description"],
            },
        ],
    }


async def test_treatments_are_listed_in_the_hospitals_order_while_a_page_offers_them(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    # In the process that serves: it sees what it publishes at once.
    database: Database = app.state.database
    await publish(database, treatment_options=[treatment("a-synthetic"), treatment("targeted-therapy")])
    listed = (await client.get("/treatment-options")).json()["items"]
    assert listed[-1] == {"slug": "a-synthetic", "name": "Synthetic Treatment", "condition_count": 1}
    assert {item["slug"]: item["condition_count"] for item in listed}["targeted-therapy"] == 2
    await publish(database, treatment_options=[])
    assert "a-synthetic" not in await slugs(client, "/treatment-options")
    assert (await client.get("/treatment-options/a-synthetic")).status_code == 404


async def test_a_condition_lists_its_treatment_options_in_page_order(client: httpx.AsyncClient) -> None:
    page = (await client.get(f"/conditions/{ALL}")).json()
    answer = await client.get(f"/conditions/{ALL}/treatment-options")
    assert answer.json() == {"items": page["treatment_options"]}
    assert [option["slug"] for option in page["treatment_options"]][:2] == [
        "induction-chemotherapy",
        "consolidation-therapy",
    ]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("/conditions/{}", "condition-not-found"),
        ("/conditions/{}/treatment-options", "condition-not-found"),
        ("/categories/{}", "category-not-found"),
        ("/treatment-options/{}", "treatment-option-not-found"),
    ],
)
async def test_what_is_not_published_is_not_found(client: httpx.AsyncClient, address: str, code: str) -> None:
    for slug in ("named-by-nobody", "Acute-Lymphoblastic-Leukemia", "%00", "a" * 300, "-", "%F0%9F", f"{ALL}%20"):
        answer = await client.get(address.format(slug))
        assert (slug, answer.status_code, answer.json()["code"]) == (slug, 404, code)


async def test_what_changed_since_a_moment_is_listed(client: httpx.AsyncClient, database: Database) -> None:
    for number in range(3):
        await publish(database, f"synthetic-{number}")
    cards = (await client.get("/conditions")).json()["items"]
    at = {card["slug"]: card["updated_at"] for card in cards if card["slug"].startswith("synthetic")}
    assert len(set(at.values())) == 3

    async def since(moment: str, **more: str) -> set[str]:
        found = (await client.get("/conditions", params={"modified_since": moment, "limit": "1", **more})).json()
        slugs = {card["slug"] for card in found["items"]}
        while "next" in found:
            found = (await client.get(found["next"])).json()
            slugs |= {card["slug"] for card in found["items"]}
        return slugs

    assert await since(at["synthetic-1"]) == {"synthetic-1", "synthetic-2"}
    assert await since(at["synthetic-2"].replace("Z", "+00:00")) == {"synthetic-2"}
    assert await since(at["synthetic-0"], category="nothing") == set()
    await publish(database, "synthetic-0", summary="Synthetic news.")
    assert await since(at["synthetic-2"]) == {"synthetic-0", "synthetic-2"}
    answer = await client.get("/conditions", params={"modified_since": "2026-11-23"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "modified_since"
