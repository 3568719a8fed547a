"""Pages as files, as the commands write and read them.

A command has an event loop of its own, so the tests that use these have none.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from app import databases
from app.content import content_files, content_import, seed_files
from app.content.document import ConditionDocument
from app.core.db import Database
from app.core.settings import Settings
from tests.pages import publish


def export(settings: Settings, folder: Path, *, prune: bool = False) -> dict[str, bytes]:
    """Export to a folder; returns what its files hold."""
    pages = asyncio.run(databases.read(settings, content_files.read_published))
    content_files.write_files(folder, [page.document for page in pages], prune=prune)
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def on(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    """Run this with the database."""
    return asyncio.run(databases.use(settings, work))


def compare(settings: Settings, folder: Path) -> content_import.Comparison:
    """Compare a folder's files with what is published."""
    documents = seed_files.read_documents(folder)
    found: content_import.Comparison = on(settings, lambda database: content_import.compare(database, documents))
    return found


def bring_in(settings: Settings, found: content_import.Comparison) -> None:
    """Publish what was compared."""
    on(settings, lambda database: content_import.publish(database, found.changed, by="command_line"))


def write(folder: Path, *documents: ConditionDocument) -> Path:
    """A folder with these pages."""
    content_files.write_files(folder, documents, prune=False)
    return folder


def as_editor(settings: Settings, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    """Run this in a transaction."""
    asyncio.run(databases.write(settings, work))


def edit(settings: Settings, slug: str = "synthetic-condition", **changes: Any) -> None:
    """Publish as an editor."""
    on(settings, lambda database: publish(database, slug, **changes))
