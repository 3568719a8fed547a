"""The committed description of the API: what the application makes, whole, and with examples that hold."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

from app.core.errors import all_refusals
from app.core.settings import Settings
from app.main import create_app
from tests.doors import doors

FILE = Path(__file__).parents[1] / "openapi" / "openapi.json"
SPEC: dict[str, Any] = json.loads(FILE.read_text())
OPERATIONS: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation for path, item in SPEC["paths"].items() for method, operation in item.items()
}
NOT_DESCRIBED = {"/openapi.json", "/docs", "/docs/{name}"}
each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def faults(value: Any, schema: dict[str, Any]) -> list[str]:
    """What is wrong with a value by a schema of the file."""
    whole = schema | {"components": SPEC["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [fault.message for fault in validator.iter_errors(value)]


def examples_of(media: dict[str, Any]) -> list[Any]:
    """Every example of a body."""
    given = [example["value"] for example in media.get("examples", {}).values()]
    return given + ([media["example"]] if "example" in media else [])


def nulls(value: Any) -> Iterator[None]:
    """Each null in a value."""
    if value is None:
        yield None
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from nulls(inner)


@pytest.fixture(scope="module")
def made() -> FastAPI:
    """The application, not started."""
    return create_app(Settings.model_construct())


def test_the_committed_file_is_what_the_application_makes(made: FastAPI) -> None:
    assert made.state.openapi_bytes().decode() == FILE.read_text()
    assert SPEC["openapi"].startswith("3.1.")


def test_every_route_is_described_and_nothing_else(made: FastAPI) -> None:
    routes = {f"{method} {route}" for route, methods in doors(made).items() for method in methods}
    assert routes - {f"GET {route}" for route in NOT_DESCRIBED} == set(OPERATIONS)


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(ids)) == len(ids) >= 20


@each_operation
def test_an_operation_is_named_described_and_filed(operation: dict[str, Any]) -> None:
    assert operation["operationId"].replace("_", "").isalpha()
    assert operation["summary"][0].isupper()
    assert len(operation["description"]) > 5
    assert operation["description"] != operation["summary"]
    assert operation["tags"][0] in {tag["name"] for tag in SPEC["tags"]}


@each_operation
def test_every_refusal_of_an_operation_is_a_documented_problem(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    refused = {int(status): answer for status, answer in answers.items() if status[0] in "45"}
    for status, answer in refused.items():
        (media_type,) = answer["content"]
        media = answer["content"][media_type]
        assert media_type == "application/problem+json"
        assert examples_of(media)
        for code, example in media["examples"].items():
            assert (faults(example["value"], media["schema"]), example["value"]["status"]) == ([], status)
            assert example["value"]["code"] == code
        assert faults({"status": status}, media["schema"])


@each_operation
def test_an_operation_says_what_it_can_be_refused_for(operation: dict[str, Any]) -> None:
    refused = set(operation["responses"])
    expected = {"413", "500", "503"}
    if "requestBody" in operation:
        expected |= {"422"}
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
        expected |= {"422"}
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", [])):
        expected |= {"404"}
    if [need for need in operation.get("security", []) if need]:
        expected |= {"401"}
    assert expected - refused == set()


@each_operation
def test_every_body_has_an_example_that_holds(operation: dict[str, Any]) -> None:
    done = {status: answer for status, answer in operation["responses"].items() if status[0] == "2"}
    assert len(done) == 1
    bodies = [operation["requestBody"]] if "requestBody" in operation else []
    for body in (*bodies, *done.values()):
        for media in body["content"].values():
            given = examples_of(media)
            assert given
            for example in given:
                assert faults(example, media["schema"]) == []
                assert list(nulls(example)) == []
            # A schema that takes anything would hold for any example.
            assert faults(None, media["schema"])


@each_operation
def test_a_parameter_is_described_and_its_example_holds(operation: dict[str, Any]) -> None:
    for parameter in operation.get("parameters", []):
        assert (parameter["name"], bool(parameter.get("description"))) == (parameter["name"], True)
        if parameter["in"] == "path":
            assert parameter["required"]
        # No cursor holds for two lists: it is taken from the page before.
        if parameter["name"] != "cursor":
            assert (parameter["name"], faults(parameter["example"], parameter["schema"])) == (parameter["name"], [])


@each_operation
def test_a_read_is_conditional_and_what_is_made_has_an_address(operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    if "304" in answers:
        assert {"ETag", "Cache-Control"} <= set(answers["200"]["headers"])
        assert answers["304"]["headers"] == answers["200"]["headers"]
        assert "content" not in answers["304"]
        assert "If-None-Match" in {parameter["name"] for parameter in operation["parameters"]}
    if "201" in answers:
        assert "Location" in answers["201"]["headers"]


def test_only_health_is_read_without_a_tag() -> None:
    plain = {name for name, each in OPERATIONS.items() if name.startswith("GET ") and "304" not in each["responses"]}
    assert plain == {"GET /health/live", "GET /health/ready"}


def test_every_refusal_is_documented_somewhere() -> None:
    documented = {
        code
        for operation in OPERATIONS.values()
        for answer in operation["responses"].values()
        for code in answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
    }
    # Those that no operation can meet: a wrong method, and what only who publishes can do.
    elsewhere = {"method-not-allowed"}
    assert {refusal.code for refusal in all_refusals()} - documented == elsewhere


def test_every_schema_is_used_and_every_field_is_described() -> None:
    text = FILE.read_text()
    for name, schema in SPEC["components"]["schemas"].items():
        assert (name, f'"#/components/schemas/{name}"' in text) == (name, True)
        assert (name, bool(schema["description"])) == (name, True)
        unsaid = [
            field for field, each in schema.get("properties", {}).items() if not {"description", "$ref"} & set(each)
        ]
        assert (name, unsaid) == (name, [])
        said = {"$ref", "type", "anyOf", "allOf", "enum", "const"}
        anything = [field for field, each in schema.get("properties", {}).items() if not said & set(each)]
        assert (name, anything) == (name, [])
