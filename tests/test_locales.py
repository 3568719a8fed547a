"""The language of an answer: what was asked for, by `?locale=` or `Accept-Language`, and what there is."""

from typing import Any

import httpx
import pytest

from app.content import locales
from app.core.accept import preferences, takes_gzip
from app.core.db import Database
from tests.pages import publish, treatment

PAGE = "/conditions/synthetic-condition"


@pytest.mark.parametrize(
    ("tag", "written"),
    [
        ("EN", "en"),
        ("pt-br", "pt-BR"),
        ("ZH-hans-cn", "zh-Hans-CN"),
        ("es-419", "es-419"),
        ("de-ch-1996", "de-CH-1996"),
        ("en-u-ca-GREGORY", "en-u-ca-gregory"),
    ],
)
def test_a_tag_is_written_as_bcp_47_recommends(tag: str, written: str) -> None:
    assert locales.canonical(tag) == written


@pytest.mark.parametrize(
    ("tag", "tried"),
    [
        ("zh-hant-tw", ["zh-Hant-TW", "zh-Hant", "zh"]),
        ("pt-BR", ["pt-BR", "pt"]),
        ("zh-Hant-CN-x-private1-private2", ["zh-Hant-CN-x-private1-private2", "zh-Hant-CN-x-private1", "zh-Hant-CN"]),
    ],
)
def test_a_language_falls_back_as_in_rfc_4647(tag: str, tried: list[str]) -> None:
    assert list(locales.lookup(tag))[: len(tried)] == tried


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("", []),
        ("es", ["es"]),
        ("da, en-gb;q=0.8, en;q=0.7", ["da", "en-gb", "en"]),
        ("en;q=0.2, es;q=0.9, fr;q=0.9", ["es", "fr", "en"]),
        ("es;q=0, fr;q=0.0, en;q=0.001", ["en"]),
        ("*", []),
        ("*;q=0.5, es", ["es"]),
        ("es ; q=0.5 ,\tfr\t;\tQ=1.000", ["fr", "es"]),
        ("es;q=2, fr;q=abc, de;q=0.1234, e s, ;;, é, en", ["en"]),
        (", ".join(f"l{number}" for number in range(50)), [f"l{number}" for number in range(20)]),
    ],
)
def test_the_header_is_read_as_in_rfc_9110(header: str, asked: list[str]) -> None:
    assert locales.accepted(header) == asked


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ([], ("en",)),
        (["fr"], ("en",)),
        (["pt-BR"], ("pt", "en")),
        (["en-US", "es"], ("en", "es")),
        (["zz", "es-MX", "pt", "de", "en"], ("es", "pt", "de", "en")),
        (["de", "es", "pt", "it"], ("de", "es", "pt", "en")),
    ],
)
def test_what_is_wanted_is_what_is_published_of_what_was_asked(asked: list[str], wanted: tuple[str, ...]) -> None:
    assert locales.choose(asked, {"en", "es", "pt", "de", "it"}) == wanted


def test_the_best_is_the_first_that_there_is_or_any() -> None:
    assert locales.best(("es", "en"), ["en", "es"]) == "es"
    assert locales.best(("es", "en"), ["de", "en"]) == "en"
    assert locales.best(("es", "en"), ["pt", "de"]) == "de"


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("", False),
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("*", True),
        ("identity, gzip;q=0.5", False),
        ("deflate, GZIP", True),
        ("gzip;q=nonsense", False),
    ],
)
def test_who_takes_gzip(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes
    assert list(preferences("a;q=0.1, b")) == ["b", "a"]


async def spanish(database: Database, slug: str = "synthetic-condition", **changes: Any) -> None:
    """Publish the synthetic page in Spanish."""
    own: dict[str, Any] = {
        "name": f"Sintética {slug}",
        "summary": "Resumen sintético.",
        "category": {"slug": "synthetic-category", "name": "Categoría"},
        "treatment_options": [treatment("synthetic-treatment", name="Tratamiento")],
    }
    await publish(database, slug, locale="es", **(own | changes))


async def served(client: httpx.AsyncClient, address: str, header: str | None = None) -> tuple[str, str]:
    """The language that an answer says to be in, and the name of what it shows."""
    answer = await client.get(address, headers={} if header is None else {"Accept-Language": header})
    assert answer.status_code == 200
    body = answer.json()
    return answer.headers["Content-Language"], body.get("items", [body])[0]["name"]


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("", "es", "es"),
        ("", "es-MX, en;q=0.5", "es"),
        ("", "fr, en;q=0.5, es;q=0.1", "en"),
        ("", "fr, es;q=0.1", "es"),
        ("", "fr", "en"),
        ("", "*", "en"),
        ("?locale=es", None, "es"),
        ("?locale=ES-mx", "en", "es"),
        ("?locale=en", "es", "en"),
        ("?locale=fr", "es", "en"),
        ("?locale=x-klingon", "es", None),
    ],
)
async def test_a_page_comes_in_the_language_that_was_asked_for(
    client: httpx.AsyncClient, database: Database, query: str, header: str | None, language: str | None
) -> None:
    await publish(database)
    await spanish(database)
    if language is None:
        headers = {"Accept-Language": header or ""}
        assert (await client.get(f"{PAGE}{query}", headers=headers)).status_code == 422
        return
    name = {"en": "Synthetic synthetic-condition", "es": "Sintética synthetic-condition"}[language]
    # By the door, then from memory.
    for _ in range(2):
        assert await served(client, f"{PAGE}{query}", header) == (language, name)


async def test_a_page_that_is_in_one_language_only_comes_in_that_one(
    client: httpx.AsyncClient, database: Database
) -> None:
    await spanish(database)
    for header in (None, "fr", "en"):
        assert await served(client, PAGE, header) == ("es", "Sintética synthetic-condition")
    listed = (await client.get("/conditions?letter=s")).json()["items"]
    assert [(card["name"], card["category"]["name"]) for card in listed] == [
        ("Sintética synthetic-condition", "Categoría")
    ]
    assert (await client.get("/categories/synthetic-category")).json()["condition_count"] == 1


@pytest.mark.parametrize(
    "address",
    ["/conditions", "/categories", "/treatment-options", "/categories/synthetic-category", PAGE, f"{PAGE}.jsonld"],
)
async def test_a_malformed_locale_is_refused(client: httpx.AsyncClient, database: Database, address: str) -> None:
    await publish(database)
    for locale in ("", "e", "es_MX", "es-", "-es", "123", "es%00", "%C3%A9s", "e" * 9, "es-" + "a" * 40):
        answer = await client.get(f"{address}?locale={locale}")
        assert (locale, answer.status_code) == (locale, 422)
        assert [fault["parameter"] for fault in answer.json()["errors"]] == ["locale"]


async def test_lists_come_item_by_item_in_the_best_language_of_each(
    client: httpx.AsyncClient, database: Database
) -> None:
    await publish(database, "synthetic-a")
    await publish(database, "synthetic-b")
    await spanish(database, "synthetic-b")
    cards = (await client.get("/conditions?locale=es&letter=s")).json()["items"]
    assert [(card["slug"], card["name"]) for card in cards] == [
        ("synthetic-b", "Sintética synthetic-b"),
        ("synthetic-a", "Synthetic synthetic-a"),
    ]
    assert {card["category"]["name"] for card in cards} == {"Categoría"}
    in_english = (await client.get("/conditions?letter=s")).json()["items"]
    assert [card["slug"] for card in in_english] == ["synthetic-a", "synthetic-b"]
    assert {card["category"]["name"] for card in in_english} == {"Synthetic Category"}
    for list_address, slug, name, count in (
        ("/categories", "synthetic-category", "Categoría", 2),
        ("/categories", "hematologic-malignancies", "Hematologic Malignancies", 1),
        ("/treatment-options", "synthetic-treatment", "Tratamiento", 2),
        ("/treatment-options", "car-t-cell-therapy", "CAR-T Cell Therapy", 1),
    ):
        answer = await client.get(f"{list_address}?limit=100", headers={"Accept-Language": "es-AR"})
        found = {item["slug"]: (item["name"], item["condition_count"]) for item in answer.json()["items"]}
        assert (answer.headers["Content-Language"], found[slug]) == ("es", (name, count))
        one = await client.get(f"{list_address}/{slug}?locale=es")
        assert one.json()["name"] == name
    offers = (await client.get("/treatment-options/synthetic-treatment?locale=es")).json()["offered_for"]
    assert [(offer["condition"]["slug"], offer["name"]) for offer in offers] == [
        ("synthetic-b", "Tratamiento"),
        ("synthetic-a", "Synthetic Treatment"),
    ]
    options = await client.get("/conditions/synthetic-b/treatment-options?locale=es")
    assert (options.headers["Content-Language"], options.json()["items"][0]["name"]) == ("es", "Tratamiento")


async def test_the_next_page_of_a_list_is_in_the_same_language(client: httpx.AsyncClient, database: Database) -> None:
    for slug in ("synthetic-a", "synthetic-b", "synthetic-c"):
        await publish(database, slug)
    await spanish(database, "synthetic-c")
    for query, slugs in (("locale=es", ["synthetic-c", "synthetic-a", "synthetic-b"]), ("locale=en", None)):
        address: str | None = f"/conditions?letter=s&limit=1&{query}"
        seen = []
        while address is not None:
            page = (await client.get(address)).json()
            seen += [card["slug"] for card in page["items"]]
            address = page.get("next")
        assert seen == (slugs or ["synthetic-a", "synthetic-b", "synthetic-c"])
