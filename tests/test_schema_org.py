"""What a condition page says as JSON-LD, and that schema.org's own types take it."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from app.interop.schema_org import MEDIA_TYPE, SPECIALTIES, medical_web_page, medical_web_page_bytes
from tests.whole_pages import EVERYTHING, SITE, TRANSLATED

SEED = "/conditions/acute-lymphoblastic-leukemia"
FOLDER = Path(__file__).parent / "schema_dts"


def check_types(*pages: dict[str, Any]) -> list[str]:
    """What TypeScript says of each of these pages by the types of schema-dts."""
    if shutil.which("node") is None:
        pytest.skip("there is no Node here")
    if not (FOLDER / "node_modules").is_dir():
        pytest.skip("its packages are not installed: npm ci --prefix tests/schema_dts")
    command = ["node", str(FOLDER / "check.mjs")]
    done = subprocess.run(command, input=json.dumps(pages), capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert (done.returncode == 0) == (done.stdout == "")
    told = re.split(r"^\S*page-(\d+)\.ts\(", done.stdout, flags=re.MULTILINE)
    by_page = list(zip(map(int, told[1::2]), told[2::2], strict=True))
    return ["".join(text for place, text in by_page if place == number) for number in range(len(pages))]


async def test_the_seed_page_says_of_itself_what_the_page_says(client: httpx.AsyncClient) -> None:
    page = (await client.get(SEED)).json()
    answer = await client.get(f"{SEED}.jsonld")
    said = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, MEDIA_TYPE)
    assert (said["@context"], said["@type"]) == ("https://schema.org", "MedicalWebPage")
    assert said["@id"] == said["url"] == f"{SITE}{SEED}"
    assert (said["name"], said["description"], said["inLanguage"]) == (page["name"], page["summary"], "en")
    assert (said["datePublished"], said["dateModified"]) == (page["published_at"], page["updated_at"])
    condition = said["about"]
    assert (condition["@type"], condition["@id"]) == ("MedicalCondition", f"{SITE}{SEED}#condition")
    assert (condition["name"], condition["alternateName"]) == ("Acute Lymphoblastic Leukemia", ["ALL"])
    assert condition["code"] == [
        {"@type": "MedicalCode", "codeValue": "C91.0", "codingSystem": "ICD-10"},
        {"@type": "MedicalCode", "codeValue": "D054198", "codingSystem": "MeSH"},
    ]
    assert condition["relevantSpecialty"] == ["https://schema.org/Hematologic", "https://schema.org/Oncologic"]
    assert condition["riskFactor"] == [{"@type": "MedicalRiskFactor", "name": each} for each in page["risk_factors"]]
    assert condition["cause"] == [{"@type": "MedicalCause", "name": each} for each in page["causes"]]
    assert condition["possibleTreatment"] == [
        {"@type": "MedicalTherapy", "name": each["name"], "description": each["description"]}
        for each in page["treatment_options"]
    ]
    assert [(part["identifier"], part["hasHealthAspect"].rpartition("/")[2]) for part in said["hasPart"]] == [
        ("overview", "OverviewHealthAspect"),
        ("when_to_consult", "SeeDoctorHealthAspect"),
        ("what_to_bring", "SeeDoctorHealthAspect"),
        ("risk_factors", "RisksOrComplicationsHealthAspect"),
        ("causes", "CausesHealthAspect"),
        ("treatment_options", "TreatmentsHealthAspect"),
    ]
    texts = {part["identifier"]: part["text"] for part in said["hasPart"]}
    assert texts["when_to_consult"] == page["when_to_consult"]
    assert texts["what_to_bring"] == page["what_to_bring"]["text"]
    assert texts["causes"].split("\n") == page["causes"]
    assert said["potentialAction"] == {
        "@type": "ScheduleAction",
        "name": "Need Treatment?",
        "description": page["consultation"]["text"],
        "target": {"@type": "EntryPoint", "urlTemplate": f"{SITE}{SEED}"},
    }
    assert [(item["name"], item["item"]) for item in said["breadcrumb"]["itemListElement"]] == [
        ("Hematologic Malignancies", f"{SITE}/categories/hematologic-malignancies"),
        ("Acute Lymphoblastic Leukemia", f"{SITE}{SEED}"),
    ]
    # Nobody has reviewed or translated it, and it names no source.
    assert not {"lastReviewed", "reviewedBy", "citation", "workTranslation", "translationOfWork"} & set(said)


def test_a_page_with_everything_leaves_nothing_out() -> None:
    said = medical_web_page(EVERYTHING, frontend_url=SITE)
    assert (said["lastReviewed"], said["reviewedBy"], said["version"]) == ("2026-11-01", "Synthetic board", 3)
    assert said["citation"] == [
        {
            "@type": "CreativeWork",
            "name": "Synthetic source",
            "url": f"{SITE}/a",
            "publisher": {"@type": "Organization", "name": "Synthetic society"},
        },
        {"@type": "CreativeWork", "name": "Another source", "url": f"{SITE}/b"},
    ]
    (signs,) = (part for part in said["hasPart"] if part["identifier"] == "urgency_signs")
    assert [(sign["headline"], sign["keywords"], sign["text"]) for sign in signs["hasPart"]] == [
        ("Synthetic sign.", "emergency", "Synthetic action."),
        ("Another sign.", "routine", "Another action."),
    ]
    assert said["about"]["relevantSpecialty"] == ["https://schema.org/Pediatric"]
    assert [(work["@id"], work["inLanguage"]) for work in said["workTranslation"]] == [
        (f"{SITE}/conditions/synthetic-condition?locale=es", "es")
    ]


def test_a_translation_names_what_it_translates() -> None:
    said = medical_web_page(TRANSLATED, frontend_url=SITE)
    assert said["url"] == f"{SITE}/conditions/synthetic-condition?locale=es"
    assert said["translationOfWork"]["@id"] == f"{SITE}/conditions/synthetic-condition"
    assert "workTranslation" not in said
    assert said["breadcrumb"]["itemListElement"][0]["item"] == f"{SITE}/categories/pediatric?locale=es"


def test_without_a_frontend_no_address_is_made_up() -> None:
    said = medical_web_page(EVERYTHING.model_copy(update={"references": []}), frontend_url=None)
    assert not {"@id", "url"} & set(said)
    assert "target" not in said["potentialAction"]
    text = json.dumps(said).replace("https://schema.org", "")
    assert "://" not in text
    assert "/conditions/" not in text


def test_a_page_that_says_little_has_no_empty_parts() -> None:
    empty: dict[str, list[str]] = {
        "alternate_names": [],
        "codes": [],
        "risk_factors": [],
        "causes": [],
        "treatment_options": [],
    }
    said = medical_web_page(EVERYTHING.model_copy(update=empty | {"urgency_signs": []}), frontend_url=SITE)
    assert [part["identifier"] for part in said["hasPart"]] == ["overview", "when_to_consult", "what_to_bring"]
    assert set(said["about"]) == {"@type", "@id", "name", "description", "relevantSpecialty"}


def test_nothing_is_claimed_of_a_category_that_is_no_specialty() -> None:
    other = EVERYTHING.model_copy(update={"category": EVERYTHING.category.model_copy(update={"slug": "rare-things"})})
    assert "relevantSpecialty" not in medical_web_page(other, frontend_url=SITE)["about"]
    assert (SPECIALTIES["laboratory-science"], SPECIALTIES["renal"]) == (("LaboratoryScience",), ("Renal",))


def test_it_can_stand_in_a_page_of_html_as_it_is() -> None:
    body = medical_web_page_bytes(EVERYTHING, frontend_url=SITE)
    assert b"<" not in body
    assert json.loads(body)["name"] == EVERYTHING.name


async def test_schema_orgs_own_types_take_the_seed_page_and_the_documented_part_of_it(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    operation = app.openapi()["paths"]["/conditions/{slug}.jsonld"]["get"]
    example = operation["responses"]["200"]["content"][MEDIA_TYPE]["example"]
    said = (await client.get(f"{SEED}.jsonld")).json()
    assert {name: said[name] for name in example if name not in {"about", "hasPart"}} == {
        name: value for name, value in example.items() if name not in {"about", "hasPart"}
    }
    for name, value in example["about"].items():
        assert value == said["about"][name] or all(each in said["about"][name] for each in value)
    assert all(part in said["hasPart"] for part in example["hasPart"])
    assert check_types(example, said) == ["", ""]


def test_schema_orgs_own_types_take_everything() -> None:
    pages = [medical_web_page(page, frontend_url=url) for page in (EVERYTHING, TRANSLATED) for url in (SITE, None)]
    # One that is of every specialty.
    words = {f"https://schema.org/{word}" for words in SPECIALTIES.values() for word in words}
    pages[0]["about"]["relevantSpecialty"] = sorted(words)
    assert check_types(*pages) == [""] * 4


BREAKS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a property that no page has": (lambda said: said.update(symptoms="Synthetic"), "symptoms"),
    "a property that no condition has": (lambda said: said["about"].update(risk="Synthetic"), "risk"),
    "a code as schema.org's example writes it": (lambda said: said["about"]["code"][0].update(code="Z99"), "code"),
    "an aspect that there is not": (
        lambda said: said["hasPart"][0].update(hasHealthAspect="https://schema.org/WhatToBringHealthAspect"),
        "hasHealthAspect",
    ),
    "a specialty that there is not": (
        lambda said: said["about"].update(relevantSpecialty=["https://schema.org/Everything"]),
        "relevantSpecialty",
    ),
    "a thing of the wrong kind": (
        lambda said: said["about"]["riskFactor"][0].update({"@type": "MedicalCause"}),
        "riskFactor",
    ),
}


def test_what_schema_org_does_not_know_is_noticed() -> None:
    pages = []
    for change, _ in BREAKS.values():
        said = medical_web_page(EVERYTHING, frontend_url=SITE)
        change(said)
        pages.append(said)
    told = dict(zip(BREAKS, check_types(*pages), strict=True))
    assert {name: f'"{named}"' in told[name] for name, (_, named) in BREAKS.items()} == dict.fromkeys(BREAKS, True)


def test_the_lock_of_the_packages_says_what_and_not_from_where() -> None:
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    assert "://" not in json.dumps(lock)
    for name, package in lock["packages"].items():
        assert not name or {"version", "integrity"} <= set(package)
        assert "resolved" not in package
