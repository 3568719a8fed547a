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


class SitemapNotFound(Refusal):
    """There is no such sitemap: the frontend's address is not set, nothing is published, or the parts are fewer."""

    status = 404


class SlugRetired(Refusal):
    """This slug was another thing's name once and leads there for ever.

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
    """Another thing of this kind, or a draft of one, has this slug."""

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
                "kind": {"type": "string", "enum": ["condition", "draft", "consultation_slot"]},
                "slug": {"type": "string", "description": "Of a condition or a draft."},
                "name": {"type": "string", "description": "Of a condition or a draft."},
                "id": {"type": "string", "format": "uuid", "description": "Of a consultation slot."},
            },
        },
        "description": "What uses it: up to 20 of each kind.",
        "examples": [
            [{"kind": "condition", "slug": "acute-lymphoblastic-leukemia", "name": "Acute Lymphoblastic Leukemia"}]
        ],
    }
}


class CategoryInUse(Refusal):
    """Conditions, drafts or consultation slots belong to this category; `used_by` names them.

    Give them another category first.
    """

    status = 409
    members = _USED_BY


class TreatmentInUse(Refusal):
    """Pages or drafts offer this treatment; `used_by` names them. Take it off them first."""

    status = 409
    members = _USED_BY
