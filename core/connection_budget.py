"""Whether the database has room for this process's whole pool: asked at start, not found out at the first peak."""

import logging
from dataclasses import dataclass

from sqlalchemy import Connection

from core.settings import settings
from core.statements import rows

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Budget:
    """Connections: how many this process may open, how many the server still has, and how many it has in all."""

    wanted: int
    free: int
    most: int

    @property
    def is_short(self) -> bool:
        """True when not every thread of this process will find a connection."""
        return self.free < self.wanted


def budget(connection: Connection) -> Budget:
    """What there is; the asking connection is one of ours already."""
    config = settings()
    ((most, reserved, used),) = rows(
        connection,
        "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int"
        " + COALESCE(current_setting('reserved_connections', true), '0')::int,"
        " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')",
    )
    return Budget(
        wanted=config.database_pool_size + config.database_pool_overflow - 1,
        free=most - reserved - used,
        most=most,
    )


def check(connection: Connection) -> Budget:
    """Warn with the numbers and the mend when the room is short; the process starts all the same."""
    found = budget(connection)
    if found.is_short:
        log.warning(
            "connection_budget_short",
            extra={
                "wanted": found.wanted,
                "free": found.free,
                "max_connections": found.most,
                "mend": "raise max_connections, or lower MINGUS_DATABASE_POOL_SIZE / MINGUS_DATABASE_POOL_OVERFLOW",
            },
        )
    return found
