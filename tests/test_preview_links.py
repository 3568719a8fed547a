"""Links to previews: what holds, until when, and that nothing else does."""

import asyncio
import secrets
from datetime import datetime, timedelta

import httpx
import pytest

from app.content.editorial_tables import ConditionDraft
from app.content.preview_links import PreviewLink, link_in, token_of
from app.core import clock, keyring_file
from app.core.crypto import Keyring, load_keyring
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.rows import everything, run
from tests.schedules import new_draft, opened


async def test_forged_unknown_and_expired_links_are_answered_alike(
    client: httpx.AsyncClient, admin: dict[str, str], database: Database, settings: Settings
) -> None:
    await run(database, new_draft())
    (draft,) = await everything(database, ConditionDraft)
    link = await opened(client, admin, seconds=2)
    good = link["url"].removeprefix("/previews/")
    assert (await client.get(link["url"])).status_code == 200
    ring, ends_at = load_keyring(settings.keyring_path), clock.now() + timedelta(hours=1)
    stranger = Keyring("one", {"one": secrets.token_bytes(32)})
    bad = {
        "an unknown draft": token_of(PreviewLink(new_id(), ends_at), ring),
        "another ring's": token_of(PreviewLink(draft["id"], ends_at), stranger),
        "a seal key's": token_of(
            PreviewLink(draft["id"], ends_at), Keyring("one", {"one": ring.seal_key(ring.primary)})
        ),
        "empty": "-",
        "too short": good[:-4],
        "too long": good + "AAAA",
        "another alphabet's": good[:-1] + "=",
        "no ASCII": good[:-1] + "%C3%A9",
        "NUL": good[:-1] + "%00",
    }
    # A change of any part: the draft, the end, the digest.
    for place in (0, 21, 22, 26, 29, 30, 50, 71):
        other = "B" if good[place] == "A" else "A"
        bad[f"changed at {place}"] = good[:place] + other + good[place + 1 :]
    await asyncio.sleep(max(0.0, (datetime.fromisoformat(link["expires_at"]) - clock.now()).total_seconds()) + 0.05)
    bad["expired"] = good
    answers = {}
    for what, token in bad.items():
        answer = await client.get(f"/previews/{token}")
        headers = {name: value for name, value in answer.headers.items() if name != "x-request-id"}
        answers[what] = (answer.status_code, {k: v for k, v in answer.json().items() if k != "request_id"}, headers)
    assert [what for what, answer in answers.items() if answer != answers["expired"]] == []
    status, problem, headers = answers["expired"]
    assert (status, problem["code"], headers["cache-control"]) == (404, "preview-not-found", "no-store")


async def test_a_token_says_what_it_was_made_for(settings: Settings) -> None:
    ring = load_keyring(settings.keyring_path)
    link = PreviewLink(new_id(), clock.now().replace(microsecond=0))
    assert link_in(token_of(link, ring), ring) == link
    assert link_in(token_of(link, ring), Keyring("one", {"one": secrets.token_bytes(32)})) is None


async def test_links_outlive_a_rotation_of_the_keys_and_end_with_their_own(
    client: httpx.AsyncClient,
    admin: dict[str, str],
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await run(database, new_draft())
    first = load_keyring(settings.keyring_path).primary
    old = (await opened(client, admin))["url"]
    keyring_file.add_primary(settings.keyring_path)
    new = (await opened(client, admin))["url"]
    assert [(await client.get(url)).status_code for url in (old, new)] == [200, 200]
    monkeypatch.setattr(keyring_file, "SETTLES_AFTER", timedelta(0))
    keyring_file.drop(settings.keyring_path, first)
    assert [(await client.get(url)).status_code for url in (old, new)] == [404, 200]
