"""The inbox page: what the customers would have received."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.store import Store


def inbox_routes(store: Store) -> list[Route]:
    """The routes of the page."""

    async def inbox(_: Request) -> Response:
        return PlainTextResponse(f"{len(store.records)} sends; GET /_sandbox/messages lists them\n")

    return [Route("/", inbox)]
