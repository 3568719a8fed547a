"""The page that the API serves is the hospital's own page: its text can be rebuilt from the JSON without loss."""

from pathlib import Path
from typing import Any

import httpx
import pytest

SOURCE = Path(__file__).with_name("acute-lymphoblastic-leukemia.txt")
ADDRESS = "/conditions/acute-lymphoblastic-leukemia"


def page_as_text(page: dict[str, Any]) -> str:
    """Write a page as the hospital's website shows it; the headings and the way back are the website's own."""
    name: str = page["name"]
    blocks: list[list[str]] = [
        [name],
        [page["summary"]],
        ["Back to All Treatments", name],
        [name],
        [page["category"]["name"]],
        ["Overview"],
        [page["overview"]],
        ["When to Consult"],
        [page["when_to_consult"]],
        ["What to Bring"],
        [page["what_to_bring"]["text"]],
        ["Risk Factors"],
        page["risk_factors"],
        ["Causes"],
        page["causes"],
        ["Treatment Options"],
    ]
    for option in page["treatment_options"]:
        blocks += [[option["name"]], [option["description"]]]
    blocks += [[page["consultation"]["heading"]], [page["consultation"]["text"]]]
    return "\n\n".join("\n".join(lines) for lines in blocks)


async def test_the_source_page_can_be_rebuilt_line_by_line(client: httpx.AsyncClient) -> None:
    page = (await client.get(ADDRESS)).json()
    assert page_as_text(page).split("\n") == SOURCE.read_text(encoding="utf-8").split("\n")


@pytest.mark.parametrize("part", ["summary", "when_to_consult", "risk_factors", "causes", "treatment_options"])
async def test_a_lost_part_would_be_noticed(client: httpx.AsyncClient, part: str) -> None:
    page = (await client.get(ADDRESS)).json()
    page[part] = page[part][:-1]
    assert page_as_text(page) != SOURCE.read_text(encoding="utf-8")


async def test_what_to_bring_is_also_a_list_of_the_same_words(client: httpx.AsyncClient) -> None:
    bring = (await client.get(ADDRESS)).json()["what_to_bring"]
    assert bring["items"] == [
        "CBC",
        "peripheral smear",
        "bone marrow biopsy",
        "cytogenetic and molecular test reports",
    ]
    assert bring["text"] == ", ".join(bring["items"]) + "."


async def test_the_lists_are_as_long_as_on_the_source_page(client: httpx.AsyncClient) -> None:
    page = (await client.get(ADDRESS)).json()
    assert {part: len(page[part]) for part in ("risk_factors", "causes", "treatment_options")} == {
        "risk_factors": 8,
        "causes": 8,
        "treatment_options": 6,
    }


async def test_the_page_says_what_the_source_does_not_show(client: httpx.AsyncClient) -> None:
    page = (await client.get(ADDRESS)).json()
    assert page["alternate_names"] == ["ALL"]
    assert page["codes"] == [{"system": "icd-10", "code": "C91.0"}, {"system": "mesh", "code": "D054198"}]
    assert page["category"]["slug"] == "hematologic-malignancies"
    assert page["consultation"]["slots_url"] == f"/consultation-slots?condition={page['slug']}"
    assert (page["locale"], page["revision"], page["published_at"]) == ("en", 1, page["updated_at"])


async def test_the_page_has_the_promised_members(client: httpx.AsyncClient) -> None:
    # In the order in which a reader meets them. What comes later stands beside them.
    page = (await client.get(ADDRESS)).json()
    promised = ["slug", "name", "alternate_names", "summary", "category", "overview", "when_to_consult"]
    promised += ["what_to_bring", "risk_factors", "causes", "treatment_options", "consultation", "codes"]
    promised += ["locale", "revision", "published_at", "updated_at"]
    assert [member for member in page if member in promised] == promised
    assert list(page["category"]) == ["slug", "name"]
    assert list(page["treatment_options"][0]) == ["slug", "name", "description"]
