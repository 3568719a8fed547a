"""Databases for drills that are run by hand: migrated, seeded, and gone when the drill is over."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app import planting
from app.core import crypto, migrations
from app.core.settings import Settings
from tests.postgres import MEMORY, running_postgres

SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL)


def chosen(kind: str) -> tuple[str, ...]:
    """The databases that `--database` names."""
    return KINDS if kind == "both" else (kind,)


@contextmanager
def opened(kind: str) -> Iterator[Settings]:
    """A database of this kind, in memory where the machine has such a folder: no drill here is about the disk."""
    with tempfile.TemporaryDirectory(prefix="carepath-drill-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        if kind == SQLITE:
            yield _prepared(f"sqlite:///{folder}/drill.db", folder)
            return
        with running_postgres() as postgres:
            postgres.create_database("drill")
            yield _prepared(postgres.url("drill"), folder)


def _prepared(url: str, folder: Path) -> Settings:
    settings = Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)
    crypto.make_keyring(settings.keyring_path)
    migrations.upgrade(settings)
    planting.seed(settings, None)
    return settings
