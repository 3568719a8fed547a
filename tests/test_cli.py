"""The commands beside `serve`, as processes that run in another folder than the checkout."""

import base64
import stat
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from app.access.callers import Scope
from app.access.tables import ApiKey
from app.cli import main
from app.core import crypto
from app.core.db import Database
from app.core.ids import digest
from app.core.settings import Settings
from tests.processes import environment_of, run
from tests.rows import counts, everything
from tests.rows import run as run_in

SEED_FILE = """\
slug: synthetic-condition
name: Synthetic Condition
summary: Synthetic summary.
category: {slug: synthetic-category, name: Synthetic Category}
overview: Synthetic overview.
when_to_consult: Synthetic time.
what_to_bring: {text: Synthetic thing., items: []}
risk_factors: []
causes: []
treatment_options: []
consultation: {heading: Synthetic heading, text: Synthetic call.}
"""
KEY = ("keys", "create", "--name", "synthetic", "--scope", "slots:write", "--scope", "bookings:read")
only_on_sqlite = pytest.mark.parametrize("template", ["sqlite"], indirect=True)


async def test_a_key_stands_alone_on_standard_output_and_opens_the_door(
    client: httpx.AsyncClient, settings: Settings, database: Database, tmp_path: Path
) -> None:
    made = run(*KEY, folder=tmp_path, environment=environment_of(settings))
    token = made.stdout.removesuffix("\n")
    assert (made.returncode, token[:8], len(token.split())) == (0, "cp_test_", 1)
    assert "shown once" in made.stderr
    wish = {"slug": "synthetic", "name": "Synthetic"}
    headers = {"Authorization": f"Bearer {token}"}
    assert (await client.post("/clinicians", json=wish, headers=headers)).status_code == 201
    (row,) = await everything(database, ApiKey)
    assert (row["name"], row["scopes"]) == ("synthetic", ["bookings:read", "slots:write"])
    assert row["secret_hash"] == digest(token)
    assert token[8:] not in repr(row)

    again = run(*KEY, folder=tmp_path, environment=environment_of(settings))
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (1, "", 1)
    assert "there is a key of this name already" in again.stderr


@only_on_sqlite
async def test_no_key_is_made_for_an_unknown_scope(settings: Settings, database: Database, tmp_path: Path) -> None:
    wrong = run(*KEY, "--scope", "slots:all", folder=tmp_path, environment=environment_of(settings))
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert [scope for scope in Scope if scope not in wrong.stderr] == []
    assert await counts(database, ApiKey) == [0]


def test_what_needs_a_database_says_so_and_makes_none(tmp_path: Path) -> None:
    for command in (KEY, ("seed",)):
        ended = run(*command, folder=tmp_path, environment={})
        assert (ended.returncode, ended.stdout) == (1, "")
        (line,) = ended.stderr.splitlines()
        assert "carepath migrate" in line
    assert list(tmp_path.iterdir()) == []


def test_migrating_twice_changes_nothing_the_second_time(tmp_path: Path) -> None:
    environment = {"CAREPATH_DATABASE_URL": "sqlite:///new folder/a.db"}
    told = [run("migrate", folder=tmp_path, environment=environment) for _ in range(2)]
    assert [(done.returncode, done.stdout, done.stderr) for done in told] == [
        (0, "The database was migrated.\n", ""),
        (0, "The database is at the newest migration.\n", ""),
    ]
    assert (tmp_path / "new folder" / "a.db").is_file()


@only_on_sqlite
async def test_a_database_of_a_newer_version_is_left_alone(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    await run_in(database, text("UPDATE alembic_version SET version_num = '2999_01_01_synthetic'"))
    for command in (("migrate",), KEY):
        ended = run(*command, folder=tmp_path, environment=environment_of(settings))
        assert (command, ended.returncode, ended.stdout) == (command, 1, "")
        (line,) = ended.stderr.splitlines()
        assert "newer version" in line


@only_on_sqlite
def test_seeding_tells_what_it_published(settings: Settings, tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.yaml").write_text(SEED_FILE)
    told = [run("seed", "pages", folder=tmp_path, environment=environment_of(settings)) for _ in range(2)]
    assert [(done.returncode, done.stdout, done.stderr) for done in told] == [
        (0, "published synthetic-condition\n1 published, 0 unchanged.\n", ""),
        (0, "0 published, 1 unchanged.\n", ""),
    ]


@only_on_sqlite
def test_a_bad_seed_file_ends_with_its_faults(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SEED_FILE.replace("causes: []\n", "cause: []\n"))
    ended = run("seed", "a.yaml", folder=tmp_path, environment=environment_of(settings))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "a.yaml:1: causes: " in ended.stderr
    assert "a.yaml:9: cause: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_committed_description_is_compared_from_any_folder(tmp_path: Path) -> None:
    ended = run("openapi", "--check", folder=tmp_path, environment={})
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_key_ring_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    environment = {"CAREPATH_KEYRING_FILE": "keys/keyring"}
    first, second = (run("keyring", "create", folder=tmp_path, environment=environment) for _ in range(2))
    ring = tmp_path / "keys" / "keyring"
    assert (first.returncode, first.stderr, str(ring) in first.stdout) == (0, "", True)
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    (key,) = crypto.load_keyring(ring).keys.values()
    assert base64.b64encode(key).decode() not in first.stdout
    assert (second.returncode, second.stdout, len(second.stderr.splitlines())) == (1, "", 1)
    assert crypto.load_keyring(ring).keys == {crypto.load_keyring(ring).primary: key}


def commands(group: click.Group, *before: str) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command, by the words that call it."""
    found: list[tuple[tuple[str, ...], click.Command]] = [(before, group)]
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found += commands(command, *before, name)
        else:
            found.append(((*before, name), command))
    return found


def test_every_command_helps_a_stranger() -> None:
    known = commands(main)
    assert {words[0] for words, _ in known[1:]} >= {"serve", "migrate", "seed", "keys", "openapi", "doctor"}
    for words, command in known:
        shown = CliRunner().invoke(main, [*words, "--help"])
        assert (words, shown.exit_code) == (words, 0)
        assert shown.output.startswith(f"Usage: main {' '.join(words)}".rstrip())
        assert command.help
        options: list[Any] = [each for each in command.params if isinstance(each, click.Option)]
        assert [option.name for option in options if not option.help or option.opts[0] not in shown.output] == []
