"""`carepath privacy ...`: what is kept about patients, and for how long."""

import asyncio
from typing import Any

import click

from app.commands.running import or_stop, read_settings


@click.group()
def privacy() -> None:
    """What is kept about patients, and for how long."""


@privacy.command("purge")
def purge() -> None:
    """Delete what has been kept for as long as CAREPATH_RETENTION_DAYS_... says.

    That is what patients told, answers that were kept for repeated requests, and messages that were delivered long ago.
    A running server or worker does the same every hour.
    """
    from app import databases
    from app.access.callers import COMMAND_LINE
    from app.consultations import retention

    settings = read_settings()

    async def work(database: Any) -> retention.Purged:
        return await retention.purge_all(database, settings, by=COMMAND_LINE.actor)

    purged = or_stop(lambda: asyncio.run(databases.use(settings, work)))
    told = f"{purged.bookings} patients, {purged.answers} answers, {purged.messages} messages and {purged.plans} plans"
    click.echo(f"{told} were deleted.")
