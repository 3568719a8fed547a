"""What publishing and reading content can be refused for."""

from app.core.errors import Refusal


class ConditionNotFound(Refusal):
    """No condition is published under this slug."""

    status = 404


class CategoryNotFound(Refusal):
    """There is no category with this slug."""

    status = 404


class TreatmentOptionNotFound(Refusal):
    """No published page offers a treatment with this slug."""

    status = 404


class CategoryNamedDifferently(Refusal):
    """The document calls its category by another name than the one that is published."""

    status = 409


class CategoryDiffers(Refusal):
    """The condition is in another category, and only its page in the default language moves it: name that category."""

    status = 409


class SitemapNotFound(Refusal):
    """There is no such sitemap: the frontend's address is not set, nothing is published, or the parts are fewer."""

    status = 404


class SlugRetired(Refusal):
    """This slug was another thing's name once, and leads there for ever, or nowhere if that thing was deleted.

    Choose another one. Links and bookmarks of years ago must not change their meaning.
    """

    status = 409


class ConditionExists(Refusal):
    """This condition has a page in this language already.

    Read its draft, which is the published text while nobody has begun another, and put what you have made of it.
    """

    status = 409


class DraftNotFound(Refusal):
    """There is neither a draft nor a page of this condition in this language."""

    status = 404


class DraftExists(Refusal):
    """There is a draft of this condition in this language already.

    Read it and change it, or delete it first.
    """

    status = 409


class DraftInvalid(Refusal):
    """The draft breaks a rule that is newer than itself: read it, and put it again as it may be."""

    status = 409


class DraftSubmitted(Refusal):
    """The draft was submitted already.

    Change it, or let whoever publishes return it, before it is submitted again.
    """

    status = 409


class DraftNotSubmitted(Refusal):
    """The draft is not with those who approve: nobody has submitted it, or one of them has dealt with it."""

    status = 409


class DraftNotApproved(Refusal):
    """Nobody has approved the draft yet: it must be submitted, and approved by another caller than its author."""

    status = 409


class DraftOutdated(Refusal):
    """The page was published since the draft was begun: publishing the draft would undo that.

    Compare the page's revisions `base_revision` and `current_revision`, put the draft again, with what both of them
    say and with `base_revision` as the current one in the address, and publish that. Where `base_revision` is absent,
    nothing was published when the draft was begun.
    """

    status = 409
    members = {  # noqa: RUF012 - the base class declares it a class variable
        "base_revision": {
            "type": "integer",
            "description": "The revision that the draft was made from. Absent where there was none.",
            "examples": [1],
        },
        "current_revision": {"type": "integer", "description": "The page's newest revision.", "examples": [2]},
    }


class OwnDraft(Refusal):
    """Nobody approves what they have written themselves."""

    status = 403


class PreviewNotFound(Refusal):
    """This address shows no preview: it never did, its time is over, or the draft is published or gone."""

    status = 404


class RevisionNotFound(Refusal):
    """The condition's page has no such revision in this language."""

    status = 404


class SlugInUse(Refusal):
    """Another thing of this kind, or a draft of one, has this slug; or a draft names both, as two things."""

    status = 409
    constraints = ("uq_conditions_slug", "uq_condition_drafts_slug", "uq_categories_slug", "uq_treatments_slug")


class ConditionWithdrawn(Refusal):
    """The condition's page was withdrawn for good.

    `replacement`, where there is one, is the address of the page that took its place, relative to this API.
    """

    status = 410
    members = {  # noqa: RUF012 - the base class declares it a class variable
        "replacement": {
            "type": "string",
            "format": "uri-reference",
            "description": "Address of the page that took its place. Absent where none did.",
            "examples": ["/conditions/acute-lymphoblastic-leukemia"],
        }
    }


_USED_BY = {
    "used_by": {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["kind"],
            "properties": {
                "kind": {"type": "string", "enum": ["condition", "draft", "consultation_slot", "slot_schedule"]},
                "slug": {"type": "string", "description": "Of a condition or a draft."},
                "name": {"type": "string", "description": "Of a condition or a draft."},
                "id": {"type": "string", "format": "uuid", "description": "Of a consultation slot or a schedule."},
            },
        },
        "description": "What uses it: up to 20 of each kind.",
        "examples": [
            [{"kind": "condition", "slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"}]
        ],
    }
}


class CategoryInUse(Refusal):
    """Conditions, also those without a page, drafts, consultation slots or schedules belong to it: see `used_by`.

    Give them another category first. A condition that was withdrawn, or taken down, can come back: publish it in
    another category, and withdraw it again.
    """

    status = 409
    members = _USED_BY


class TreatmentInUse(Refusal):
    """Pages or drafts offer this treatment; `used_by` names them. Take it off them first."""

    status = 409
    members = _USED_BY
