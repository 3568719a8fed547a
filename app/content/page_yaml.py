"""A page as the text of a YAML file: the same page always makes the same bytes, and any YAML reader the same page.

Written here and not by a library, whose next version may wrap lines elsewhere.
"""

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any, Final

from app.content.document import ConditionDocument

SCHEMA_FILE: Final = "condition-page.schema.json"
FIRST_LINE: Final = f"# yaml-language-server: $schema=../{SCHEMA_FILE}\n"

_WIDTH: Final = 100
# What begins with a letter is text to every reader, but for these words; a colon or a hash may end it.
_PLAIN: Final = re.compile(
    r"(?!(?i:y|n|yes|no|on|off|true|false|null|nan|inf)$|\s)[A-Za-z\u00a1-\U0010ffff]"
    r"(?:[^\s:#]|[:#](?=\S)|(?<=\S) (?=[^\s#]))*"
)
# What nobody sees and no reader takes as it is. Spelled out: what Python calls printable differs with its version.
_INVISIBLE: Final = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufdd0-\ufdef\ufeff\ufff0-\uffff]"
)
_NEEDS_ESCAPE: Final = re.compile(rf'["\\\n]|{_INVISIBLE.pattern}')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def write(document: ConditionDocument) -> str:
    """The text of the page's file."""
    return FIRST_LINE + "".join(f"{name}:{value}" for name, value in fields(document).items())


def fields(document: ConditionDocument) -> dict[str, str]:
    """What the file says of each field, in order: everything behind the colon, up to the next field."""
    said = document.content().keys()
    values = document.model_dump(include=set(said), exclude_none=True)
    return {name: _value(values[name], 2) for name in said}


def _value(value: Any, indent: int) -> str:
    """What stands behind a colon or a dash; what it holds is indented by so many spaces."""
    if isinstance(value, Mapping):
        margin = " " * indent
        return "\n" + "".join(f"{margin}{name}:{_value(held, indent + 2)}" for name, held in value.items())
    if isinstance(value, list):
        return "\n" + "".join(_item(held, indent) for held in value) if value else " []\n"
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return _text(value, indent)
    return f" {value.isoformat() if isinstance(value, date) else value}\n"


def _item(value: Any, indent: int) -> str:
    held = _value(value, indent + 2)
    # The first field of a list's item stands behind the dash.
    return f"{' ' * indent}-{' ' + held.lstrip() if isinstance(value, Mapping) else held}"


def _text(text: str, indent: int) -> str:
    margin = " " * indent
    if _INVISIBLE.search(text):
        return f" {_quoted(text)}\n"
    lines = text.split("\n")
    is_one = len(lines) == 1
    if is_one and len(margin) + len(text) <= _WIDTH:
        return f" {text if _PLAIN.fullmatch(text) else _quoted(text)}\n"
    # Editors cut off spaces and lines at the end; what begins with a space would need a mark of its own.
    if text[0].isspace() or any(line[-1:].isspace() for line in lines) or text.endswith("\n\n"):
        return f" {_quoted(text)}\n"
    if is_one:
        return " >-\n" + "".join(f"{margin}{line}\n" for line in _wrapped(text, _WIDTH - indent))
    mark = "|" if text.endswith("\n") else "|-"
    return f" {mark}\n" + "".join(f"{margin}{line}\n" if line else "\n" for line in text.removesuffix("\n").split("\n"))


def _wrapped(text: str, width: int) -> list[str]:
    """Lines that a reader joins to this text again: broken at single spaces only."""
    words = re.split(r"(?<=\S) (?=\S)", text)
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _quoted(text: str) -> str:
    return f'"{_NEEDS_ESCAPE.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
