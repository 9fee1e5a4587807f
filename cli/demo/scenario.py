"""What the demo sends: all eight types live through `.delay()`, then one bulk batch."""

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from cli.demo.population import SEED, daytime_people
from core.clock import utc_now
from core.database import transaction
from core.statements import rows
from delivery import Refused, Request, accept_many
from delivery.catalog import catalog
from delivery.keys import period_key

LIVE_PER_TYPE = 12
BULK_TYPE = "educational_content"
LIMITS: Mapping[str, str] = {  # a demo can't wait for ten messages a minute
    f"MINGUS_LIMIT_{name}_{channel}".upper(): "60000"
    for name, row in catalog().items()
    for channel, limit in row.limits.items()
    if limit > 0
}


def send_live(ids: Sequence[str], now: datetime) -> dict[str, list[Any]]:
    """Send every type to some people for whom it is day; type → the tasks' results (AsyncResult)."""
    import tasks

    dice = random.Random(SEED)
    with transaction() as connection:
        zones: dict[str, str] = dict(
            rows(connection, "SELECT id, time_zone FROM users WHERE id = ANY(%s)", (list(ids),))
        )
    awake = daytime_people(ids, zones, now)
    results: dict[str, list[Any]] = {}
    for name, row in catalog().items():
        task = getattr(tasks, row.task)
        chosen = dice.sample(awake, min(LIVE_PER_TYPE, len(awake)))
        results[name] = [
            task.delay(user_id=user_id, **{row.payload: dict(row.example)}) for user_id in chosen
        ]
    return results


def accept_bulk(ids: Sequence[str], campaign: str) -> list[UUID]:
    """Accept one lesson for everybody, in one transaction; the notifications' ids."""
    payload = dict(catalog()[BULK_TYPE].example)
    results = accept_many(
        [
            Request(
                user_id=user_id,
                message_type=BULK_TYPE,
                payload=payload,
                campaign=campaign,
                idempotency_key=period_key(BULK_TYPE, campaign, user_id),
            )
            for user_id in ids
        ]
    )
    refused = [each for each in results if isinstance(each, Refused)]
    if refused:
        raise refused[0].error
    return [each.notification_id for each in results if not isinstance(each, Refused)]


def unsettled(since: datetime) -> tuple[int, int]:
    """(notifications of this run that are still on their way, callbacks not yet applied)."""
    with transaction() as connection:
        moving = rows(
            connection,
            "SELECT count(*) FROM notifications WHERE created_at >= %s AND (state IN ('claimed', 'sent', 'unknown')"
            " OR reason = 'crashed' OR (state = 'accepted' AND deliver_after <= now() + interval '5 seconds'))",
            (since,),
        )[0][0]
        waiting = rows(connection, "SELECT count(*) FROM callbacks WHERE processed_at IS NULL")[0][0]
    return int(moving), int(waiting)


def campaign_name() -> str:
    """A name that no earlier run on the same data has used."""
    return f"demo-{utc_now():%Y%m%dT%H%M%S}"
