"""A copy of every page, made and kept in step from the feed of changes alone, as a partner's program does it."""

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

import httpx

# Within this time every server answers with what was published: see the description of GET /changes.
SECONDS = 1.05

Place = tuple[str, str]


class Mirror:
    """The pages by the condition's id and the language."""

    def __init__(self, clients: Sequence[httpx.AsyncClient]) -> None:
        self.pages: dict[Place, bytes] = {}
        # How often each kind of change was seen.
        self.seen: Counter[str] = Counter()
        self._clients = itertools.cycle(clients)
        self._next = "/changes?limit=7"
        self._slugs: dict[str, str] = {}
        # The revision that was told last of each page that there is.
        self._revisions: dict[Place, int] = {}

    def hashes(self) -> dict[Place, str]:
        """What the pages say, in short."""
        return {place: hashlib.sha256(page).hexdigest() for place, page in self.pages.items()}

    async def catch_up(self) -> int:
        """Read the feed to its present end and what it names; returns how many changes there were."""
        changed, count = set(), 0
        while items := await self._read():
            for item in items:
                changed |= self._note(item)
            count += len(items)
        if changed:
            await asyncio.sleep(SECONDS)
        for condition, locale in sorted(self._revisions):
            if condition in changed:
                await self._fetch(condition, locale)
        return count

    async def _read(self) -> list[dict[str, Any]]:
        answer = await next(self._clients).get(self._next)
        assert answer.status_code == 200, answer.text
        self._next = answer.json()["next"]
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    def _note(self, item: dict[str, Any]) -> set[str]:
        """Note a change; returns the conditions whose pages may be others now."""
        self.seen[f"{item['subject']} {item['kind']}"] += 1
        if item["subject"] != "condition":
            named = {f'"slug":"{item[slug]}"'.encode() for slug in ("slug", "previous_slug") if slug in item}
            return {place[0] for place, page in self.pages.items() if any(slug in page for slug in named)}
        condition: str = item["id"]
        self._slugs[condition] = item["slug"]
        if item["kind"] in ("withdrawn", "unpublished", "deleted"):
            gone = [p for p in self._revisions if p[0] == condition and item.get("locale", p[1]) == p[1]]
            for place in gone:
                self._revisions.pop(place)
                self.pages.pop(place, None)
        elif "revision" in item:
            self._revisions[condition, item["locale"]] = item["revision"]
        return {condition}

    async def _fetch(self, condition: str, locale: str) -> None:
        for _ in range(20):
            answer = await next(self._clients).get(f"/conditions/{self._slugs[condition]}", params={"locale": locale})
            if answer.status_code != 200 or answer.json()["locale"] != locale:
                # It has moved or gone since: that stands further on in the feed.
                return
            if answer.json()["revision"] >= self._revisions[condition, locale]:
                self.pages[condition, locale] = answer.content
                return
            await asyncio.sleep(0.2)
        raise AssertionError((condition, locale, "older than the feed says"))
