"""The JSON Schema of page files: an editor that knows YAML completes, explains and checks by it."""

import json
from typing import Any

from app.content.document import ConditionDocument


def page_schema() -> str:
    """The schema (JSON Schema 2020-12), with a title and a description for every field."""
    schema = ConditionDocument.model_json_schema()
    shapes = schema.pop("$defs")
    for shape in (schema, *shapes.values()):
        for name, field in shape.get("properties", {}).items():
            field.pop("x-not-in-example", None)
            field["title"] = name.replace("_", " ").capitalize()
    whole: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Condition page",
        "$defs": shapes,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
