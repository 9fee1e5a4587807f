"""Archived reports: opened by the signed link of the mail, as the page that was sent, its pictures, and as a PDF."""

from collections.abc import Callable

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from delivery import archive
from delivery.archived_report import ArchivedReport
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
def show(person: str, month: str, signature: str) -> Response:
    """The page; 403 for a link that is not ours, 404 when the report is no longer kept, 503 while the archive is away."""
    return _answered(person, month, signature, lambda found: HTMLResponse(found.page(), headers=HEADERS))


@router.get("/reports/{person}/{month}/{signature}/report.pdf")
def as_pdf(person: str, month: str, signature: str) -> Response:
    """The same report as a PDF, made when it is asked for."""
    return _answered(person, month, signature, lambda found: _pdf(found, f"mingus-{month}.pdf"))


@router.get("/reports/{person}/{month}/{signature}/{name}.png")
def picture(person: str, month: str, signature: str, name: str) -> Response:
    """One picture of it, for mails that show hosted pictures."""
    return _answered(person, month, signature, lambda found: _picture(found.pictures.get(name)))


def _answered(
    person: str, month: str, signature: str, answer: Callable[[ArchivedReport], Response]
) -> Response:
    key = archive.key_of(f"reports/{person}/{month}", signature)
    try:
        found = archive.read(key)
    except archive.ArchiveAway:
        away = page(
            "problem", 503, title="One moment, please", text="The archive does not answer. Try again soon."
        )
        away.headers["Retry-After"] = "30"
        return away
    return _gone() if found is None else answer(ArchivedReport.parse(found))


def _gone() -> Response:
    return page("problem", 404, title="This link has ended", text="The report is no longer kept.")


def _picture(png: bytes | None) -> Response:
    return _gone() if png is None else Response(png, media_type="image/png", headers=HEADERS)


def _pdf(report: ArchivedReport, name: str) -> Response:
    from analytics.report_pdf import Picture, pdf_of

    pictures = [Picture(png) for png in report.pictures.values()]
    # To be saved: browsers show no PDF inside a sandbox.
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(pdf_of(report.text, pictures), media_type="application/pdf", headers=headers)
