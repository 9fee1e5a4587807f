"""Resend's suppression list: addresses it doesn't deliver to (paths and shapes as its SDK has them)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.exchange import answer
from sandbox.resend.errors import resend_refusal
from sandbox.resend.front import ResendFront
from sandbox.resend.paging import page_of
from sandbox.resend.validation import bare, many

Handler = Callable[[ResendFront, Request, Any], Response]
MAX_BATCH = 100


def suppression_handlers() -> dict[str, dict[str, Handler]]:
    """The handlers by path and method."""
    return {
        "/suppressions": {"GET": list_suppressions, "POST": add},
        "/suppressions/batch/add": {"POST": add_many},
        "/suppressions/batch/remove": {"POST": remove_many},
        "/suppressions/{which}": {"GET": retrieve, "DELETE": remove},
    }


def list_suppressions(front: ResendFront, request: Request, _: Any) -> Response:
    """`GET /suppressions`, newest first, of one origin if asked."""
    origin = request.query_params.get("origin")
    rows = [row for row in reversed(front.store.suppressions.values()) if origin in {None, row["origin"]}]
    page, more = page_of(rows, request, lambda row: row["id"])
    return answer(200, {"object": "list", "has_more": more, "data": page})


def add(front: ResendFront, _: Request, document: Any) -> Response:
    """`POST /suppressions`: an address by hand."""
    address = bare(str(document.get("email", ""))) if isinstance(document, dict) else ""
    if not address:
        raise resend_refusal("validation_error", "The `email` field must be a valid email address.")
    row = front.store.suppress(address, "manual", None)
    return answer(200, {"object": "suppression", "id": row["id"]})


def add_many(front: ResendFront, _: Request, document: Any) -> Response:
    """`POST /suppressions/batch/add`: up to 100 addresses."""
    addresses = [
        bare(address) for address in many(document.get("emails") if isinstance(document, dict) else None)
    ]
    if not 1 <= len(addresses) <= MAX_BATCH or "" in addresses:
        raise resend_refusal(
            "validation_error", f"`emails` must hold 1 to {MAX_BATCH} valid email addresses."
        )
    rows = [front.store.suppress(address, "manual", None) for address in dict.fromkeys(addresses)]
    return answer(200, {"data": [{"object": "suppression", "id": row["id"]} for row in rows]})


def retrieve(front: ResendFront, request: Request, _: Any) -> Response:
    """`GET /suppressions/{id or address}`."""
    return answer(200, {"object": "suppression", **find(front, request.path_params["which"])})


def remove(front: ResendFront, request: Request, _: Any) -> Response:
    """`DELETE /suppressions/{id or address}`."""
    return answer(200, lift(front, request.path_params["which"]))


def remove_many(front: ResendFront, _: Request, document: Any) -> Response:
    """`POST /suppressions/batch/remove`: by addresses or by ids."""
    given = document if isinstance(document, dict) else {}
    return answer(
        200, {"data": [lift(front, which) for which in many(given.get("emails") or given.get("ids"))]}
    )


def lift(front: ResendFront, which: str) -> dict[str, Any]:
    """Take an address off the list."""
    row = find(front, which)
    front.store.note({"at": datetime.now(UTC).isoformat(), "unsuppress": row["email"]})
    return {"object": "suppression", "id": row["id"], "deleted": True}


def find(front: ResendFront, which: str) -> dict[str, Any]:
    """The row of an id or an address; raises not_found."""
    for row in front.store.suppressions.values():
        if which in {row["id"], row["email"]} or bare(which) == row["email"]:
            return row
    raise resend_refusal("not_found", "Suppression not found")
