"""How a command is run: its settings, its database, and one line for what a person can mend."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn, TypeVar

import click

from app.core.settings import Settings, SettingsInvalid, load_settings

_T = TypeVar("_T")
# So many pages are read or published before anybody wonders.
_SOON_DONE = 50


def read_settings() -> Settings:
    """The settings; stops where one of them is wrong."""
    try:
        return load_settings()
    except SettingsInvalid as error:
        stop(error.args[0])


def progress(things: Sequence[_T], label: str) -> Any:
    """These, one by one, with a bar for a person who waits."""
    is_needed = len(things) > _SOON_DONE and sys.stderr.isatty()
    return click.progressbar(things, label=label, file=sys.stderr, hidden=not is_needed)


def write(settings: Settings, work: Callable[[Any], Awaitable[_T]]) -> _T:
    """Run this in one transaction on a database that is at the newest migration."""
    from app import databases

    return asyncio.run(databases.write(settings, work))


def with_keyring(settings: Settings, work: Callable[[Any, Any], Awaitable[_T]]) -> _T:
    """Run this with the database and its own key ring."""
    from app import databases

    return or_stop(lambda: asyncio.run(databases.use_keyring(settings, work)))


def or_stop(work: Callable[[], _T]) -> _T:
    """Run this; what a person can mend ends in one line without a trace."""
    from app import databases

    try:
        return work()
    except databases.MENDABLE as error:
        stop(databases.explain(error))


def stop(reason: str) -> NoReturn:
    """End with this line and an error status."""
    click.echo(f"carepath: {reason}", err=True)
    sys.exit(1)
