"""Seed files: one YAML file per condition page, read with the line of every field."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from app.content.document import ConditionDocument


class SeedInvalid(Exception):
    """A seed file cannot be used. The text has a line for each fault: file, line, field, and what is wrong."""


def read_documents(path: Path) -> list[tuple[Path, ConditionDocument]]:
    """Every page below `conditions/` of this folder, or in the folder itself, or the one file; raises SeedInvalid."""
    below = sorted((path / "conditions").glob("*.yaml")) or sorted(path.glob("*.yaml"))
    files = [path] if path.is_file() else below
    if not files:
        raise SeedInvalid(f"{path}: there is no seed file, and no folder with seed files")
    documents = [(file, read_document(file)) for file in files]
    slugs: dict[str, Path] = {}
    for file, document in documents:
        if document.slug in slugs:
            line = line_of(file, ("slug",))
            raise SeedInvalid(f"{file}:{line}: slug: {slugs[document.slug].name} describes the same condition")
        slugs[document.slug] = file
    return documents


def read_document(file: Path) -> ConditionDocument:
    """One page; raises SeedInvalid."""
    content = _load(file)
    try:
        return ConditionDocument.model_validate(content)
    except ValidationError as error:
        faults = [
            f"{file}:{_line(content, fault['loc'])}: {'.'.join(map(str, fault['loc'])) or 'document'}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_context=False, include_url=False)
        ]
        raise SeedInvalid("\n".join(faults)) from None


def _load(file: Path) -> Any:
    data = file.read_bytes()
    try:
        return YAML(typ="rt", pure=True).load(data.decode())
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise SeedInvalid(f"{file}:{line}: {error.problem or 'is not YAML'}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SeedInvalid(f"{file}:{line}: is not UTF-8") from None
    except ReaderError as error:
        line = data.decode().count("\n", 0, error.position) + 1
        raise SeedInvalid(f"{file}:{line}: holds a character that YAML does not allow") from None
    except (YAMLError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SeedInvalid(f"{file}:1: is not readable as YAML ({type(error).__name__})") from None


def line_of(file: Path, location: Sequence[int | str]) -> int:
    """The line of a field of a file that was read before, counted from 1."""
    return _line(_load(file), location)


def _line(content: Any, location: Sequence[int | str]) -> int:
    """The line of a field, counted from 1; of what should hold it, where the field is missing."""
    line = 0
    for step in location:
        if isinstance(content, CommentedMap) and step in content:
            line = content.lc.key(step)[0]
        elif isinstance(content, CommentedSeq) and isinstance(step, int) and step < len(content):
            line = content.lc.item(step)[0]
        else:
            break
        content = content[step]
    return int(line) + 1
