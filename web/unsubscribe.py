"""Unsubscribing by link: GET shows and never changes anything (scanners follow links), POST acts at once (RFC 8058)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from core.errors import InvalidRequest
from core.vocabulary import Channel
from delivery import opt_out
from delivery.consents import ConsentEntry
from web.pages import client_of, form_of, page
from web.people import Holder, holder_of

router = APIRouter()

METHODS = {
    ("List-Unsubscribe", "One-Click"): "one_click",
    ("unsubscribe", "yes"): "unsubscribe_page",
}
"""The form field that acts: what a mail program posts, and our button → the method noted in the ledger."""


@router.get("/u/{token}")
@router.head("/u/{token}", include_in_schema=False)
def show(token: str) -> HTMLResponse:
    """The question, with a button."""
    holder = holder_of(token)
    return page("unsubscribe", **_values(holder), done=not _is_subscribed(holder), under_way=False)


@router.post("/u/{token}")
def act(token: str, request: Request, form: Annotated[dict[str, str], Depends(form_of)]) -> HTMLResponse:
    """Withdraw the consent to mails of the message's purpose; again is no error."""
    holder = holder_of(token)
    method = next((METHODS[said] for said in form.items() if said in METHODS), None)
    if method is None:
        raise InvalidRequest("form", "must say List-Unsubscribe=One-Click")
    withdrawn = True
    if _is_subscribed(holder):
        ip, agent = client_of(request)
        entry = ConsentEntry(
            user_id=holder.user_id,
            channel=Channel.EMAIL,
            purpose=holder.type.purpose,
            granted=False,
            method=method,
            source=f"notification:{holder.notification_id}",
            ip=ip,
            agent=agent,
        )
        withdrawn = opt_out.withdraw([entry])
    return page("unsubscribe", **_values(holder), done=True, under_way=not withdrawn)


def _is_subscribed(holder: Holder) -> bool:
    return (Channel.EMAIL, holder.type.purpose) in holder.allowed


def _values(holder: Holder) -> dict[str, Any]:
    address = holder.addresses.get(Channel.EMAIL, "your address")
    return {"token": holder.token, "purpose": holder.purpose, "address": address}
