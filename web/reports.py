"""Archived reports: opened by the signed link of the mail, shown as they were sent."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from delivery import archive
from web.pages import page

router = APIRouter()

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none';"
    " frame-ancestors 'none'; form-action 'none'; sandbox allow-popups",  # a mail's styles stand in its elements
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}


@router.get("/reports/{person}/{month}/{signature}")
def show(person: str, month: str, signature: str) -> HTMLResponse:
    """The page; 403 for a link that is not ours, 404 when the report is no longer kept, 503 while the archive is away."""
    key = archive.key_of(f"reports/{person}/{month}", signature)
    try:
        found = archive.read(key)
    except archive.ArchiveAway:
        answer = page(
            "problem", 503, title="One moment, please", text="The archive does not answer. Try again soon."
        )
        answer.headers["Retry-After"] = "30"
        return answer
    if found is None:
        return page("problem", 404, title="This link has ended", text="The report is no longer kept.")
    return HTMLResponse(found, headers=HEADERS)
