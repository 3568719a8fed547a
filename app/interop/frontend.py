"""Where the frontend shows what this API publishes: at the paths that it has here, under the frontend's own address."""

from app.core.shapes import DEFAULT_LOCALE


def condition_url(frontend_url: str, slug: str, locale: str = DEFAULT_LOCALE) -> str:
    """Address of a condition's page in one language; of its path alone where the frontend's address is empty."""
    return _in_language(f"{frontend_url}/conditions/{slug}", locale)


def category_url(frontend_url: str, slug: str, locale: str = DEFAULT_LOCALE) -> str:
    """Address of a category's page in one language."""
    return _in_language(f"{frontend_url}/categories/{slug}", locale)


def _in_language(address: str, locale: str) -> str:
    return address if locale == DEFAULT_LOCALE else f"{address}?locale={locale}"
