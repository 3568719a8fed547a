"""What `carepath serve` refuses to start on: told in one line, without a trace and without the value."""

import socket
from pathlib import Path

import httpx
import pytest

from app.core import crypto, migrations
from app.core.settings import Settings
from tests.processes import environment_of, run
from tests.wishes import book, post_slot

only_on_sqlite = pytest.mark.parametrize("template", ["sqlite"], indirect=True)
NOTHING = Settings.model_construct(set())


def refused(settings: Settings, folder: Path, **changes: str) -> str:
    """What `serve` says when it refuses to start: one line, and no trace."""
    ended = run("serve", "--port", "0", folder=folder, environment=environment_of(settings) | changes)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith("carepath: ")
    return line


def test_production_refuses_pending_migrations(settings: Settings, tmp_path: Path) -> None:
    migrations.downgrade(settings, "base")
    assert "carepath migrate" in refused(settings, tmp_path, CAREPATH_ENVIRONMENT="production")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({}, "CAREPATH_DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///a.db"}, "CAREPATH_KEYRING_FILE"),
        ({"DATABASE_URL": "sqlite:///a.db", "KEYRING_FILE": "keyring"}, "there is no "),
        ({"DATABASE_URL": "sqlite:///a.db", "KEYRING_FILE": "keyring", "DOCUMENTS": "1"}, "CAREPATH_DOCUMENTS"),
    ],
)
def test_production_refuses_what_is_unsafe(tmp_path: Path, changes: dict[str, str], named: str) -> None:
    variables = {f"CAREPATH_{name}": value for name, value in changes.items()}
    line = refused(NOTHING, tmp_path, CAREPATH_ENVIRONMENT="production", **variables)
    assert named in line
    assert list(tmp_path.iterdir()) == []


def test_each_wrong_setting_is_named_without_its_value(tmp_path: Path) -> None:
    wrong = {
        "CAREPATH_DATABASE_URL": "mysql://user:hunter2@h/x",
        "CAREPATH_PORT": "hunter2",
        "CAREPATH_ENVIRONMENT": "hunter2",
        "CAREPATH_RATE_LIMITS": "hunter2",
    }
    line = refused(NOTHING, tmp_path, **wrong)
    assert [name for name in wrong if f"{name}: " not in line] == []
    assert "hunter2" not in line


def test_a_database_that_does_not_answer_is_told_without_its_address(tmp_path: Path) -> None:
    url = "postgresql://user:hunter2@127.0.0.1:1/x"
    line = refused(NOTHING, tmp_path, CAREPATH_DATABASE_URL=url)
    assert "no connection to the database" in line
    assert "hunter2" not in line


@only_on_sqlite
def test_production_refuses_a_key_ring_that_is_none(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "keyring").write_text('{"primary": "hunter2", "keys": {"hunter2": "hunter2"}}')
    for name, told in (("nowhere", "there is no key ring"), ("keyring", "is not a key ring")):
        line = refused(settings, tmp_path, CAREPATH_ENVIRONMENT="production", CAREPATH_KEYRING_FILE=name)
        assert told in line
        assert "hunter2" not in line
    assert not (tmp_path / "nowhere").exists()


@only_on_sqlite
async def test_another_key_ring_than_the_database_was_sealed_with_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    await book(client, (await post_slot(client, admin))["id"])
    crypto.make_keyring(tmp_path / "keyring")
    assert "lacks keys" in refused(settings, tmp_path, CAREPATH_KEYRING_FILE="keyring")


@only_on_sqlite
def test_a_port_in_use_is_told_in_one_line(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = run("serve", "--port", port, folder=tmp_path, environment=environment_of(settings))
    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert f"cannot listen on 127.0.0.1, port {port}" in ended.stderr
