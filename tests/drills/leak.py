"""What patients tell, looked for everywhere: planted values, everything run, every byte searched.

`uv run --group test python -m tests.drills.leak` serves, lets patients with planted names, addresses and words live
through everything there is, sends the same values where they do not belong, kills the process in the middle, and then
searches logs, database files, the server's own files and log, answers, OpenAPI file and every row.
"""

import asyncio
import base64
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx
from sqlalchemy import text

from app.core.db import Database
from app.core.settings import Settings
from tests.drills.crash_points import COMMAND
from tests.drills.crashing import VARIABLE
from tests.postgres import running_postgres
from tests.processes import environment_of, run, serving
from tests.wishes import bearer, new_key, slot_wish

CONSENT = {"text_version": "v1"}
SCOPES = ("slots:write", "bookings:read", "bookings:write", "bookings:override", "privacy", "audit:read")


@dataclass
class Planted:
    """Values that stand for a patient's words, each found nowhere else in the world."""

    chance: random.Random
    values: list[str] = field(default_factory=list)

    def word(self, kind: str) -> str:
        """Another value."""
        letters = "".join(self.chance.choices("bcdfghjklmnpqrstvwxz", k=12))
        value = {
            "name": f"Qu{letters} V\u00f6ntreaux",
            "email": f"{letters}@planted.example.com",
            "phone": f"+4930{self.chance.randrange(10**8, 10**9)}",
            "words": f"planted words about {letters}",
        }[kind]
        self.values.append(value)
        return value

    def patient(self) -> dict[str, str]:
        """A patient nobody else is."""
        return {kind: self.word(kind) for kind in ("name", "email", "phone")}


@dataclass
class House:
    """A server, and everything that was heard from it."""

    settings: Settings
    folder: Path
    planted: Planted
    admin: dict[str, str] = field(default_factory=dict)
    # Whatever was answered to somebody who may not read the patient, headers included.
    heard: list[str] = field(default_factory=list)
    days: int = 1


def live(house: House, client: httpx.Client) -> None:
    """A patient's life, from hold to erasure."""
    slots = []
    for _ in range(2):
        house.days += 1
        wish = slot_wish(days=house.days, capacity=5)
        slots.append(client.post("/consultation-slots", json=wish, headers=house.admin).raise_for_status().json()["id"])
    planted, place = house.planted, "/consultation-bookings"
    patient = planted.patient()
    told = {"patient": patient, "reason": planted.word("words"), "consent": CONSENT}
    booked = client.post(place, json=told | {"slot_id": slots[0]}, headers=new_key())
    held = client.post(place, json={"slot_id": slots[0]}, headers=new_key())
    hear(house, booked, held)
    mine, address = bearer(held.json()), f"{place}/{held.json()['reference']}"
    other = told | {"patient": planted.patient()}
    hear(house, client.post(f"{address}/confirm", json=told, headers=mine))
    hear(house, client.post(f"{address}/confirm", json=other, headers=mine))
    note = {"slot_id": slots[1], "override_reason": planted.word("words")}
    hear(house, client.post(f"{address}/reschedule", json=note, headers=house.admin))
    hear(house, client.get(f"{address}/calendar.ics", headers=mine))
    # What the holder and staff may read holds the values: not heard, but read, so that it is really there.
    assert patient["name"] in client.get(address, headers=mine).text
    assert patient["name"] in client.get(place, headers=house.admin).text
    hear(house, client.post(f"{address}/cancel", json={"note": planted.word("words")}, headers=mine))
    hear(house, client.get("/audit", headers=house.admin), client.get(f"/consultation-slots/{slots[0]}"))
    export = client.post("/privacy/export", json={"email": patient["email"]}, headers=house.admin)
    assert patient["name"] in export.text
    hear(house, client.post("/privacy/erase", json={"phone": patient["phone"]}, headers=house.admin))


def misplace(house: House, client: httpx.Client) -> None:
    """Send what a patient would tell where it does not belong."""
    planted, place = house.planted, "/consultation-bookings"
    name, email, phone, words = (planted.word(kind) for kind in ("name", "email", "phone", "words"))
    good = {"slot_id": name, "patient": {"name": name, "email": email, "phone": phone}, "consent": CONSENT}
    bodies: list[Any] = [
        good,
        good | {words.replace(" ", "_"): email},
        good | {"patient": name, "reason": [phone]},
        good | {"patient": {"name": name, "email": phone, "phone": email, words: name}},
        good | {"reason": words + "\x00"},
        [name, email],
        words,
    ]
    for body in bodies:
        hear(house, client.post(place, json=body, headers=new_key()))
    broken = json.dumps(good)[:-1]
    for content in (broken, f'{broken}, "patient": "{words}"}}', f"{name}={email}"):
        hear(house, client.post(place, content=content.encode(), headers=new_key()))
    for path in (place, "/conditions", "/consultation-slots", "/nowhere", "/locations"):
        hear(house, client.get(f"{path}/{quote(name)}", headers={"Authorization": f"Bearer {email}"}))
        hear(house, client.get(path, params={"q": words, "cursor": phone, "limit": name}))
    odd = {"Idempotency-Key": quote(name), "X-Request-Id": phone, "User-Agent": email}
    hear(house, client.post(place, json=good, headers=odd))
    for privacy in ("export", "erase"):
        hear(house, client.post(f"/privacy/{privacy}", json={"email": name, "phone": words}, headers=house.admin))


def crash(house: House, client: httpx.Client, told: Path) -> None:
    """Be killed while a patient's words are on their way into the database."""
    house.days += 1
    slot = client.post("/consultation-slots", json=slot_wish(days=house.days), headers=house.admin).json()["id"]
    wish = {"slot_id": slot, "patient": house.planted.patient(), "reason": house.planted.word("words")}
    told.write_text("after the last rows are written")
    with suppress(httpx.TransportError):
        hear(house, client.post("/consultation-bookings", json=wish | {"consent": CONSENT}, headers=new_key()))
    told.unlink()


def hear(house: House, *answers: httpx.Response) -> None:
    """Keep what was answered."""
    house.heard += [f"{answer.headers}{answer.text}" for answer in answers]


def served_life(house: House, lives: int) -> None:
    """Serve, and let it all happen; each tenth life ends with a kill."""
    told = house.folder / "crash-at"
    with ExitStack() as stack:
        stack.enter_context(serving(house.settings, house.folder))
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    made = run(
        "keys", "create", "--name", "leak", *scopes, folder=house.folder, environment=environment_of(house.settings)
    )
    house.admin = {"Authorization": f"Bearer {made.stdout.strip()}"}
    for first in range(0, lives, 10):
        with (
            serving(house.settings, house.folder, environment={VARIABLE: str(told)}, command=COMMAND) as served,
            httpx.Client(base_url=served.address, trust_env=False, timeout=30) as client,
        ):
            for _ in range(first, min(lives, first + 10)):
                live(house, client)
                misplace(house, client)
            hear(house, client.get("/openapi.json"))
            crash(house, client, told)


def forms(value: str) -> Iterator[bytes]:
    """How a value may be written."""
    raw = value.encode()
    yield raw
    yield raw.hex().encode()
    yield base64.b64encode(raw).rstrip(b"=")[:-1]
    yield json.dumps(value)[1:-1].encode()
    yield quote(value).encode()
    yield value.encode("utf-16-le")


def found_in(content: bytes, values: Iterable[str]) -> list[str]:
    """The values that can be read there."""
    return [value for value in values if any(form in content for form in forms(value))]


async def rows(settings: Settings) -> bytes:
    """Every row of every table, as text."""
    database = Database(settings)
    try:
        async with database.reading.connect() as connection:
            if settings.sqlite_path is not None:
                names = (await connection.scalars(text("SELECT name FROM sqlite_schema WHERE type = 'table'"))).all()
                told = [(await connection.execute(text(f'SELECT * FROM "{name}"'))).all() for name in names]
            else:
                query = text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
                names = (await connection.scalars(query)).all()
                told = [(await connection.execute(text(f'SELECT t::text FROM "{name}" AS t'))).all() for name in names]
            return "\n".join(str(row) for table in told for row in table).encode()
    finally:
        await database.close()


def leaks(house: House, *folders: Path) -> list[str]:
    """Where a planted value can be read."""
    places = {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}
    places |= {f"answer {number}": told.encode() for number, told in enumerate(house.heard)}
    places["rows"] = asyncio.run(rows(house.settings))
    return [
        f"{place}: {value}" for place, content in places.items() for value in found_in(content, house.planted.values)
    ]


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
@click.option("--lives", type=click.IntRange(min=1), default=20, show_default=True, help="Each plants 16 values.")
@click.option("--seed", type=int, default=20261123, show_default=True)
def main(*, database: str, lives: int, seed: int) -> None:
    """Plant what patients tell, and look for it everywhere."""
    is_sound = True
    for kind in ["sqlite", "postgresql"] if database == "both" else [database]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-leak-")))
            folders, url = [folder], f"sqlite:///{folder}/leak.db"
            if kind == "postgresql":
                server = stack.enter_context(running_postgres())
                server.create_database("leak")
                folders, url = [folder, server.folder], server.url("leak")
            settings = Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False)
            house = House(settings, folder, Planted(random.Random(seed)))
            served_life(house, lives)
            found = leaks(house, *folders)
            size = sum(file.stat().st_size for place in folders for file in place.rglob("*") if file.is_file())
        click.echo(
            f"- {kind}: {len(house.planted.values)} planted values, {len(house.heard)} answers, "
            f"{size / 2**20:.0f} MiB of files searched, {len(found)} leaks"
        )
        click.echo("\n".join(f"  - {leak}" for leak in found[:20]), nl=bool(found))
        is_sound = is_sound and not found
    if not is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
