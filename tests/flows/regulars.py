"""People whose hours can be learnt: half of them are there in the morning, half in the evening."""

from datetime import datetime
from typing import Any

ZONE = "America/New_York"


def put_regulars(store: Any, now: datetime) -> None:
    """60 people in New York, who until `now` have clicked at 8 in the morning (the even ones) or at 20."""
    store.execute(
        "INSERT INTO users (id, time_zone) SELECT 'user_' || lpad(n::text, 2, '0'), %s FROM generate_series(0, 59) AS n",
        (ZONE,),
    )
    store.execute(
        "INSERT INTO person_hours (user_id, channel, at, opens, clicks)"
        " SELECT 'user_' || lpad(n::text, 2, '0'), 'email', (date_trunc('day', %s AT TIME ZONE %s) - d * interval '1 day'"
        "   + CASE n %% 2 WHEN 0 THEN 8 ELSE 20 END * interval '1 hour') AT TIME ZONE %s, 0, 1"
        " FROM generate_series(0, 59) AS n, generate_series(1, 25) AS d",
        (now, ZONE, ZONE),
    )
