"""`carepath serve` as a process: what it makes, what it prints, and how it ends."""

import asyncio
import secrets
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import psycopg
import pytest

from app import planting
from app.core import migrations, schema
from app.core.db import Database
from app.core.settings import Environment, Settings
from tests.conftest import BACKENDS
from tests.pages import publish
from tests.postgres import PostgresServer
from tests.processes import Served, serving

PAGE = "/conditions/acute-lymphoblastic-leukemia"


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Settings that name no more than they must: on SQLite the default, on PostgreSQL an empty database."""
    if request.param == "sqlite":
        yield Settings.model_construct(set())
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    name = f"empty_{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield Settings.model_construct({"database_url"}, database_url=postgres.url(name))
    postgres.drop_database(name)


def get(served: Served, address: str) -> httpx.Response:
    """Read an address of a server."""
    with httpx.Client(base_url=served.address, trust_env=False) as client:
        return client.get(address)


def content(settings: Settings, folder: Path) -> list[Any]:
    """What the database holds, of what a start could change."""
    # Whoever serves for long enough seals the trail; that changes none of its words.
    trail = "(SELECT id, at, actor, action, subject, outcome FROM audit_entries) AS trail"
    tables = ("condition_revisions", "condition_pages", "content_version", trail, "alembic_version")
    if settings.sqlite_path is None:
        with psycopg.connect(settings.database_url) as postgres:
            return [postgres.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]
    with closing(sqlite3.connect(folder / "carepath.db")) as sqlite:
        return [sqlite.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


def test_an_empty_database_is_made_ready_once(empty: Settings, tmp_path: Path) -> None:
    with serving(empty, tmp_path, is_open=False) as served:
        assert get(served, PAGE).json()["name"] == "Acute Lymphoblastic Leukemia"
        assert f"{served.address}{PAGE}\n" in served.told
        assert get(served, "/docs").status_code == 200
        assert f"{served.address}/docs\n" in served.told
        assert "keys create --name admin --scope slots:write" in served.told
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(10) == 0
    assert not any(event["level"] == "error" for event in served.events())
    keyring = tmp_path / ("carepath.db.keyring" if empty.sqlite_path else ".carepath/keyring")
    assert stat.S_IMODE(keyring.stat().st_mode) == 0o600
    before = content(empty, tmp_path), keyring.read_bytes()
    assert len(before[0][0]) == 1

    for _ in range(2):  # a second try, because another job of the machine may have had its share
        # Made before: what it reads of the machine's certificates is no part of a start.
        with httpx.Client(trust_env=False) as client:
            begun = monotonic()
            with serving(empty, tmp_path, is_open=False) as served:
                assert client.get(f"{served.address}{PAGE}").status_code == 200
                seconds = monotonic() - begun
        # `serving` has ended it by SIGTERM.
        assert served.process.returncode == 0
        assert (content(empty, tmp_path), keyring.read_bytes()) == before
        if seconds < 2:
            break
    assert seconds < 2


def test_two_servers_may_start_at_once_on_an_empty_database(empty: Settings, tmp_path: Path) -> None:
    with ExitStack() as running, ThreadPoolExecutor() as pool:
        servers = list(pool.map(running.enter_context, [serving(empty, tmp_path) for _ in range(2)]))
        assert [get(served, PAGE).json()["revision"] for served in servers] == [1, 1]
    assert len(content(empty, tmp_path)[0]) == 1


def test_a_start_never_undoes_what_an_editor_has_published(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path}/a.db")
    migrations.upgrade(settings)

    async def edit() -> None:
        database = Database(settings)
        await publish(database, "acute-lymphoblastic-leukemia", overview="Synthetic words of an editor.")
        await database.close()

    asyncio.run(edit())
    with serving(settings, tmp_path) as served:
        assert get(served, PAGE).json()["overview"] == "Synthetic words of an editor."
        assert "an editor has published acute-lymphoblastic-leukemia" in served.log.read_text()


def test_a_start_publishes_what_is_new_in_the_seed(make_unseeded: Callable[[], Settings], tmp_path: Path) -> None:
    settings, former = make_unseeded(), tmp_path / "former.yaml"
    (own,) = (schema.folder("seed") / "conditions").glob("*.yaml")
    former.write_text(own.read_text().replace("name: Acute Lymphoblastic Leukemia", "name: Synthetic Former Name", 1))
    planting.seed(settings, former)
    with serving(settings, tmp_path) as served:
        assert get(served, PAGE).json()["name"] == "Acute Lymphoblastic Leukemia"


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)
def test_production_serves_what_was_made_ready_before(settings: Settings, tmp_path: Path) -> None:
    production = settings.model_copy(update={"environment": Environment.PRODUCTION})
    with serving(production, tmp_path) as served:
        assert get(served, "/health/ready").json() == {"status": "ok"}
        assert get(served, PAGE).status_code == 200
        assert get(served, "/docs").status_code == 404
    assert list(tmp_path.glob(".carepath")) == []


def test_a_setting_that_is_none_is_mentioned_in_development(tmp_path: Path) -> None:
    with serving(Settings.model_construct(set()), tmp_path, environment={"CAREPATH_PROT": "hunter2"}) as served:
        first = served.log.read_text().splitlines()[0]
    assert "CAREPATH_PROT is not a setting" in first
    assert "hunter2" not in first
