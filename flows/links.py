"""Where a page of our web app is, for the texts of artifacts."""

from collections.abc import Mapping

from core.settings import settings

PAGES: Mapping[str, str] = {
    "delivery": "/",
    "timeline": "/timeline",
    "queues": "/",
    "engagement": "/",
    "failures": "/",
}


def web(page: str) -> str:
    """The address of a page."""
    return settings().public_base_url.rstrip("/") + PAGES[page]
