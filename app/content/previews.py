"""Previews: a draft as its page would look, shown to whoever has a link that holds for a while.

It shows the draft as it stands when it is looked at, and nothing any more once the draft is published or deleted.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from pydantic import MISSING
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.access import audit
from app.content import draft_steps, locales, pages, publishing, revisions
from app.content.document import ConditionDocument
from app.content.editorial_tables import ConditionDraft
from app.content.errors import DraftInvalid, DraftNotFound, PreviewNotFound
from app.content.preview_links import PreviewLink, link_in, token_of
from app.content.shapes import (
    ConditionCodePublic,
    ConditionPublic,
    ConsultationCallToAction,
    ReferencePublic,
    TranslationPublic,
    TreatmentOptionPublic,
    UrgencySignPublic,
    WhatToBringPublic,
)
from app.content.tables import Category, CategoryName, Condition, ConditionCode
from app.core import clock
from app.core.crypto import Keyring
from app.core.shapes import DEFAULT_LOCALE, Named


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a page shows that its document does not say, or not alone."""

    revision: int
    published_at: datetime
    updated_at: datetime
    today: date
    translations: list[TranslationPublic]
    # Of a translation, these are what the default language's page says.
    category: Named
    codes: list[ConditionCodePublic]


async def make(
    session: AsyncSession, slug: str, locale: str, *, seconds: int, keyring: Keyring, by: str
) -> tuple[str, datetime]:
    """A token that shows this draft, and until when; raises DraftNotFound."""
    draft = await draft_steps.find(session, slug, locale)
    if draft is None:
        raise DraftNotFound
    now = await clock.now_in(session)
    link = PreviewLink(draft.id, now.replace(microsecond=0) + timedelta(seconds=seconds))
    # No step of the draft's, but whoever can read it was let in by somebody.
    await audit.record(session, by=by, action="condition_draft.previewed", subject=str(draft.id), at=now)
    return token_of(link, keyring), link.expires_at


async def get(session: AsyncSession, token: str, *, keyring: Keyring) -> ConditionPublic:
    """The page that the token's draft would be; one that is forged, over or of no draft raises PreviewNotFound."""
    link = link_in(token, keyring)
    now = await clock.now_in(session)
    if link is None or link.expires_at <= now:
        raise PreviewNotFound
    draft = (await session.exec(select(ConditionDraft).where(ConditionDraft.id == link.draft_id))).first()
    if draft is None:
        raise PreviewNotFound
    try:
        document = draft_steps.document_of(draft)
    except DraftInvalid:
        # It would be no page.
        raise PreviewNotFound from None
    return page_of(document, await _surroundings(session, document, draft.changed_at, now.date()))


def page_of(document: ConditionDocument, around: Surroundings) -> ConditionPublic:
    """A document as the public reads it."""
    return ConditionPublic(
        slug=document.slug,
        name=document.name,
        alternate_names=document.alternate_names,
        summary=document.summary,
        category=around.category,
        overview=document.overview,
        when_to_consult=document.when_to_consult,
        what_to_bring=WhatToBringPublic(text=document.what_to_bring.text, items=document.what_to_bring.items),
        risk_factors=document.risk_factors,
        causes=document.causes,
        treatment_options=[
            TreatmentOptionPublic.model_validate(option, from_attributes=True) for option in document.treatment_options
        ],
        consultation=ConsultationCallToAction(
            heading=document.consultation.heading,
            text=document.consultation.text,
            slots_url=f"/consultation-slots?condition={document.slug}",
        ),
        codes=around.codes,
        urgency_signs=[UrgencySignPublic.model_validate(sign, from_attributes=True) for sign in document.urgency_signs],
        references=[
            ReferencePublic(
                section=source.section,
                title=source.title,
                url=source.url,
                publisher=MISSING if source.publisher is None else source.publisher,
            )
            for source in document.references
        ],
        review=MISSING if document.review is None else pages.review_of(document.review, today=around.today),
        translations=around.translations,
        locale=document.locale,
        revision=around.revision,
        published_at=around.published_at,
        updated_at=around.updated_at,
    )


async def _surroundings(
    session: AsyncSession, document: ConditionDocument, changed_at: datetime, today: date
) -> Surroundings:
    """What stands around a draft's document while it waits: what would, if it were published now."""
    condition = (await session.exec(select(Condition).where(Condition.slug == document.slug))).first()
    category = Named(slug=document.category.slug, name=document.category.name)
    codes = [ConditionCodePublic(system=system, code=code) for system, code in publishing.codes_of(document)]
    if condition is None:
        return Surroundings(1, changed_at, changed_at, today, [], category, codes)
    number = await revisions.newest(session, document.slug, document.locale) or 0
    first_at = await revisions.first_published_at(session, condition.id, document.locale)
    if document.locale != DEFAULT_LOCALE:
        category, codes = await _of_default(session, condition, document)
    return Surroundings(
        revision=number + 1,
        published_at=first_at or changed_at,
        updated_at=changed_at,
        today=today,
        translations=await pages.translations_of(session, condition.id, document.locale, number + 1),
        category=category,
        codes=codes,
    )


async def _of_default(
    session: AsyncSession, condition: Condition, document: ConditionDocument
) -> tuple[Named, list[ConditionCodePublic]]:
    name = locales.category_words(CategoryName.name, locales.of_page(document.locale))
    query = select(Category.slug, name).where(Category.id == condition.category_id)
    slug, name = (await session.exec(query)).one()
    if slug == document.category.slug:
        name = document.category.name
    codes = await session.exec(
        select(ConditionCode.system, ConditionCode.code)
        .where(ConditionCode.condition_id == condition.id)
        .order_by(col(ConditionCode.position))
    )
    return Named(slug=slug, name=name or slug), [ConditionCodePublic(system=s, code=code) for s, code in codes]
