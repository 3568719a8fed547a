"""`carepath ...`: everything that is done from a terminal."""

import asyncio
import gc
import signal
import sys
from pathlib import Path

import click

from app.commands import audit, content, keyring, keys, privacy, slots
from app.commands.running import or_stop, read_settings, stop, with_keyring
from app.core.settings import Settings, unknown_variables


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

    In development the database is made, migrated and seeded, and a key ring is made where there is none. In production
    all of that must be there.
    """
    # Until the server looks for it. No signal ends the first process of a container that has no handler for it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Nothing of what a start imports is garbage: looking for it costs a sixth of the start.
    gc.disable()
    from app import server

    settings = read_settings()
    for name in unknown_variables():
        click.echo(f"carepath: {name} is not a setting (see README.md)", err=True)
    or_stop(lambda: server.run(settings, host=host or settings.host, port=settings.port if port is None else port))


@main.command()
def migrate() -> None:
    """Bring the database to the newest migration."""
    from app.core import migrations

    settings = read_settings()
    changed = or_stop(lambda: migrations.upgrade(settings))
    click.echo("The database was migrated." if changed else "The database is at the newest migration.")


@main.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
def seed(path: Path | None) -> None:
    """Publish the pages of PATH: a folder of YAML files, or one file.

    Without PATH, the pages that Carepath comes with. What did not change since it was last seeded is left alone. What
    an editor has done since is never undone: such files are left out, and named at the end, with an error status.
    """
    from app import planting
    from app.content.seeding import SeedOutdated

    settings = read_settings()
    outdated: SeedOutdated | None = None
    try:
        done = or_stop(lambda: planting.seed(settings, path))
    except SeedOutdated as error:
        done, outdated = error.done, error
    for slug in done.published:
        click.echo(f"published {slug}")
    click.echo(f"{len(done.published)} published, {len(done.unchanged)} unchanged.")
    if outdated is not None:
        stop(f"{len(done.outdated)} left out:\n{outdated}")


@main.command("worker")
@click.option("--once", is_flag=True, help="Do each job once, say what was done, and end.")
def work(*, once: bool) -> None:
    """Do what is done between requests: seal the audit trail, end stale holds, delete what was kept long enough.

    Until SIGTERM or Ctrl-C; any number of workers may run. On SQLite, `carepath serve` does it too.
    """
    from app import worker
    from app.core import logs

    settings = read_settings()
    logs.configure()
    if not once:
        with_keyring(settings, lambda database, ring: worker.run_until_signalled(database, ring, settings))
        return
    done = with_keyring(settings, lambda database, ring: worker.run_once(database, ring, settings))
    for name, sentence in done.items():
        click.echo(sentence or f"{name} FAILED")
    if None in done.values():
        raise SystemExit(1)


@main.command("openapi")
@click.option("--check", is_flag=True, help="Compare openapi/openapi.json with the app instead of printing.")
def describe(*, check: bool) -> None:
    """Print the API's description (OpenAPI 3.1)."""
    from app.main import create_app

    content = create_app(Settings.model_construct()).state.openapi_bytes().decode()
    if not check:
        click.echo(content, nl=False)
        return
    committed = Path(__file__).parents[1] / "openapi" / "openapi.json"
    if not committed.is_file() or committed.read_text() != content:
        stop(f"{committed} differs from what the app makes: run `carepath openapi > openapi/openapi.json`")
    click.echo("openapi/openapi.json is what the app makes.")


@main.command()
@click.option("--invariants", is_flag=True, help="Examine all rows too, without changing any: what must always hold.")
def doctor(*, invariants: bool) -> None:
    """Examine the database: library, migrations, guards. Ends with an error status when something is wrong."""
    from app.doctor import examine

    settings = read_settings()
    findings = or_stop(lambda: asyncio.run(examine(settings, invariants=invariants)))
    for finding in findings:
        click.echo(f"{'ok   ' if finding.is_well else 'WRONG'} {finding.subject}: {finding.detail}")
    if not all(finding.is_well for finding in findings):
        raise SystemExit(1)


for group in (content.content, keyring.keyring, keys.keys, privacy.privacy, audit.audit, slots.slots):
    main.add_command(group)
