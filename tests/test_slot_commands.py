"""`carepath slots ...`: files of slots, in and out."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from sqlalchemy import insert, text

from app import databases
from app.consultations.schedule_tables import Room
from app.consultations.tables import Clinician, ConsultationSlot, Location
from app.core import clock
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests import processes
from tests.batches import wishes, written
from tests.page_files import on
from tests.rows import everything, new_slot, run


def carepath(settings: Settings, folder: Path, *arguments: str) -> CompletedProcess[str]:
    """Run this command of `carepath slots`."""
    return processes.run("slots", *arguments, folder=folder, environment=processes.environment_of(settings))


def slots_of(settings: Settings) -> list[dict[str, Any]]:
    """All slots, by time."""
    rows = on(settings, lambda database: everything(database, ConsultationSlot))
    return sorted(rows, key=lambda row: (row["starts_at"], row["id"]))


def furnish(settings: Settings, count: int) -> None:
    """A clinician, a room, and slots of every kind; some of them are not for an export."""

    async def furnished(database: Database) -> None:
        clinician, location, room = new_id(), new_id(), new_id()
        start = clock.now() + timedelta(days=30)
        await run(
            database,
            insert(Clinician).values(id=clinician, slug="dr-a", name="A"),
            insert(Location).values(id=location, slug="house", name="House", time_zone="Europe/Berlin", version=1),
            insert(Room).values(id=room, location_id=location, slug="one", name="One"),
            *(
                new_slot(
                    starts_at=start + timedelta(minutes=30 * number),
                    ends_at=start + timedelta(minutes=30 * number + 30),
                    time_zone="Europe/Berlin",
                    clinician_id=clinician if number % 2 else None,
                    location_id=location,
                    room_id=room,
                    external_id=f'name "{number}", \u00e4' if number % 3 else None,
                    overlap_reason="Two, at once" if number % 5 == 0 else None,
                )
                for number in range(count)
            ),
            new_slot(starts_at=start, ends_at=start + timedelta(minutes=1), status="cancelled"),
            new_slot(starts_at=clock.now() - timedelta(days=1)),
        )

    on(settings, furnished)


def test_an_import_tells_what_it_did_and_a_repeat_does_nothing(settings: Settings, tmp_path: Path) -> None:
    sent = [wish | {"external_id": f"x{row}"} for row, wish in enumerate(wishes(3))]
    (tmp_path / "slots.csv").write_bytes(written("csv", sent))
    told = []
    for arguments in (("--dry-run",), (), ()):
        done = carepath(settings, tmp_path, "import", "slots.csv", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        told.append(done.stdout)
    assert told == [
        "3 created, 0 updated, 0 unchanged, 0 refused.\nNothing was written.\n",
        "3 created, 0 updated, 0 unchanged, 0 refused.\n",
        "0 created, 0 updated, 3 unchanged, 0 refused.\n",
    ]
    assert len(slots_of(settings)) == 3


@pytest.mark.parametrize("mode", ["atomic", "partial"])
def test_refused_rows_are_named_with_an_error_status(settings: Settings, tmp_path: Path, mode: str) -> None:
    sent = wishes(3)
    sent[1] |= {"capacity": 99, "ends_at": sent[1]["starts_at"]}
    (tmp_path / "slots.jsonl").write_bytes(written("ndjson", sent))
    done = carepath(settings, tmp_path, "import", "slots.jsonl", "--mode", mode)
    assert done.returncode == 1
    first, second, summary, *rest = done.stdout.splitlines()
    assert first == "row 2: Invalid input: ends_at must be later than starts_at"
    assert second.startswith("row 2: Invalid input: capacity ")
    assert (summary, rest) == (
        "2 created, 0 updated, 0 unchanged, 1 refused.",
        ["Nothing was written."] if mode == "atomic" else [],
    )
    assert len(slots_of(settings)) == (0 if mode == "atomic" else 2)


def test_a_file_that_cannot_be_read_ends_in_one_line(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "slots.csv").write_text("surprise\n1\n")
    (tmp_path / "slots.txt").write_text("[]")
    for arguments, told in (
        (("slots.csv",), "carepath: slots.csv has a column, number 1, that no slot has"),
        (("slots.txt",), "carepath: slots.txt does not end in .json, .ndjson, .jsonl, .csv: say --format"),
        (("slots.txt", "--format", "json"), "carepath: slots.txt has no slot"),
    ):
        done = carepath(settings, tmp_path, "import", *arguments)
        assert (done.returncode, done.stdout, done.stderr.strip()) == (1, "", told)


@pytest.mark.parametrize("name", ["slots.csv", "slots.ndjson"])
def test_what_was_exported_is_imported_unchanged_here_and_elsewhere(
    settings: Settings, tmp_path: Path, name: str, make_unseeded: Any
) -> None:
    furnish(settings, 1_100)
    before = slots_of(settings)
    done = carepath(settings, tmp_path, "export", name)
    assert (done.returncode, done.stderr) == (0, "1100 slots.\n")
    again = carepath(settings, tmp_path, "import", name)
    assert again.stdout == "0 created, 0 updated, 1100 unchanged, 0 refused.\n"
    assert slots_of(settings) == before
    # Elsewhere the same slots are made; those without a name get one that they are known by from then on.
    other = make_unseeded()
    asyncio.run(databases.write(other, _places))
    made = carepath(other, tmp_path, "import", name)
    assert made.stdout == "1100 created, 0 updated, 0 unchanged, 0 refused.\n"
    carepath(other, tmp_path, "export", f"other-{name}")
    assert (tmp_path / f"other-{name}").read_bytes() == (tmp_path / name).read_bytes()


async def _places(session: Any) -> None:
    location = new_id()
    for statement in (
        insert(Clinician).values(id=new_id(), slug="dr-a", name="A"),
        insert(Location).values(id=location, slug="house", name="House", time_zone="Europe/Berlin", version=1),
        insert(Room).values(id=new_id(), location_id=location, slug="one", name="One"),
    ):
        await session.exec(statement)


def test_an_export_is_of_the_time_that_was_asked_for(settings: Settings, tmp_path: Path) -> None:
    furnish(settings, 50)
    open_slots = [slot for slot in slots_of(settings) if slot["starts_at"] > clock.now() and slot["status"] == "open"]
    begin, end = open_slots[10]["starts_at"], open_slots[20]["starts_at"]
    done = carepath(
        settings, tmp_path, "export", "--format", "ndjson", "--from", begin.isoformat(), "--to", end.isoformat()
    )
    told = [json.loads(line)["starts_at"] for line in done.stdout.splitlines()]
    assert told == [slot["starts_at"].isoformat().replace("+00:00", "Z") for slot in open_slots[10:20]]
    everything_since = carepath(settings, tmp_path, "export", "--from", "2020-01-01")
    assert everything_since.stderr == "51 slots.\n"
    for wrong in ("tomorrow", "2027-01-01T09:00:00"):
        assert carepath(settings, tmp_path, "export", "--from", wrong).returncode == 1


def test_an_export_that_fails_leaves_what_was_there(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "slots.csv").write_text("what was exported before")
    on(settings, lambda database: run(database, text("DROP TABLE rooms" + cascade(settings))))
    done = carepath(settings, tmp_path, "export", "slots.csv")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert (tmp_path / "slots.csv").read_text() == "what was exported before"


def cascade(settings: Settings) -> str:
    """What PostgreSQL needs to drop what others refer to."""
    return "" if settings.sqlite_path else " CASCADE"
