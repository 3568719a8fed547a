"""Where the seed goes in: from a terminal, or because a process starts in development."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import click

from app import databases
from app.content import seed_files, seeding
from app.content.document import ConditionDocument
from app.core import schema
from app.core.db import Database
from app.core.settings import Settings


def seed(settings: Settings, path: Path | None) -> seeding.Seeded:
    """Publish what changed below `path`, or of the seed that Carepath comes with, in one transaction.

    Raises SeedOutdated, after that, where files were left out.
    """
    documents = seed_files.read_documents(path or schema.folder("seed"))
    return asyncio.run(databases.use(settings, lambda database: _plant(database, documents)))


async def plant_own(database: Database) -> None:
    """Publish what changed of Carepath's own seed, and say on the terminal what was left out; raises SeedInvalid."""
    try:
        await _plant(database, await asyncio.to_thread(seed_files.read_documents, schema.folder("seed")))
    except seeding.SeedOutdated as error:
        # What the hospital has written since is served; that the seed has other words is for a person to weigh.
        click.echo(f"carepath: {error.args[0]}", err=True)


async def _plant(database: Database, documents: Iterable[tuple[Path, ConditionDocument]]) -> seeding.Seeded:
    async with database.write() as session:
        done = await seeding.plant(session, documents)
    if done.outdated:
        raise seeding.SeedOutdated(done)
    return done
