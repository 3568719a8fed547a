"""`carepath keyring ...`: the keys that patient data is encrypted with."""

from typing import Any

import click

from app.commands.running import or_stop, read_settings, stop, with_keyring


@click.group()
def keyring() -> None:
    """The keys that patient data is encrypted with."""


@keyring.command("create")
def create_keyring() -> None:
    """Make a key ring where CAREPATH_KEYRING_FILE says; one that is there is left alone.

    Keep a copy of it, apart from the database's backups: without it nobody can read what patients told.
    """
    from app.core import crypto

    settings = read_settings()
    if settings.keyring_path.exists():
        stop(f"there is a key ring at {settings.keyring_path} already")
    or_stop(lambda: crypto.make_keyring(settings.keyring_path))
    click.echo(f"The key ring is at {settings.keyring_path}. Keep a copy of it.")


@keyring.command("rotate")
@click.option("--resume", is_flag=True, help="Make no new key: go on where a rotation broke off.")
def rotate_keyring(*, resume: bool) -> None:
    """Make a new primary key, and bring everything that patients told under it, while the service runs.

    Where several hosts serve, all of them must see this very file. Keep a copy of it: an older one does not open what
    is sealed from now on. The old key stays in the ring until it is dropped.
    """
    from app.access.callers import COMMAND_LINE
    from app.consultations import rotation

    async def rotate(database: Any, ring: Any) -> rotation.Written:
        if not resume:
            made = await rotation.rotate(database, settings.keyring_path, by=COMMAND_LINE.actor)
            click.echo(f"The primary key is {made} now. Keep a copy of {settings.keyring_path}.")
        return await rotation.rewrap(database, ring, by=COMMAND_LINE.actor)

    settings = read_settings()
    done = with_keyring(settings, rotate)
    click.echo(f"{done.rows} bookings' patients were brought under it.")
    if done.unreadable:
        some = ", ".join(map(str, sorted(done.unreadable)[:5]))
        stop(f"no key opens what the patients of {len(done.unreadable)} bookings told: {some}")


@keyring.command("drop")
@click.argument("key_id")
def drop_key(key_id: str) -> None:
    """Forget the key KEY_ID, once nothing is sealed with it any more; `list` tells what is.

    What is left of it verifies the trail and opens nothing. Backups of the database that are older than the last
    rotation need it: keep the copy of the key ring that belongs to them.
    """
    from app.access.callers import COMMAND_LINE
    from app.consultations import rotation

    async def drop(database: Any, ring: Any) -> None:
        await rotation.drop(database, ring, settings.keyring_path, key_id, by=COMMAND_LINE.actor)

    settings = read_settings()
    with_keyring(settings, drop)
    click.echo(f"The key {key_id} was dropped.")


@keyring.command("list")
def list_keys() -> None:
    """Show each key's id, its standing, and how many rows of each table need it. No key is shown."""
    from app.consultations import rotation

    for use in with_keyring(read_settings(), rotation.uses):
        needed = ", ".join(f"{count} {table}" for table, count in use.rows.items())
        click.echo(f"{use.key_id}  {use.standing:8} {needed or 'unused'}")
