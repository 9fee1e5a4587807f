"""Where a page of our web app is, for the texts of artifacts."""

from analytics.findings import path_of
from core.settings import settings


def web(page: str) -> str:
    """The address of a page of `analytics.findings`, signed."""
    return settings().public_base_url.rstrip("/") + path_of(page)
