"""HTML pages rendered on the server: one style within the page, nothing loaded from elsewhere, no scripts."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.database import DATABASE_AWAY
from core.errors import InvalidRequest, InvalidSignature, UnknownUser

TEMPLATES = Path(__file__).with_name("templates")
MOST_FORM_BYTES = 64 * 1024


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _headers() -> dict[str, str]:
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return {
        "Content-Security-Policy": f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",  # the address holds the token
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
        "Cache-Control": "no-store",
    }


def page(name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template, never stored by anybody on its way."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8").strip()
    html = _environment().get_template(f"{name}.html").render(style=style, **values)
    return HTMLResponse(html, status, headers=_headers())


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a posted form, texts only, the last one of each name; InvalidRequest for a huge or nameless one."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > MOST_FORM_BYTES:
        raise InvalidRequest("form", f"must say its length, of at most {MOST_FORM_BYTES} bytes")
    form = await request.form(max_files=0, max_fields=200)
    return {name: value for name, value in form.multi_items() if isinstance(value, str)}


def client_of(request: Request) -> tuple[str, str]:
    """(IP address, user agent) of who asks: evidence for the consent ledger, sealed there."""
    return request.client.host if request.client else "", request.headers.get("user-agent", "")[:500]


def add_error_pages(app: FastAPI) -> None:
    """What a person sees when a page can't be shown."""

    @app.exception_handler(InvalidSignature)
    async def _forged(_request: Request, _error: InvalidSignature) -> HTMLResponse:
        return page("problem", 403, title="This link is not ours", text=FORGED)

    @app.exception_handler(UnknownUser)
    async def _gone(_request: Request, _error: UnknownUser) -> HTMLResponse:
        return page("problem", 404, title="This link has ended", text=GONE)

    @app.exception_handler(InvalidRequest)
    async def _wrong(_request: Request, error: InvalidRequest) -> HTMLResponse:
        return page("problem", 400, title="That did not work", text=f"{error.field} {error.problem}.")

    async def away(_request: Request, _error: Exception) -> HTMLResponse:
        answer = page("problem", 503, title="One moment, please", text=AWAY)
        answer.headers["Retry-After"] = "10"
        return answer

    for kind in DATABASE_AWAY:
        app.add_exception_handler(kind, away)


FORGED = "It was changed on its way, or cut off at the end of a line. Please open it from our message again."
GONE = "The message that it came with is no longer kept. Use the link of a newer message, or the app."
AWAY = "We can't save anything at this moment, and nothing was changed. Please try again shortly."
