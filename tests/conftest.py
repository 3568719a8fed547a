"""Fixtures: a database of its own for every test, on SQLite and on PostgreSQL, and the whole application on it.

A test's database is a copy of a template that the migrations and the seed have made, not a transaction that is
rolled back: keys that are checked at COMMIT, the two engines and the locks between processes are then real.
"""

import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import delete

from app import planting
from app.access import callers
from app.access.callers import Scope
from app.core import crypto, migrations
from app.core.db import Database
from app.core.settings import Settings
from app.delivery.tables import OutboxMessage
from app.main import create_app
from tests.postgres import PostgresServer, running_postgres

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for the whole session."""
    with running_postgres() as running:
        yield running


@pytest.fixture(scope="session", params=BACKENDS)
def template(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a migrated and seeded database that no test touches."""
    folder = tmp_path_factory.mktemp("template")
    if request.param == "sqlite":
        url = f"sqlite:///{folder}/template.db"
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        postgres.create_database("template_seeded")
        url = postgres.url("template_seeded")
    settings = Settings(
        database_url=url,
        keyring_file=folder / "keyring",
        rate_limits=False,
        log_pages=True,
        frontend_url="https://www.example.org",
    )
    crypto.make_keyring(settings.keyring_path)
    migrations.upgrade(settings)
    planting.seed(settings, None)
    with migrations.engine_for(settings).begin() as connection:
        # Nobody waits for what the seed had to tell: a test counts its own messages.
        connection.execute(delete(OutboxMessage))
    return settings


@pytest.fixture
def settings(request: pytest.FixtureRequest, template: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a database and a key ring that are this test's own."""
    # A test may turn the keys: they are its own too.
    own = {
        "keyring_file": Path(shutil.copy(template.keyring_path, tmp_path / "test.keyring")),
        "audit_head_file": tmp_path / "audit-head",
    }
    if template.sqlite_path is not None:
        shutil.copy(template.sqlite_path, tmp_path / "test.db")
        yield template.model_copy(update={"database_url": f"sqlite:///{tmp_path}/test.db"} | own)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{secrets.token_hex(6)}"
    postgres.create_database(name, template="template_seeded")
    yield template.model_copy(update={"database_url": postgres.url(name)} | own)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def unseeded_template(
    request: pytest.FixtureRequest, template: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    """Settings of a migrated database without a page, that no test touches."""
    if template.sqlite_path is not None:
        url = f"sqlite:///{tmp_path_factory.mktemp('unseeded')}/template.db"
    else:
        postgres: PostgresServer = request.getfixturevalue("postgres")
        postgres.create_database("template_unseeded")
        url = postgres.url("template_unseeded")
    unseeded = template.model_copy(update={"database_url": url})
    migrations.upgrade(unseeded)
    return unseeded


@pytest.fixture
def make_unseeded(
    request: pytest.FixtureRequest, unseeded_template: Settings, tmp_path: Path
) -> Iterator[Callable[[], Settings]]:
    """Makes databases without a page, each a new one."""
    made: list[str] = []

    def make() -> Settings:
        name = f"unseeded_{secrets.token_hex(6)}"
        if unseeded_template.sqlite_path is not None:
            url = f"sqlite:///{shutil.copy(unseeded_template.sqlite_path, tmp_path / f'{name}.db')}"
        else:
            postgres: PostgresServer = request.getfixturevalue("postgres")
            postgres.create_database(name, template="template_unseeded")
            made.append(name)
            url = postgres.url(name)
        return unseeded_template.model_copy(update={"database_url": url})

    yield make
    for name in made:
        request.getfixturevalue("postgres").drop_database(name)


@pytest.fixture
def app(settings: Settings) -> FastAPI:
    """The application, not started."""
    return create_app(settings)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the started application, without a network between them."""
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        # Plain bytes: what is packed on its way is looked at by the tests that ask for it.
        httpx.AsyncClient(
            transport=transport, base_url="http://carepath.test", headers={"Accept-Encoding": "identity"}
        ) as client,
    ):
        yield client


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """The test's database, as a room gets it."""
    database = Database(settings)
    yield database
    await database.close()


@pytest.fixture
async def admin(database: Database) -> dict[str, str]:
    """The headers of a caller with every scope."""
    return await headers_with(database, *Scope)


async def headers_with(database: Database, *scopes: Scope) -> dict[str, str]:
    """The headers of a caller with these scopes."""
    async with database.write() as session:
        token = await callers.create_key(session, name=secrets.token_hex(8), scopes=list(scopes), is_live=False)
    return {"Authorization": f"Bearer {token}"}
