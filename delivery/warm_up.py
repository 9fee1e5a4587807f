"""What a worker does before its first message, so that no live alert pays for imports, templates or connections."""

from core import connection_budget
from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.settings import settings
from delivery.catalog import catalog
from delivery.content import Person, RenderRequest, render
from delivery.health import of
from delivery.providers import configured, provider


def warm_up() -> None:
    """Build every configured provider, compile every template, open the first connections."""
    names = [name for names in configured(settings()).values() for name in names]
    for name in names:
        provider(name)
    with of(names), transaction() as connection:
        connection_budget.check(connection)
    for row in catalog().values():
        for channel in row.channels:
            try:
                render(
                    RenderRequest(
                        message_type=row,
                        channel=channel,
                        payload=dict(row.example),
                        person=Person(),
                        now=utc_now(),
                    )
                )
            except InvalidRequest:
                continue  # an example that does not render is a failing test, not a reason not to start
