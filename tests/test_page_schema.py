"""The JSON Schema of page files: committed, whole, and of one mind with what reads the files."""

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]
from pydantic import ValidationError
from ruamel.yaml import YAML

from app.content import page_yaml
from app.content.document import ConditionDocument
from app.content.page_schema import page_schema
from tests.page_documents import contents, document
from tests.pages import page_content

FILE = Path(__file__).parents[1] / "openapi" / "condition-page.schema.json"
SCHEMA: dict[str, Any] = json.loads(FILE.read_text())
CHECK = Draft202012Validator(SCHEMA, format_checker=FormatChecker())


def read(text: str) -> Any:
    """What an editor's YAML reader makes of a file: a day is text to it, as YAML 1.2 has it."""

    def as_text(value: Any) -> Any:
        if isinstance(value, dt.date):
            return value.isoformat()
        if isinstance(value, dict):
            return {name: as_text(held) for name, held in value.items()}
        return [as_text(held) for held in value] if isinstance(value, list) else value

    return as_text(YAML(typ="safe", pure=True).load(text))


def test_the_committed_file_is_what_the_command_prints() -> None:
    assert page_schema() == FILE.read_text()
    assert FILE.name == page_yaml.SCHEMA_FILE


def test_it_is_a_schema_and_explains_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    shapes = {"": SCHEMA, **SCHEMA["$defs"]}
    for name, shape in shapes.items():
        assert (name, bool(shape["description"])) == (name, True)
        if "properties" in shape:
            assert (name, shape["additionalProperties"]) == (name, False)
            unsaid = [field for field, each in shape["properties"].items() if not {"title", "description"} <= set(each)]
            assert (name, unsaid) == (name, [])
    assert len(SCHEMA["properties"]) == len(ConditionDocument.model_fields)
    assert "x-not-in-example" not in FILE.read_text()


@given(content=contents())
@limits(max_examples=50, deadline=None)
def test_every_file_that_is_written_holds_by_it(content: dict[str, Any]) -> None:
    text = page_yaml.write(document("synthetic-condition", **content))
    assert [fault.message for fault in CHECK.iter_errors(read(text))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Synthetic"},
        {"locale": "english"},
        {"name": ""},
        {"name": "x" * 201},
        {"name": "two\nlines"},
        {"overview": None},
        {"overview": 5},
        {"causes": "none"},
        {"causes": ["x"] * 201},
        {"codes": [{"system": "other", "code": "D1"}]},
        {"urgency_signs": [{"sign": "a", "urgency": "never", "action": "b"}]},
        {"review": {"last_reviewed_on": "soon", "next_review_on": "2027-01-01", "reviewed_by": "a"}},
        {"references": [{"section": "causes", "title": "a", "url": "ftp://example.org"}]},
        {"source_revision": 0},
        {"extra": 1},
    ],
)
def test_what_is_refused_is_marked_in_the_editor_too(wrong: dict[str, Any]) -> None:
    content = page_content() | wrong
    assert list(CHECK.iter_errors(page_content())) == []
    assert list(CHECK.iter_errors(content))
    with pytest.raises(ValidationError):
        ConditionDocument.model_validate(content)


def test_nothing_may_be_missing_that_is_required() -> None:
    for name in SCHEMA["required"]:
        content = {field: value for field, value in page_content().items() if field != name}
        assert [fault.validator for fault in CHECK.iter_errors(content)] == ["required"]
