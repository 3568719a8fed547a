"""A seed file that cannot be used is refused with its name, the line and the field, and nothing is half-loaded."""

import shutil
from pathlib import Path

import pytest

from app import planting
from app.content import seed_files
from app.content.seed_files import SeedInvalid
from app.core import schema
from app.core.settings import Settings

GOOD = """\
slug: synthetic-condition
name: Synthetic Condition
summary: Synthetic summary.
category:
  slug: synthetic-category
  name: Synthetic Category
overview: Synthetic overview.
when_to_consult: Synthetic time.
what_to_bring:
  text: Synthetic thing.
  items:
    - Synthetic thing
risk_factors:
  - Synthetic factor
causes: []
treatment_options:
  - slug: synthetic-treatment
    name: Synthetic Treatment
    description: Synthetic words.
consultation:
  heading: Synthetic heading
  text: Synthetic call.
"""
TREATMENT = "  - slug: synthetic-treatment\n    name: Synthetic Treatment\n    description: Synthetic words.\n"


def refusal(file: Path) -> list[str]:
    """What is said of a bad file, line by line, without the folder."""
    with pytest.raises(SeedInvalid) as caught:
        seed_files.read_documents(file)
    return str(caught.value).replace(f"{file.parent}/", "").splitlines()


def test_the_page_that_these_faults_are_put_into_is_good(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    for good in (GOOD, "\ufeff" + GOOD, GOOD.replace("\n", "\r\n"), f"# A comment.\n---\n{GOOD}..."):
        file.write_text(good, encoding="utf-8")
        assert seed_files.read_document(file).name == "Synthetic Condition"


@pytest.mark.parametrize(
    ("written", "instead", "place"),
    [
        ("overview: Synthetic overview.\n", "", "a.yaml:1: overview: "),
        ("    name: Synthetic Treatment\n", "", "a.yaml:17: treatment_options.0.name: "),
        ("  - Synthetic factor", "  - Synthetic factor\n  - 5", "a.yaml:15: risk_factors.1: "),
        ("causes: []", "causes: none", "a.yaml:15: causes: "),
        ("causes: []", "causes: []\nextra: 1", "a.yaml:16: extra: "),
        ("  text: Synthetic thing.", "  text: Synthetic thing.\n  extra: 1", "a.yaml:11: what_to_bring.extra: "),
        ("slug: synthetic-condition", "slug: Synthetic Condition", "a.yaml:1: slug: "),
        ("slug: synthetic-category", "slug: synthetic--category", "a.yaml:5: category.slug: "),
        ("summary: Synthetic summary.", "summary: 2027-01-01", "a.yaml:3: summary: "),
        ("summary: Synthetic summary.", "summary:", "a.yaml:3: summary: "),
        ("summary: Synthetic summary.", "summary: ' '", "a.yaml:3: summary: "),
        ("summary: Synthetic summary.", 'summary: "\\u0000"', "a.yaml:3: summary: "),
        ("summary: Synthetic summary.", 'summary: "\\ud800"', "a.yaml:3: summary: "),
        (TREATMENT, TREATMENT * 2, "a.yaml:16: treatment_options: "),
        ("causes: []", "causes: []\ncodes:\n  - {system: other, code: D1}", "a.yaml:17: codes.0.system: "),
        ("causes: []", "causes: []\nlocale: deutsch", "a.yaml:16: locale: "),
        ("name: Synthetic Condition", "name: Synthetic\nname: Condition", 'a.yaml:3: found duplicate key "name"'),
        ("causes: []", "causes: [", "a.yaml:17: "),
        ("summary: Synthetic summary.", "\tsummary: Synthetic summary.", "a.yaml:3: "),
        ("causes: []", "causes: *unknown", "a.yaml:15: "),
        (GOOD, "", "a.yaml:1: document: "),
        (GOOD, "Synthetic words.", "a.yaml:1: document: "),
        (GOOD, f"{GOOD}---\n{GOOD}", "a.yaml:23: "),
    ],
)
def test_a_fault_is_told_with_file_line_and_field(tmp_path: Path, written: str, instead: str, place: str) -> None:
    assert written in GOOD
    file = tmp_path / "a.yaml"
    file.write_text(GOOD.replace(written, instead), encoding="utf-8")
    (told,) = refusal(file)
    assert told.startswith(place)
    assert len(told) > len(place)


def test_every_fault_of_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD.replace("causes: []", "causes: 5").replace("slug: synthetic-condition\n", ""))
    assert [line.rpartition(": ")[0] for line in refusal(file)] == ["a.yaml:1: slug", "a.yaml:14: causes"]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        pytest.param(GOOD.encode() + b"alternate_names: [\xe9]\n", "a.yaml:23: ", id="not UTF-8"),
        pytest.param(GOOD.encode() + b"alternate_names: [\x07]\n", "a.yaml:23: ", id="a control character"),
        pytest.param(GOOD.encode() + b"alternate_names: [2027-13-45]\n", "a.yaml:", id="a date that is none"),
        pytest.param(GOOD.encode() + b"alternate_names: [" + b"9" * 5_000 + b"]\n", "a.yaml:", id="a huge number"),
        pytest.param(b"a: " + b"[" * 1_000, "a.yaml:", id="brackets without end"),
    ],
)
def test_bytes_that_are_no_yaml_are_told_with_file_and_line(tmp_path: Path, content: bytes, place: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(content)
    assert refusal(file)[0].startswith(place)


def test_two_files_of_one_condition_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    with pytest.raises(SeedInvalid, match=r"b\.yaml:1: slug: .*a\.yaml"):
        seed_files.read_documents(tmp_path)


def test_a_folder_without_seed_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeedInvalid, match="there is no seed file"):
        seed_files.read_documents(tmp_path)


def test_a_category_of_another_name_is_told_with_file_line_and_field(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    (tmp_path / "b.yaml").write_text(
        GOOD.replace("synthetic-condition", "synthetic-b").replace("name: Synthetic Category", "name: Other")
    )
    with pytest.raises(SeedInvalid, match=r"b\.yaml:6: category\.name: "):
        planting.seed(settings, tmp_path)


def test_one_bad_file_keeps_the_others_out(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    shutil.copytree(schema.folder("seed") / "conditions", tmp_path, dirs_exist_ok=True)
    (tmp_path / "z.yaml").write_text(GOOD.replace("synthetic-condition", "Synthetic"))
    with pytest.raises(SeedInvalid):
        planting.seed(settings, tmp_path)
    (tmp_path / "z.yaml").unlink()
    done = planting.seed(settings, tmp_path)
    assert (done.published, done.unchanged) == (["synthetic-condition"], ["acute-lymphoblastic-leukemia"])
