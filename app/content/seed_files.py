"""Seed files: one YAML file per condition page, read with the line of every field."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from app.content.document import ConditionDocument
from app.core.errors import NotReady


class SeedInvalid(NotReady):
    """A seed file cannot be used. The text has a line for each fault: file, line, field, and what is wrong."""


def read_documents(path: Path) -> list[tuple[Path, ConditionDocument]]:
    """Every page below `conditions/` of this folder, or in the folder itself, or the one file; raises SeedInvalid."""
    return read_all(files_in(path))


def files_in(path: Path) -> list[Path]:
    """The files of a folder's pages, or the one file; raises SeedInvalid where there is none."""
    below = sorted((path / "conditions").glob("*.yaml")) or sorted(path.glob("*.yaml"))
    files = [path] if path.is_file() else below
    if not files:
        raise SeedInvalid(f"{path}: there is no seed file, and no folder with seed files")
    return files


def read_all(files: Iterable[Path]) -> list[tuple[Path, ConditionDocument]]:
    """The pages of these files; raises SeedInvalid with the faults of all of them."""
    documents: dict[tuple[str, str], tuple[Path, ConditionDocument]] = {}
    faults = []
    for file in files:
        try:
            document = read_document(file)
        except SeedInvalid as error:
            faults.append(str(error))
            continue
        other, _ = documents.setdefault((document.slug, document.locale), (file, document))
        if other is not file:
            faults.append(f"{file}:{line_of(file, ('slug',))}: slug: {other.name} describes the same condition")
    if faults:
        raise SeedInvalid("\n".join(faults))
    return list(documents.values())


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
