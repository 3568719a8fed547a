"""Gives Carepath and the tutorial application the same page and the same slots."""

import http.client
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlmodel import Session, SQLModel

from tests.bench.servers import Contender, fetch
from tests.bench.tutorial_models import (
    Cause,
    Condition,
    ConsultationSlot,
    RiskFactor,
    TreatmentOption,
    make_engine,
)

PAGE_PATH = "/conditions/acute-lymphoblastic-leukemia"
SLOTS_PATH = "/consultation-slots?limit=20"
BOOKINGS_PATH = "/consultation-bookings"

SLOT_COUNT = 1000
SEATS_EACH = 50


class PreparationFailed(click.ClickException):
    """Carepath refused what the benchmark needs; the message carries its answer."""


def wanted_slots() -> list[dict[str, Any]]:
    """Describe the slots of both applications: half an hour each, one after the other, from tomorrow on."""
    tomorrow = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    starts = [tomorrow + timedelta(minutes=30 * number) for number in range(SLOT_COUNT)]
    return [
        {
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(minutes=30)).isoformat(),
            "time_zone": "Asia/Kolkata",
            "mode": "video",
            "capacity": SEATS_EACH,
        }
        for start in starts
    ]


def post_slots(carepath: Contender, slots: list[dict[str, Any]]) -> list[str]:
    """Post the slots through Carepath's own door and answer their ids."""
    made = subprocess.run(
        (carepath_command(), "keys", "create", "--name", "bench", "--scope", "slots:write"),
        cwd=carepath.folder,
        env=carepath.environment,
        capture_output=True,
        check=False,
        text=True,
    )
    if made.returncode:
        message = f"no API key was made: {made.stderr}"
        raise PreparationFailed(message)
    key = made.stdout.strip()
    headers = {"Authorization": f"Bearer {key}"}
    return [json.loads(post(carepath.port, "/consultation-slots", slot, headers))["id"] for slot in slots]


def carepath_command() -> str:
    """Find the command in the environment that this benchmark itself runs in."""
    return str(Path(sys.executable).with_name("carepath"))


def post(port: int, path: str, wish: dict[str, Any], headers: dict[str, str]) -> bytes:
    """Post one thing and answer what the server says of it."""
    status, body = fetch(port, "POST", path, json.dumps(wish).encode(), headers | {"Content-Type": "application/json"})
    return checked(f"POST {path}", status, body, http.client.CREATED)


def get(port: int, path: str) -> bytes:
    """Get one answer's body."""
    status, body = fetch(port, "GET", path)
    return checked(f"GET {path}", status, body, http.client.OK)


def checked(asked: str, status: int, body: bytes, expected: int) -> bytes:
    """Answer the body, or fail with it when the status is not the expected one."""
    if status != expected:
        message = f"{asked} was answered {status}: {body.decode(errors='replace')}"
        raise PreparationFailed(message)
    return body


def save_answers(carepath: Contender, slot_id: str, folder: Path) -> dict[str, Any]:
    """Keep Carepath's three answers for the constant-bytes server, and answer the page."""
    page = get(carepath.port, PAGE_PATH)
    wish = booking_wish(slot_id, "first@example.org")
    answers = {
        "page": page,
        "slots": get(carepath.port, SLOTS_PATH),
        "booking": post(carepath.port, BOOKINGS_PATH, wish, {"Idempotency-Key": "bench-the-first-booking"}),
    }
    for name, body in answers.items():
        (folder / name).write_bytes(body)
    parsed: dict[str, Any] = json.loads(page)
    return parsed


def booking_wish(slot_id: str | int, email: str) -> dict[str, Any]:
    """Say what a client sends to book a seat."""
    return {
        "slot_id": slot_id,
        "patient": {"name": "Asha Rao", "email": email},
        "consent": {"text_version": "2026-01"},
    }


def fill_tutorial(database_url: str, page: dict[str, Any], slots: list[dict[str, Any]]) -> list[int]:
    """Write Carepath's page and the slots into the tutorial application's tables and answer the slots' ids."""
    engine = make_engine(database_url)
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(page_rows(page))
        rows = [ConsultationSlot.model_validate(slot) for slot in slots]
        session.add_all(rows)
        session.commit()
        ids = [row.id for row in rows if row.id is not None]
    engine.dispose()
    return ids


def page_rows(page: dict[str, Any]) -> Condition:
    """Turn Carepath's page into the tutorial application's rows."""
    return Condition(
        slug=page["slug"],
        name=page["name"],
        category=page["category"]["name"],
        summary=page["summary"],
        overview=page["overview"],
        when_to_consult=page["when_to_consult"],
        what_to_bring=page["what_to_bring"]["text"],
        consultation_heading=page["consultation"]["heading"],
        consultation_text=page["consultation"]["text"],
        risk_factors=[RiskFactor(text=text) for text in page["risk_factors"]],
        causes=[Cause(text=text) for text in page["causes"]],
        treatment_options=[
            TreatmentOption(name=option["name"], slug=option["slug"], description=option["description"])
            for option in page["treatment_options"]
        ],
    )
