"""Killed at each point of a request: after the restart nothing is half there, and the client's retry is answered right.

`uv run --group test python -m tests.drills.crash_points` serves, asks for something, lets the process be killed at one
point on the way, serves again and asks once more, for every point and everything that is asked for.
"""

import asyncio
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import httpx

from app.core.db import Database
from app.core.settings import Settings
from app.doctor import broken_ids
from tests.drills.crashing import AFTER_COMMIT, EVERY_POINT, IN_COMMIT, VARIABLE
from tests.postgres import running_postgres
from tests.processes import Served, environment_of, run, serving
from tests.wishes import PATIENT, bearer, booking_wish, new_key, slot_wish

COMMAND = (sys.executable, Path(__file__).with_name("crashing.py"))
CONFIRMATION = {"patient": PATIENT, "consent": {"text_version": "v1"}}


@dataclass
class World:
    """A database that is served, killed and served again."""

    settings: Settings
    folder: Path
    admin: dict[str, str]
    days: int = 1

    @property
    def told(self) -> Path:
        """The file that names the point to die at."""
        return self.folder / "crash-at"

    @contextmanager
    def served(self) -> Iterator[Served]:
        """Serve until killed."""
        with serving(self.settings, self.folder, environment={VARIABLE: str(self.told)}, command=COMMAND) as served:
            yield served


@dataclass(frozen=True)
class Request:
    """One request that changes something, how its answer is recognised, and which live bookings it leaves."""

    address: str
    body: dict[str, Any] | None
    headers: dict[str, str]
    status: int
    live: int
    is_keyed: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of one request that was killed on its way."""

    asked: str
    point: str
    was_killed: bool
    faults: list[str]


def client_of(served: Served) -> httpx.Client:
    """A client of this process."""
    return httpx.Client(base_url=served.address, trust_env=False, timeout=30)


def is_dead(served: Served) -> bool:
    """Whether the process was killed. An answer may be out before the kill in the middle of its COMMIT arrives."""
    try:
        return served.process.wait(1) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False


def prepare(kind: str, world: World, client: httpx.Client) -> tuple[Request, list[str]]:
    """Make what this kind of request needs; returns it, and the slots whose live bookings are counted."""
    slots = []
    for _ in range(2):
        world.days += 1
        made = client.post("/consultation-slots", json=slot_wish(days=world.days), headers=world.admin)
        slots.append(made.raise_for_status().json())
    slot, other = slots
    ids = [slot["id"], other["id"]]
    key, address = new_key(), "/consultation-bookings"
    wish = booking_wish(slot["id"])
    if kind == "book":
        return Request(address, wish, key, 201, 1, is_keyed=True), ids
    held = {"slot_id": slot["id"]}
    if kind == "hold":
        return Request(address, held, key, 201, 1, is_keyed=True), ids
    first = client.post(address, json=held if kind == "confirm" else wish, headers=key).raise_for_status().json()
    mine, one = bearer(first), f"{address}/{first['reference']}"
    if kind == "confirm":
        return Request(f"{one}/confirm", CONFIRMATION, mine, 200, 1), ids
    if kind == "cancel":
        return Request(f"{one}/cancel", {"note": "Synthetic note."}, mine, 200, 0), ids
    if kind == "reschedule":
        return Request(f"{one}/reschedule", {"slot_id": other["id"]}, mine, 200, 1), ids
    return Request(f"/consultation-slots/{slot['id']}/cancel", None, world.admin | {"If-Match": "*"}, 200, 0), ids


KINDS = ("book", "hold", "confirm", "cancel", "reschedule", "cancel the slot")


def crash(kind: str, point: str, world: World) -> Outcome:
    """Ask for this, be killed at this point, and ask again."""
    faults: list[str] = []
    with ExitStack() as stack:
        served = stack.enter_context(world.served())
        with client_of(served) as client:
            request, slots = prepare(kind, world, client)
            world.told.write_text(point)
            with suppress(httpx.TransportError):
                client.post(request.address, json=request.body, headers=request.headers)
            was_killed = is_dead(served)
            world.told.unlink()
    faults += broken(world)
    with world.served() as served, client_of(served) as client:
        again = client.post(request.address, json=request.body, headers=request.headers)
        if again.status_code != request.status:
            faults.append(f"the retry was answered {again.status_code}")
        is_replay = again.headers.get("idempotent-replayed") == "true"
        if request.is_keyed and point not in (IN_COMMIT, AFTER_COMMIT) and was_killed and is_replay:
            faults.append("what was not committed was answered as if it had been")
        if request.is_keyed and point == AFTER_COMMIT and not is_replay:
            faults.append("what was committed was made again")
        live = [
            booking
            for slot in slots
            for booking in client.get(f"/consultation-bookings?slot_id={slot}", headers=world.admin).json()["items"]
            if booking["state"] in ("held", "booked")
        ]
        if len(live) != request.live:
            faults.append(f"{len(live)} live bookings instead of {request.live}")
    faults += broken(world)
    return Outcome(kind, point, was_killed, faults)


def broken(world: World) -> list[str]:
    """The invariants that do not hold."""

    async def ask() -> list[str]:
        database = Database(world.settings)
        try:
            return [f"broken: {name}" for name, ids in (await broken_ids(database)).items() if ids]
        finally:
            await database.close()

    return asyncio.run(ask())


def make_world(settings: Settings, folder: Path) -> World:
    """A served and migrated database, with a key for its admin."""
    world = World(settings, folder, {})
    with world.served():
        pass
    scopes = [part for scope in ("slots:write", "bookings:read") for part in ("--scope", scope)]
    made = run("keys", "create", "--name", "drill", *scopes, folder=folder, environment=environment_of(settings))
    world.admin = {"Authorization": f"Bearer {made.stdout.strip()}"}
    return world


@click.command()
@click.option("--database", type=click.Choice(["sqlite", "postgresql", "both"]), default="both", show_default=True)
def main(database: str) -> None:
    """Kill a serving process at each point of each kind of request."""
    is_sound = True
    for kind in ["sqlite", "postgresql"] if database == "both" else [database]:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="carepath-crash-")))
            url = f"sqlite:///{folder}/crash.db"
            if kind == "postgresql":
                server = stack.enter_context(running_postgres())
                server.create_database("crash")
                url = server.url("crash")
            world = make_world(Settings(database_url=url, keyring_file=folder / "keyring", rate_limits=False), folder)
            outcomes = [crash(asked, point, world) for asked in KINDS for point in EVERY_POINT]
        killed = [outcome for outcome in outcomes if outcome.was_killed]
        faults = [f"  - {o.asked}, {o.point}: {fault}" for o in outcomes for fault in o.faults]
        click.echo(f"- {kind}: killed {len(killed)} times at {len(EVERY_POINT)} points, {len(faults)} faults")
        click.echo("\n".join(faults), nl=bool(faults))
        is_sound = is_sound and not faults and {outcome.point for outcome in killed} == set(EVERY_POINT)
    if not is_sound:
        sys.exit(1)


if __name__ == "__main__":
    main()
