"""Whatever things are renamed to, in whatever order: each slug that one ever had is one step away from it."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from app.content import slugs
from app.content.editorial_tables import Subject
from app.content.errors import SlugInUse, SlugRetired
from app.core.db import Database
from app.core.settings import Settings
from tests.doors import started
from tests.pages import publish, treatment

COLLECTIONS = {
    Subject.CONDITION: "conditions",
    Subject.CATEGORY: "categories",
    Subject.TREATMENT: "treatment-options",
}
# Which of two things is renamed, and to which of five slugs.
STEPS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=12)
_numbers = count()


@dataclass
class Story:
    """Two things: the slug that each has, and all that it ever had."""

    present: list[str]
    ever: list[set[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ever = [{slug} for slug in self.present]

    def expected(self, thing: int, new: str) -> type[Exception] | None:
        """What renaming is refused for."""
        other = 1 - thing
        if new == self.present[other]:
            return SlugInUse
        return SlugRetired if new in self.ever[other] else None


async def tell(database: Database, client: httpx.AsyncClient, subject: Subject, steps: list[tuple[int, int]]) -> None:
    """Rename step by step, then ask for each slug."""
    # Names of this story's own: the application remembers nothing of them.
    names = [f"synthetic-{next(_numbers)}-{letter}" for letter in "abcde"]
    story = Story(names[:2])
    for name in story.present:
        await publish(
            database,
            name,
            category={"slug": name, "name": "Synthetic"},
            treatment_options=[treatment(name)],
        )
    for thing, place in steps:
        refused: type[Exception] | None = None
        try:
            async with database.write() as session:
                await slugs.rename(session, subject, story.present[thing], names[place], by="test")
        except (SlugInUse, SlugRetired) as error:
            refused = type(error)
        assert refused is story.expected(thing, names[place])
        if refused is None:
            story.present[thing] = names[place]
            story.ever[thing].add(names[place])
    for present, ever in zip(story.present, story.ever, strict=True):
        address = f"/{COLLECTIONS[subject]}/{present}"
        for slug in ever:
            answer = await client.get(f"/{COLLECTIONS[subject]}/{slug}")
            if slug == present:
                assert (answer.status_code, answer.json()["slug"]) == (200, present)
            else:
                assert (answer.status_code, answer.headers["location"]) == (308, address)
    for slug in set(names) - story.ever[0] - story.ever[1]:
        assert (await client.get(f"/{COLLECTIONS[subject]}/{slug}")).status_code == 404


@pytest.mark.parametrize("subject", COLLECTIONS)
def test_every_slug_it_ever_had_is_one_step_away(settings: Settings, subject: Subject) -> None:
    with asyncio.Runner() as runner:
        database, stack = Database(settings), AsyncExitStack()
        stack.push_async_callback(database.close)
        client = runner.run(stack.enter_async_context(started(settings)))

        @given(steps=STEPS)
        @limits(max_examples=12, deadline=None)
        def story(steps: list[tuple[int, int]]) -> None:
            runner.run(tell(database, client, subject, steps))

        try:
            story()
        finally:
            runner.run(stack.aclose())
