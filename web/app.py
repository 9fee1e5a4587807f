"""The web app: webhooks in, opt-out and preference pages, health and metrics.

Run by `uvicorn web.app:app`. No page loads anything from elsewhere; every page that changes something does so by POST.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from core import connection_budget, database, logs
from core import redis as redis_clients
from core.settings import settings
from delivery.providers import configured, provider
from web import confirm, findings, health, metrics, preferences, reports, unsubscribe, webhooks
from web.inbox import Inbox
from web.pages import add_error_pages
from web.replies import Replies
from web.tallies import Tallies


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Starts the writers; at the end stores what was taken and closes all connections."""
    logs.configure(settings().log_level)
    app.state.inbox, app.state.tallies, app.state.replies = Inbox(), Tallies(), Replies()
    await asyncio.to_thread(warm_up)
    running = [asyncio.create_task(each.run()) for each in (app.state.inbox, app.state.tallies)]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        app.state.inbox.close()
        app.state.replies.close()
        app.state.tallies.flush()
        database.dispose()
        redis_clients.disconnect()


def warm_up() -> None:
    """Build what the first webhook needs: an SDK's import would hold up all the others on the event loop.

    Says too when the database has no room for this process's whole pool.
    """
    for names in configured(settings()).values():
        for name in names:
            if name not in webhooks.MAY_FETCH:
                provider(name)
    with suppress(*database.DATABASE_AWAY), database.transaction() as connection:
        connection_budget.check(connection)


def make_app() -> FastAPI:
    """The app with all its routes."""
    app = FastAPI(
        title="MINGUS Notifications", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan
    )
    app.add_middleware(webhooks.Webhooks)
    for part in (health, metrics, unsubscribe, preferences, confirm, reports, findings):
        app.include_router(part.router)
    add_error_pages(app)
    return app


app = make_app()
