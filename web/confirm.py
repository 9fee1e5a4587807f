"""Double opt-in by link: GET asks, POST confirms."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from core.errors import InvalidRequest
from delivery import confirmations
from web.pages import client_of, form_of, page
from web.people import PURPOSES

router = APIRouter()


@router.get("/confirm/{token}")
@router.head("/confirm/{token}", include_in_schema=False)
def show(token: str) -> HTMLResponse:
    """The question, with a button: a scanner that follows the link must not say yes."""
    _, purpose = confirmations.asked(token)
    return page("confirm", token=token, purpose=PURPOSES[purpose], done=False)


@router.post("/confirm/{token}")
def act(token: str, request: Request, form: Annotated[dict[str, str], Depends(form_of)]) -> HTMLResponse:
    """Confirm; again is no error."""
    _, purpose = confirmations.asked(token)
    if form.get("confirm") != "yes":
        raise InvalidRequest("confirm", "must be yes")
    ip, agent = client_of(request)
    confirmations.confirm(token, ip=ip, agent=agent)
    return page("confirm", token=token, purpose=PURPOSES[purpose], done=True)
