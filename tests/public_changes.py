"""One of each kind of change of what is public, in an order in which each is possible."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.content import category_changes, named, publishing, schedule, slugs, treatment_changes, withdrawals
from app.content.document import ConditionDocument
from app.content.editions import MOST_CHANGES
from app.content.editorial_tables import Subject
from app.content.name_shapes import CategoryCreate
from app.content.tables import RevisionSource
from app.core.db import Database
from tests.pages import page_content, publish, treatment
from tests.schedules import end_at, within

# The page that the changes tell of, one that they tell of in passing, and one that they leave alone.
OWN, OTHER, UNTOUCHED = "synthetic-condition", "synthetic-other", "acute-lymphoblastic-leukemia"
FIRST = {"slug": "synthetic-category", "name": "Synthetic Category"}
SECOND = {"slug": "synthetic-second", "name": "Synthetic Second"}
OPTIONS = [treatment("car-t-cell-therapy", "CAR-T Cell Therapy"), treatment("synthetic-treatment")]
PATHS = tuple(
    f"/{path}"
    for path in (
        *("conditions", "conditions?limit=1", "categories", "treatment-options?limit=100"),
        *(f"conditions/{slug}{part}" for slug in (OWN, OTHER, UNTOUCHED) for part in ("", "/treatment-options")),
        *("conditions/synthetic-renamed", "conditions/synthetic-new", f"conditions/{OWN}?locale=es"),
        *("conditions?category=synthetic-second", "conditions?treatment=synthetic-treatment&locale=es"),
        *("categories/synthetic-category", "categories/synthetic-second", "categories/hematologic-malignancies"),
        *("categories/synthetic-first", "treatment-options/car-t-cell-therapy", "treatment-options/synthetic-therapy"),
        "treatment-options/synthetic-treatment",
    )
)
Change = Callable[[Database], Awaitable[Any]]


async def prepare(database: Database) -> None:
    """Two pages, one of them in two languages, in a category that has a name in one of them."""
    await publish(database, OWN, treatment_options=OPTIONS)
    spanish = {"category": FIRST | {"name": "Categoría"}, "source_revision": 1}
    await publish(database, OWN, locale="es", name="Sintética", **spanish)
    await publish(database, OTHER)
    await publish(database, OTHER, locale="es", name="Otra", **spanish)
    # Its category has no name in Spanish yet.
    await publish(database, OTHER, category=SECOND)


def changes() -> dict[str, Change]:
    """Each by what happens."""
    return {
        "a page is updated": _publish(summary="Synthetic news.", treatment_options=OPTIONS),
        "a translation falls behind": _publish(summary="Synthetic more.", treatment_options=OPTIONS[:1]),
        "a translation is updated": _publish(locale="es", name="Más", category=FIRST | {"name": "Categoría"}),
        "a category gets its first name in a language": _publish(
            "synthetic-new", locale="es", name="Nueva", category=SECOND | {"name": "Segunda"}
        ),
        "a page moves to another category": _publish(category=SECOND, treatment_options=OPTIONS),
        "a page in a new language": _publish(locale="pt-BR", name="Nova", category=SECOND | {"name": "Nova"}),
        "an older text is restored": _publish(category=SECOND, treatment_options=OPTIONS),
        "a page is taken down": _take_down,
        "several are published together": _publish_together(OWN, OTHER, "synthetic-new"),
        "a page is renamed": _rename(Subject.CONDITION, OWN, "synthetic-renamed"),
        "and again": _rename(Subject.CONDITION, "synthetic-renamed", OWN),
        "a category is named": _in_turn(
            lambda session: named.name(
                session, Subject.CATEGORY, FIRST["slug"], "en", {"name": "Synthetic"}, by="test", versions=None
            )
        ),
        "a category is renamed": _rename(Subject.CATEGORY, FIRST["slug"], "synthetic-first"),
        "categories are reordered": _reorder(Subject.CATEGORY),
        "a category is made": _in_turn(
            lambda session: category_changes.create(
                session, CategoryCreate(slug="synthetic-made", name="Synthetic"), by="test"
            )
        ),
        "a category is deleted": _in_turn(
            lambda session: category_changes.delete(session, "synthetic-made", by="test", versions=None)
        ),
        "a treatment is named": _in_turn(
            lambda session: named.name(
                session, Subject.TREATMENT, OPTIONS[0]["slug"], "es", {"name": "Terapia"}, by="test", versions=None
            )
        ),
        "a treatment is renamed": _in_turn(
            lambda session: treatment_changes.rename(
                session, OPTIONS[1]["slug"], "synthetic-therapy", by="test", versions=None
            )
        ),
        "treatments are reordered": _reorder(Subject.TREATMENT),
        "a condition is withdrawn": _in_turn(
            lambda session: withdrawals.withdraw(session, OTHER, replacement=OWN, by="test")
        ),
        "and is back": _publish(OTHER, category=SECOND, treatment_options=[]),
        "many are imported": _publish_together(*(f"synthetic-{number}" for number in range(MOST_CHANGES + 1))),
    }


def _publish(slug: str = OWN, **page: Any) -> Change:
    return lambda database: publish(database, slug, **page)


def _in_turn(act: Callable[[AsyncSession], Awaitable[Any]]) -> Change:
    async def change(database: Database) -> None:
        async with database.write() as session:
            await act(session)

    return change


def _rename(subject: Subject, old: str, new: str) -> Change:
    return _in_turn(lambda session: slugs.rename(session, subject, old, new, by="test"))


def _reorder(subject: Subject) -> Change:
    async def reorder(session: AsyncSession) -> None:
        order, version = await named.order(session, subject)
        await named.reorder(session, subject, order[::-1], by="test", versions={version})

    return _in_turn(reorder)


async def _take_down(database: Database) -> None:
    made = await publish(database, OWN, locale="pt-BR", name="Nova", category=SECOND | {"name": "Nova"})
    await end_at(database, within(-1), made.condition_id)
    await schedule.publish_due(database)
    assert (await publish(database, OWN, treatment_options=OPTIONS)).number > 1


def _publish_together(*slugs_of_pages: str) -> Change:
    async def publish_all(session: AsyncSession) -> None:
        for slug in slugs_of_pages:
            content = page_content(slug, category=SECOND, treatment_options=OPTIONS[:1])
            document = ConditionDocument.model_validate(content)
            await publishing.publish(session, document, source=RevisionSource.SEED, by="test")

    return _in_turn(publish_all)
