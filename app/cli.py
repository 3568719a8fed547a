"""`carepath ...`: everything that is done from a terminal."""

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from app.core.settings import Settings, SettingsInvalid, load_settings, unknown_variables

_T = TypeVar("_T")
# So many pages are read or published before anybody wonders.
_SOON_DONE = 50


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Carepath: condition pages and consultations of a specialist hospital.

    Settings are environment variables that begin with CAREPATH_; README.md lists them. The database is the file
    carepath.db in this folder unless CAREPATH_DATABASE_URL names another.
    """


@main.command()
@click.option("--host", help="Address to listen on. [default: CAREPATH_HOST or 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on. [default: CAREPATH_PORT or 8000]")
def serve(host: str | None, port: int | None) -> None:
    """Serve the API.

    In development the database is made, migrated and seeded first, and a key ring is made where there is none. In
    production all of that must be there.
    """
    # Nothing of what a start imports is garbage: looking for it costs a sixth of the start.
    gc.disable()
    from app import server  # noqa: PLC0415 - the other commands need not wait for it

    settings = _settings()
    for name in unknown_variables():
        click.echo(f"carepath: {name} is not a setting (see README.md)", err=True)
    _or_stop(lambda: server.run(settings, host=host or settings.host, port=settings.port if port is None else port))


@main.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    from app.core import migrations  # noqa: PLC0415

    settings = _settings()
    changed = _or_stop(lambda: migrations.upgrade(settings))
    click.echo("The database was migrated." if changed else "The database is at the newest migration.")


@main.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
def seed(path: Path | None) -> None:
    """Publish the pages of PATH: a folder of YAML files, or one file.

    Without PATH, the pages that Carepath comes with. What did not change since it was last seeded is left alone; what
    an editor has published since is never overwritten.
    """
    from app import server  # noqa: PLC0415

    settings = _settings()
    done = _or_stop(lambda: server.seed(settings, path))
    for slug in done.published:
        click.echo(f"published {slug}")
    click.echo(f"{len(done.published)} published, {len(done.unchanged)} unchanged.")


@main.group()
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
    from app import server  # noqa: PLC0415
    from app.content import content_files  # noqa: PLC0415

    settings = _settings()
    pages = _or_stop(lambda: asyncio.run(server.read(settings, content_files.read_published)))
    with _progress([page.document for page in pages], "Writing") as documents:
        done = _or_stop(lambda: content_files.write_files(folder, documents, prune=prune))
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
    from app import server  # noqa: PLC0415
    from app.access.callers import COMMAND_LINE  # noqa: PLC0415
    from app.content import content_import, seed_files  # noqa: PLC0415

    settings = _settings()
    with _progress(_or_stop(lambda: seed_files.files_in(folder)), "Reading") as files:
        documents = _or_stop(lambda: seed_files.read_all(files))
    found = _or_stop(
        lambda: asyncio.run(server.use(settings, lambda database: content_import.compare(database, documents)))
    )
    for page in found.changed:
        what = f"changed {page.file}: {', '.join(page.fields())}" if page.before else f"added {page.file}"
        click.echo("\n".join([what, *page.difference()]))
    if not dry_run:
        with _progress(found.changed, "Publishing") as bar:
            _or_stop(
                lambda: asyncio.run(
                    server.use(
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
    from app.content.page_schema import page_schema  # noqa: PLC0415

    click.echo(page_schema(), nl=False)


@main.group()
def keyring() -> None:
    """The keys that patient data is encrypted with."""


@keyring.command("create")
def create_keyring() -> None:
    """Make a key ring where CAREPATH_KEYRING_FILE says; one that is there is left alone.

    Keep a copy of it, apart from the database's backups: without it nobody can read what patients told.
    """
    from app.core import crypto  # noqa: PLC0415

    settings = _settings()
    if settings.keyring_path.exists():
        _stop(f"there is a key ring at {settings.keyring_path} already")
    _or_stop(lambda: crypto.make_keyring(settings.keyring_path))
    click.echo(f"The key ring is at {settings.keyring_path}. Keep a copy of it.")


@keyring.command("rotate")
@click.option("--resume", is_flag=True, help="Make no new key: go on where a rotation broke off.")
def rotate_keyring(*, resume: bool) -> None:
    """Make a new primary key, and bring everything that patients told under it, while the service runs.

    Where several hosts serve, all of them must see this very file. Keep a copy of it: an older one does not open what
    is sealed from now on. The old key stays in the ring until it is dropped.
    """
    from app.access.callers import COMMAND_LINE  # noqa: PLC0415
    from app.consultations import rotation  # noqa: PLC0415

    async def rotate(database: Any, ring: Any) -> rotation.Written:
        if not resume:
            made = await rotation.rotate(database, settings.keyring_path, by=COMMAND_LINE.actor)
            click.echo(f"The primary key is {made} now. Keep a copy of {settings.keyring_path}.")
        return await rotation.rewrap(database, ring, by=COMMAND_LINE.actor)

    settings = _settings()
    done = _with_keyring(settings, rotate)
    click.echo(f"{done.rows} bookings' patients were brought under it.")
    if done.unreadable:
        some = ", ".join(map(str, sorted(done.unreadable)[:5]))
        _stop(f"no key opens what the patients of {len(done.unreadable)} bookings told: {some}")


@keyring.command("drop")
@click.argument("key_id")
def drop_key(key_id: str) -> None:
    """Forget the key KEY_ID, once nothing is sealed with it any more; `list` tells what is.

    What is left of it verifies the trail and opens nothing. Backups of the database that are older than the last
    rotation need it: keep the copy of the key ring that belongs to them.
    """
    from app.access.callers import COMMAND_LINE  # noqa: PLC0415
    from app.consultations import rotation  # noqa: PLC0415

    async def drop(database: Any, ring: Any) -> None:
        await rotation.drop(database, ring, settings.keyring_path, key_id, by=COMMAND_LINE.actor)

    settings = _settings()
    _with_keyring(settings, drop)
    click.echo(f"The key {key_id} was dropped.")


@keyring.command("list")
def list_keys() -> None:
    """Show each key's id, its standing, and how many rows of each table need it. No key is shown."""
    from app.consultations import rotation  # noqa: PLC0415

    for use in _with_keyring(_settings(), rotation.uses):
        needed = ", ".join(f"{count} {table}" for table, count in use.rows.items())
        click.echo(f"{use.key_id}  {use.standing:8} {needed or 'unused'}")


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@click.option("--name", required=True, help="Whose key it is; each key has a name of its own.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice(
        [
            "slots:write",
            "bookings:read",
            "bookings:write",
            "bookings:override",
            "content:read",
            "content:write",
            "content:publish",
            "privacy",
            "audit:read",
        ]
    ),
    help="What the key may do; repeat the option for several.",
)
def create_key(name: str, scopes: tuple[str, ...]) -> None:
    """Make an API key and print it, once.

    The key alone goes to standard output. Only its hash is kept.
    """
    from app.access import callers  # noqa: PLC0415

    settings = _settings()

    async def create(session: Any) -> str:
        return await callers.create_key(
            session,
            name=name,
            scopes=[callers.Scope(scope) for scope in scopes],
            is_live=settings.is_production,
        )

    token = _or_stop(lambda: _write(settings, create))
    click.echo("Keep this key: it is shown once. Send it as `Authorization: Bearer <key>`.", err=True)
    click.echo(token)


@main.group()
def privacy() -> None:
    """What is kept about patients, and for how long."""


@privacy.command("purge")
def purge() -> None:
    """Delete what has been kept for as long as CAREPATH_RETENTION_DAYS_... says.

    That is what patients told, answers that were kept for repeated requests, and messages that were delivered long ago.
    A running server or worker does the same every hour.
    """
    from app import server  # noqa: PLC0415
    from app.access.callers import COMMAND_LINE  # noqa: PLC0415
    from app.consultations import retention  # noqa: PLC0415

    settings = _settings()

    async def work(database: Any) -> retention.Purged:
        return await retention.purge_all(database, settings, by=COMMAND_LINE.actor)

    purged = _or_stop(lambda: asyncio.run(server.use(settings, work)))
    click.echo(f"{purged.bookings} patients, {purged.answers} answers and {purged.messages} messages were deleted.")


@main.group()
def audit() -> None:
    """The trail of who did what."""


@audit.command("verify")
def verify() -> None:
    """Compare the trail with its seals, and the newest seal with the file that CAREPATH_AUDIT_HEAD_FILE names.

    Names the seal of whatever was changed, added or taken away, and then ends with an error status.
    """
    from app.access import seal_check  # noqa: PLC0415

    settings = _settings()
    path = settings.audit_head_path
    verdict = _with_keyring(settings, lambda database, ring: seal_check.check(database, ring, path))
    for finding in verdict.findings:
        click.echo(f"WRONG {finding}")
    click.echo(f"Seals: {verdict.seals}. Entries: {verdict.sealed} sealed, {verdict.unsealed} not yet.")
    if verdict.findings:
        raise SystemExit(1)


@main.command("worker")
@click.option("--once", is_flag=True, help="Do each job once, say what was done, and end.")
def work(*, once: bool) -> None:
    """Do what is done between requests: seal the audit trail, end stale holds, delete what was kept long enough.

    Until SIGTERM or Ctrl-C; any number of workers may run. On SQLite, `carepath serve` does it too.
    """
    from app import worker  # noqa: PLC0415
    from app.core import logs  # noqa: PLC0415

    settings = _settings()
    logs.configure()
    if not once:
        _with_keyring(settings, lambda database, ring: worker.run_until_signalled(database, ring, settings))
        return
    done = _with_keyring(settings, lambda database, ring: worker.run_once(database, ring, settings))
    for name, sentence in done.items():
        click.echo(sentence or f"{name} FAILED")
    if None in done.values():
        raise SystemExit(1)


@main.command("openapi")
@click.option("--check", is_flag=True, help="Compare openapi/openapi.json with the app instead of printing.")
def describe(*, check: bool) -> None:
    """Print the API's description (OpenAPI 3.1)."""
    from app.main import create_app  # noqa: PLC0415

    content = create_app(Settings.model_construct()).state.openapi_bytes().decode()
    if not check:
        click.echo(content, nl=False)
        return
    committed = Path(__file__).parents[1] / "openapi" / "openapi.json"
    if not committed.is_file() or committed.read_text() != content:
        _stop(f"{committed} differs from what the app makes: run `carepath openapi > openapi/openapi.json`")
    click.echo("openapi/openapi.json is what the app makes.")


@main.command()
@click.option("--invariants", is_flag=True, help="Examine all rows too, without changing any: what must always hold.")
def doctor(*, invariants: bool) -> None:
    """Examine the database: library, migrations, guards. Ends with an error status when something is wrong."""
    from app.doctor import examine  # noqa: PLC0415

    settings = _settings()
    findings = _or_stop(lambda: asyncio.run(examine(settings, invariants=invariants)))
    for finding in findings:
        click.echo(f"{'ok   ' if finding.is_well else 'WRONG'} {finding.subject}: {finding.detail}")
    if not all(finding.is_well for finding in findings):
        raise SystemExit(1)


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsInvalid as error:
        _stop(error.args[0])
    raise AssertionError


def _progress(things: Sequence[_T], label: str) -> Any:
    """These, one by one, with a bar for a person who waits."""
    is_needed = len(things) > _SOON_DONE and sys.stderr.isatty()
    return click.progressbar(things, label=label, file=sys.stderr, hidden=not is_needed)


def _write(settings: Settings, work: Callable[[Any], Awaitable[_T]]) -> _T:
    """Run this in one transaction on a database that is at the newest migration."""
    from app import server  # noqa: PLC0415

    return asyncio.run(server.write(settings, work))


def _with_keyring(settings: Settings, work: Callable[[Any, Any], Awaitable[_T]]) -> _T:
    """Run this with the database and its own key ring."""
    from app import server  # noqa: PLC0415

    return _or_stop(lambda: asyncio.run(server.use_keyring(settings, work)))


def _or_stop(work: Callable[[], _T]) -> _T:
    """Run this; what a person can mend ends in one line without a trace."""
    from app import server  # noqa: PLC0415

    try:
        return work()
    except server.MENDABLE as error:
        _stop(server.explain(error))
    raise AssertionError


def _stop(reason: str) -> None:
    click.echo(f"carepath: {reason}", err=True)
    sys.exit(1)
