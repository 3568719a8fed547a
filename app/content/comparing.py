"""How two documents differ. Pure."""

import json
from collections.abc import Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any, Final

from pydantic import MISSING

from app.content.draft_shapes import DifferenceKind, RevisionDifference

_NOTHING: Final = object()


def differences(before: Any, after: Any, pointer: str = "") -> Iterator[RevisionDifference]:
    """Field by field; lists item by item, so that a line that was put in is one difference and not all that follow.

    The pointer of what was removed leads into the first document, every other one into the second.
    """
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from differences(before.get(name, _NOTHING), after.get(name, _NOTHING), f"{pointer}/{name}")
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, pointer)
    elif after is _NOTHING:
        yield RevisionDifference(pointer=pointer, op=DifferenceKind.REMOVED, before=before, after=MISSING)
    elif before is _NOTHING:
        yield RevisionDifference(pointer=pointer, op=DifferenceKind.ADDED, before=MISSING, after=after)
    else:
        yield RevisionDifference(pointer=pointer, op=DifferenceKind.CHANGED, before=before, after=after)


def _of_lists(before: list[Any], after: list[Any], pointer: str) -> Iterator[RevisionDifference]:
    names = [_name(item) for item in before], [_name(item) for item in after]
    for _, start, end, new_start, new_end in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        # Of a stretch where both say something else, the first item became the first, the second the second ...
        for old, new in zip_longest(range(start, end), range(new_start, new_end)):
            was, now = _NOTHING if old is None else before[old], _NOTHING if new is None else after[new]
            if was is _NOTHING or now is _NOTHING or not _is_another(was, now):
                yield from differences(was, now, f"{pointer}/{old if new is None else new}")
            else:
                yield from differences(was, _NOTHING, f"{pointer}/{old}")
                yield from differences(_NOTHING, now, f"{pointer}/{new}")


def _name(item: Any) -> str:
    """What tells whether two items are the same one: a therapy is, also where a page words it anew."""
    return str(item["slug"]) if isinstance(item, dict) and "slug" in item else json.dumps(item, sort_keys=True)


def _is_another(was: Any, now: Any) -> bool:
    return isinstance(was, dict) and "slug" in was and was["slug"] != now["slug"]
