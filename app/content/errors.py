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


class SlugRetired(Refusal):
    """This slug was another thing's name once and leads there for ever.

    Choose another one. Links and bookmarks of years ago must not change their meaning.
    """

    status = 409
