"""What a search finds, in which order, and how it says why."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.content.tables import CodeSystem
from app.core.db import Database
from tests.pages import publish, treatment

PATH = "/search"


@pytest.fixture
def pages(app: FastAPI, client: httpx.AsyncClient) -> Database:
    """The database of the started application: what is published through it is found at once."""
    assert not client.is_closed
    database: Database = app.state.database
    return database


async def find(client: httpx.AsyncClient, q: str, path: str = PATH, **others: Any) -> Any:
    answer = await client.get(path, params={"q": q, **others})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def slugs(client: httpx.AsyncClient, q: str, path: str = PATH, **others: Any) -> list[str]:
    return [item["slug"] for item in (await find(client, q, path, **others))["items"]]


async def match(client: httpx.AsyncClient, q: str) -> tuple[str, list[str]]:
    """The section of the first answer, and its marked words."""
    found = (await find(client, q))["items"][0]["match"]
    return found["section"], [found["snippet"][mark["start"] : mark["end"]] for mark in found["highlights"]]


async def test_names_beat_other_names_and_these_summaries_and_these_texts(
    client: httpx.AsyncClient, pages: Database
) -> None:
    await publish(pages, "a-text", overview="Synthetic overview with zyxwort in it.")
    await publish(pages, "b-summary", summary="Synthetic zyxwort.")
    await publish(pages, "c-other-name", alternate_names=["Zyxwort the Other"])
    await publish(pages, "d-name", name="Synthetic Zyxwort")
    await publish(pages, "e-whole-other-name", alternate_names=["ZYXWORT"])
    await publish(pages, "f-whole-name", name="Zyxwort")
    wanted = ["f-whole-name", "e-whole-other-name", "d-name", "c-other-name", "b-summary", "a-text"]
    assert await slugs(client, "zyxwort") == wanted
    assert await slugs(client, "ZYXwort", "/conditions") == wanted
    found = (await find(client, "zyxwort"))["items"]
    sections = [item["match"]["section"] for item in found]
    assert sections == ["name", "alternate_names", "name", "alternate_names", "summary", "overview"]
    assert all("zyxwort" in item["match"]["snippet"].casefold() for item in found)


async def test_an_abbreviation_does_not_drown(client: httpx.AsyncClient, pages: Database) -> None:
    for number in range(30):
        await publish(pages, f"a-{number:02d}", summary="Synthetic, all of it.", overview="All and all.")
    found = await find(client, "ALL")
    assert found["items"][0]["slug"] == "acute-lymphoblastic-leukemia"
    assert found["items"][0]["match"] == {
        "section": "alternate_names",
        "snippet": "ALL",
        "highlights": [{"start": 0, "end": 3}],
    }
    assert len(found["items"]) == 10
    assert "next" in found


async def test_another_spelling_finds_what_lists_it_and_what_is_one_letter_away(
    client: httpx.AsyncClient, pages: Database
) -> None:
    await publish(pages, "b-listed", name="Synthetic Zyxwortemia", alternate_names=["Zyxwortaemia"])
    await publish(pages, "a-not-listed", name="Synthetic Zyxwortemia Two")
    assert await slugs(client, "zyxwortaemia") == ["b-listed", "a-not-listed"]


@pytest.mark.parametrize(
    ("word", "asked", "is_found"),
    [
        ("quil", "quik", True),
        ("quil", "qiul", True),
        ("quil", "quiil", True),
        ("quil", "uil", False),  # three letters have no typo
        ("quiltox", "qultox", True),
        ("quiltox", "qlutox", False),
        ("quiltoxi", "qiultoix", True),
        ("quiltoxi", "quxltoyi", True),
        ("quiltoxi", "xuxltoyi", False),
        ("quiltoxi", "qultoxo", False),  # seven letters have one
        ("x1234567", "x1234568", False),  # a code has no typo
    ],
)
async def test_typos(client: httpx.AsyncClient, pages: Database, word: str, asked: str, is_found: bool) -> None:
    await publish(pages, "in-name", name=f"Synthetic {word}")
    await publish(pages, "in-text", overview=f"Synthetic {word}.")
    assert await slugs(client, asked) == (["in-name"] if is_found else [])


async def test_texts_are_searched_with_typos_where_nothing_else_is_found(
    client: httpx.AsyncClient, pages: Database
) -> None:
    await publish(pages, "in-text", causes=["Synthetic quiltoxin cause"])
    assert await slugs(client, "quiltoxni") == ["in-text"]
    assert await match(client, "quiltoxni") == ("causes", ["quiltoxin"])


async def test_the_last_word_may_be_begun(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(pages, "b", name="Quiltoxic Zebrafish")
    assert await slugs(client, "quiltoxic ze") == ["b"]
    assert await match(client, "quiltoxic ze") == ("name", ["Quiltoxic", "Zebrafish"])
    # Only the last one, and a text only from three letters on.
    await publish(pages, "c", overview="Synthetic quokkas.")
    assert await slugs(client, "quo") == ["c"]
    assert "c" not in await slugs(client, "qu")
    assert "c" not in await slugs(client, "quo synthetic", type="treatment")


@pytest.mark.parametrize("asked", ["Sjögren", "sjogren", "SJÖGREN", "sjo\u0308gren", "\uff53jogren"])
async def test_case_and_accents_do_not_matter(client: httpx.AsyncClient, pages: Database, asked: str) -> None:
    await publish(pages, "b", name="Synthetic 🩺 Sjögren Straße")
    assert await slugs(client, asked) == ["b"]
    assert await match(client, asked) == ("name", ["Sjögren"])
    assert await slugs(client, "strasse") == ["b"]


async def test_words_of_other_scripts(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(pages, "b", name="合成の白血病", overview="कृत्रिम रोग")
    assert await match(client, "白血") == ("name", ["白", "血"])
    assert await match(client, "कृत्रिम") == ("overview", ["कृत्रिम"])
    assert await slugs(client, "कृ") == []


async def test_all_words_and_where_nothing_has_them_any(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(pages, "both", name="Synthetic Quiltox", overview="Synthetic zebrafish.")
    await publish(pages, "first", name="Quiltox")
    await publish(pages, "second", name="Zebrafish")
    assert await slugs(client, "zebrafish quiltox") == ["both"]
    assert await slugs(client, "quiltox marmoset zebrafish") == ["both", "first", "second"]
    assert await slugs(client, "marmoset wallaby") == []


@pytest.mark.parametrize("asked", ["Q99.7", "q99.7", "Q997", " q99.7 ", "(Q99.7),"])
async def test_a_code_finds_its_page_first(client: httpx.AsyncClient, pages: Database, asked: str) -> None:
    codes = [{"system": "icd-10", "code": "Q99.7"}, {"system": "mesh", "code": "D000099"}]
    await publish(pages, "z-coded", codes=codes)
    await publish(pages, "a-near", codes=[{"system": "icd-10", "code": "Q99.8"}])
    found = await find(client, asked)
    assert [item["slug"] for item in found["items"]] == ["z-coded"]
    assert found["items"][0]["match"] == {
        "section": "codes",
        "snippet": "Q99.7",
        "highlights": [{"start": 0, "end": 5}],
    }
    assert await slugs(client, "d000099") == ["z-coded"]
    assert await slugs(client, "Q99") == ["a-near", "z-coded"]


async def test_the_filter_by_code_is_exact(client: httpx.AsyncClient, pages: Database) -> None:
    codes = [{"system": CodeSystem.ICD_10, "code": "Q99.7"}, {"system": CodeSystem.MESH, "code": "D000099"}]
    await publish(pages, "coded", codes=codes)
    for code, wanted in {
        "icd-10|Q99.7": ["coded"],
        "mesh|D000099": ["coded"],
        "icd-10|Q99": [],
        "icd-10|Q99.70": [],
        "mesh|Q99.7": [],
    }.items():
        answer = await client.get("/conditions", params={"code": code})
        assert [item["slug"] for item in answer.json()["items"]] == wanted, code


async def test_treatments_and_categories_are_found(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(
        pages,
        category={"slug": "quiltox-group", "name": "Quiltox Group"},
        treatment_options=[treatment("quiltox-therapy", "Quiltox Therapy")],
    )
    found = await find(client, "quiltox")
    assert [(item["type"], item["slug"]) for item in found["items"]] == [
        ("category", "quiltox-group"),
        ("treatment", "quiltox-therapy"),
        ("condition", "synthetic-condition"),
    ]
    for item in found["items"]:
        assert (await client.get(item["url"])).json()["slug"] == item["slug"]
    assert {facet["type"]: facet["count"] for facet in found["facets"]["types"]} == {
        "category": 1,
        "treatment": 1,
        "condition": 1,
    }
    assert found["items"][2]["category"] == {"slug": "quiltox-group", "name": "Quiltox Group"}


async def test_facets_count_without_their_own_filter(client: httpx.AsyncClient, pages: Database) -> None:
    groups = {name: {"slug": f"group-{name}", "name": f"Group {name.upper()}"} for name in "ab"}
    await publish(pages, "a-1", name="Quiltox One", category=groups["a"])
    await publish(pages, "b-1", name="Quiltox Two", category=groups["b"])
    await publish(pages, "b-2", name="Quiltox Three", category=groups["b"], treatment_options=[treatment("quiltox")])
    by_category = [
        {"slug": "group-b", "name": "Group B", "count": 2},
        {"slug": "group-a", "name": "Group A", "count": 1},
    ]
    everything = await find(client, "quiltox")
    assert everything["facets"]["categories"] == by_category
    filtered = await find(client, "quiltox", category="group-a")
    assert [item["slug"] for item in filtered["items"]] == ["a-1"]
    assert filtered["facets"] == {"categories": by_category, "types": [{"type": "condition", "count": 1}]}
    conditions = await find(client, "quiltox", type="condition", category="group-b")
    assert [item["slug"] for item in conditions["items"]] == ["b-1", "b-2"]
    assert (await find(client, "quiltox", category="no-such-group"))["items"] == []


async def test_snippets_are_parts_of_the_text(client: httpx.AsyncClient, pages: Database) -> None:
    words = "Filler " * 100
    await publish(pages, overview=f"{words}🩺 with\nquiltoxin\u00a0inside <b>&amp;</b> {words}")
    (found,) = (await find(client, "quiltoxin inside"))["items"]
    snippet, marks = found["match"]["snippet"], found["match"]["highlights"]
    assert [snippet[mark["start"] : mark["end"]] for mark in marks] == ["quiltoxin", "inside"]
    assert "🩺 with quiltoxin inside <b>&amp;</b> Filler" in snippet
    assert snippet.startswith("…Filler")
    assert snippet.endswith("Filler…")
    assert len(snippet) <= 202


async def test_languages(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(pages, "b", name="Quiltox Fever", overview="Synthetic words.")
    await publish(pages, "b", locale="es", name="Fiebre Quiltosa", overview="Palabras.")
    await publish(pages, "c", locale="de", name="Quiltoxfieber")

    async def found(q: str, **others: str) -> list[tuple[str, str, str]]:
        items = (await find(client, q, **others))["items"]
        return [(item["slug"], item["locale"], item["url"]) for item in items]

    english, spanish = ("b", "en", "/conditions/b"), ("b", "es", "/conditions/b?locale=es")
    assert await found("quiltox fever") == [english]
    assert await found("fiebre") == []
    assert await found("fiebre", locale="es") == [spanish]
    assert await found("fiebre", locale="es-MX") == [spanish]
    # By the name in the default language too, but not by its texts.
    assert await found("fever", locale="es") == [spanish]
    assert await found("palabras", locale="es") == [spanish]
    # What is in one language only is found in it.
    assert await found("quiltoxfieber") == [("c", "de", "/conditions/c?locale=de")]
    answer = await client.get(PATH, params={"q": "fiebre"}, headers={"Accept-Language": "es"})
    assert answer.json()["items"][0]["locale"] == "es"
    assert answer.headers["Content-Language"] == "es"
    assert "Accept-Language" in answer.headers["Vary"]
    for item in (await find(client, "fiebre", locale="es"))["items"]:
        assert (await client.get(item["url"])).json()["name"] == item["name"]


@pytest.mark.parametrize("path", [PATH, "/conditions"])
async def test_pages_of_the_list(client: httpx.AsyncClient, pages: Database, path: str) -> None:
    for number in range(23):
        place = ("name", "summary", "overview")[number % 3]
        await publish(pages, f"q-{number:02d}", **{place: f"Quiltox {number if place == 'name' else ''}"})
    whole = await slugs(client, "quiltox", path, limit=100)
    assert len(whole) == 23
    followed, address = [], f"{path}?q=quiltox&limit=4"
    while address:
        answer = await client.get(address)
        followed += [item["slug"] for item in answer.json()["items"]]
        address = answer.json().get("next")
    assert followed == whole


async def test_a_cursor_goes_on_where_it_stood_after_others_were_published(
    client: httpx.AsyncClient, pages: Database
) -> None:
    for name in "bdfh":
        await publish(pages, f"q-{name}", name=f"Quiltox {name}")
    first = await find(client, "quiltox", limit=2)
    await publish(pages, "q-a", name="Quiltox a")
    await publish(pages, "q-e", name="Quiltox e")
    rest = (await client.get(first["next"])).json()["items"]
    assert [item["slug"] for item in rest] == ["q-e", "q-f"]


@pytest.mark.parametrize("path", [PATH, "/conditions"])
async def test_cursors_of_other_lists_are_refused(client: httpx.AsyncClient, pages: Database, path: str) -> None:
    await publish(pages)
    other = (await client.get("/conditions?limit=1")).json()["next"].partition("cursor=")[2]
    for cursor in (other, "xyz", "WyI5IiwiMSIsIngiLCJ5Il0"):
        answer = await client.get(path, params={"q": "synthetic", "cursor": cursor})
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "cursor"


async def test_the_lists_other_filters_hold_as_well(client: httpx.AsyncClient, pages: Database) -> None:
    await publish(pages, "b-1", name="Alpha Quiltox", treatment_options=[treatment("therapy-one")])
    await publish(pages, "b-2", name="Beta Quiltox", codes=[{"system": "icd-10", "code": "Q99.7"}])
    await publish(pages, "b-3", name="Beta Three", overview="Quiltox.", category={"slug": "other", "name": "Other"})
    path = "/conditions"
    assert await slugs(client, "quiltox", path) == ["b-1", "b-2", "b-3"]
    assert await slugs(client, "quiltox", path, letter="B") == ["b-2", "b-3"]
    assert await slugs(client, "quiltox", path, treatment="therapy-one") == ["b-1"]
    assert await slugs(client, "quiltox", path, code="icd-10|Q99.7") == ["b-2"]
    assert await slugs(client, "quiltox", path, category="other") == ["b-3"]
    assert await slugs(client, "quiltox", path, category="other", letter="A") == []
    (card,) = (await find(client, "quiltox", path, category="other"))["items"]
    assert card == (await client.get(path, params={"category": "other"})).json()["items"][0]


@pytest.mark.parametrize("path", [PATH, "/conditions"])
@pytest.mark.parametrize("q", ["", " ", "\u200b \u2060", "secretword" * 20 + "x", "secret\x00word", "secret\nword"])
async def test_what_cannot_be_asked_is_refused_and_not_repeated(client: httpx.AsyncClient, path: str, q: str) -> None:
    answer = await client.get(path, params={"q": q})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "q"
    assert "secret" not in answer.text


@pytest.mark.parametrize("others", [{}, {"q": "x", "sort": "name"}, {"q": "x", "limit": 0}, {"q": "x", "limit": 101}])
async def test_a_wrong_question_is_refused(client: httpx.AsyncClient, others: dict[str, Any]) -> None:
    answer = await client.get(PATH, params=others)
    assert answer.status_code == 422
    assert [fault["parameter"] for fault in answer.json()["errors"]] == [list(others)[-1] if others else "q"]


async def test_an_answer_may_be_kept_as_lists_are(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH, params={"q": "leukemia"})
    as_lists = await client.get("/conditions")
    assert answer.headers["Cache-Control"] == as_lists.headers["Cache-Control"]
    again = await client.get(PATH, params={"q": "leukemia"}, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert (await client.head(PATH, params={"q": "leukemia"})).status_code == 200


_SIGNS = st.sampled_from(list("\"'()[]{}^~*?:+-!&|\\/<>=@#$%.,;_ ")) | st.sampled_from(["AND ", "OR ", "NOT ", "IN "])
_TEXTS = st.one_of(
    st.text(min_size=1, max_size=200),
    st.lists(_SIGNS | st.sampled_from(["leukemia", "name", "0", "é", "ß", "½", "白"]), min_size=1, max_size=60).map(
        "".join
    ),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(q=_TEXTS, path=st.sampled_from([PATH, "/conditions"]))
async def test_any_text_can_be_asked(client: httpx.AsyncClient, q: str, path: str) -> None:
    answer = await client.get(path, params={"q": q.encode(errors="replace").decode()})
    assert answer.status_code in {200, 422}
    for item in answer.json().get("items", []):
        for mark in item.get("match", {}).get("highlights", []):
            assert 0 <= mark["start"] < mark["end"] <= len(item["match"]["snippet"])
