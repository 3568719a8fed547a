"""`carepath content ...`: the published pages as files, and back."""

import asyncio
from pathlib import Path

import click

from app.commands.running import or_stop, progress, read_settings


@click.group()
def content() -> None:
    """The published pages as files, and back."""


@content.command("export")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--prune", is_flag=True, help="Delete files of pages that are not published any more.")
def export_content(folder: Path, *, prune: bool) -> None:
    """Write every published page to FOLDER: a YAML file for each page and language.

    The same page always makes the same bytes. Beside them lies the JSON Schema by which an editor completes and checks
    such files.
    """
    from app import databases
    from app.content import content_files

    settings = read_settings()
    pages = or_stop(lambda: asyncio.run(databases.read(settings, content_files.read_published)))
    with progress([page.document for page in pages], "Writing") as documents:
        done = or_stop(lambda: content_files.write_files(folder, documents, prune=prune))
    for file in done.left:
        click.echo(f"{'deleted' if prune else 'not published any more (--prune deletes it):'} {file}")
    click.echo(f"{done.written} written, {done.unchanged} unchanged.")


@content.command("import")
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show what would be published, and publish nothing.")
def import_content(folder: Path, *, dry_run: bool) -> None:
    """Publish what the files in FOLDER say otherwise than it is published; FOLDER may be one file.

    Shows what differs, field by field. Pages that have no file are left alone. All files are checked before anything is
    published. Up to 20 pages are published together or not at all, more of them in lots of 20.
    """
    from app import databases
    from app.access.callers import COMMAND_LINE
    from app.content import content_import, seed_files

    settings = read_settings()
    with progress(or_stop(lambda: seed_files.files_in(folder)), "Reading") as files:
        documents = or_stop(lambda: seed_files.read_all(files))
    found = or_stop(
        lambda: asyncio.run(databases.use(settings, lambda database: content_import.compare(database, documents)))
    )
    for page in found.changed:
        what = f"changed {page.file}: {', '.join(page.fields())}" if page.before else f"added {page.file}"
        click.echo("\n".join([what, *page.difference()]))
        if page.has_draft:
            click.echo("An editor's draft of it has to be compared with this before it can be published.")
    if not dry_run:
        with progress(found.changed, "Publishing") as bar:
            or_stop(
                lambda: asyncio.run(
                    databases.use(
                        settings,
                        lambda database: content_import.publish(
                            database, found.changed, by=COMMAND_LINE.actor, done=bar.update
                        ),
                    )
                )
            )
    added = sum(page.before is None for page in found.changed)
    click.echo(f"{added} added, {len(found.changed) - added} changed, {found.unchanged} unchanged.")
    if dry_run:
        click.echo("Nothing was published.")


@content.command("schema")
def show_schema() -> None:
    """Print the JSON Schema of page files."""
    from app.content.page_schema import page_schema

    click.echo(page_schema(), nl=False)
