"""`carepath keys ...`: who may do what."""

from typing import Any

import click

from app.commands.running import or_stop, read_settings, write


@click.group()
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
    from app.access import callers

    settings = read_settings()

    async def create(session: Any) -> str:
        return await callers.create_key(
            session,
            name=name,
            scopes=[callers.Scope(scope) for scope in scopes],
            is_live=settings.is_production,
        )

    token = or_stop(lambda: write(settings, create))
    click.echo("Keep this key: it is shown once. Send it as `Authorization: Bearer <key>`.", err=True)
    click.echo(token)
