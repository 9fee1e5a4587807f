"""Why a person's messages leave when they leave, in words: for `mingus send-time`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from analytics.send_time import window_scores
from analytics.send_time_choice import HELD_OUT, Reason, is_held_out
from analytics.send_time_store import DEFAULT_ZONE, last_fit
from core.errors import UnknownUser
from core.statements import rows

WHY: Mapping[Reason, str] = {
    Reason.BETTER_HOUR: "this hour was worth the wait",
    Reason.NOW_IS_BEST: "no later hour was better",
    Reason.GAIN_TOO_SMALL: "waiting would have gained less than 5 %",
    Reason.NO_ALLOWED_HOUR: "no hour before its deadline was allowed",
    Reason.CRITICAL: "critical messages never wait",
    Reason.EXPLORATION: "drawn at random, so that we go on learning",
    Reason.HELD_OUT: "the person is in the comparison group: everything goes at its default time",
}
SHOWN = 10


def explain(connection: Connection, user_id: str, channel: str) -> list[str]:
    """Whose hours a person's messages of a channel follow and why, then the curve; UnknownUser for nobody."""
    fit = last_fit(connection, channel)
    found = rows(
        connection,
        "SELECT u.time_zone, t.curve, t.best_hours, t.events FROM users u"
        " LEFT JOIN send_times t ON t.user_id = u.id AND t.channel = %s WHERE u.id = %s",
        (channel, user_id),
    )
    if not found:
        raise UnknownUser("user_id", f"no user {user_id!r}")
    if fit is None:
        return [f"{channel}: nothing was learnt yet, messages leave at their default time"]
    zone, curve, best, events = found[0]
    where = zone or f"{DEFAULT_ZONE} (no zone is known)"
    held_out = (
        [f"in the comparison group ({HELD_OUT:.0%} of people): the hours are known and not used"]
        if is_held_out(user_id)
        else []
    )
    if curve is None or not fit.personalise:
        why = "no curve of their own yet" if curve is None else "their own hours are not proven better"
        hours = np.argsort(-window_scores(fit.rhythms.population[None, :].astype(np.float32))[0])[:3]
        return [
            f"{channel}: everybody's hours, because there is {why}" if curve is None else
            f"{channel}: everybody's hours, because {why}",
            f"best hours: {_clock(hours)} in {where}",
            *held_out,
        ]  # fmt: skip
    return [
        f"{channel}: {events:.1f} weighted events of their own against {fit.strength:.0f} of everybody",
        f"best hours: {_clock(best)} in {where}",
        *held_out,
        *(
            f"{hour:02d}:00 {share / 100:5.1f} % {'█' * round(share / 50)}"
            for hour, share in enumerate(curve)
        ),
    ]


def last_choices(connection: Connection, user_id: str) -> list[dict[str, Any]]:
    """The newest choices about a person: (chosen_at, leaves_at, channel, message_type, arm, why, propensity, key)."""
    found = rows(
        connection,
        "SELECT chosen_at, deliver_after, channel, message_type, arm, reason, propensity, key FROM send_choices"
        " WHERE user_id = %s ORDER BY chosen_at DESC, key LIMIT %s",
        (user_id, SHOWN),
    )
    names = ("chosen_at", "leaves_at", "channel", "message_type", "arm", "why", "propensity", "key")
    return [dict(zip(names, row, strict=True)) | {"why": WHY[Reason(row[5])]} for row in found]


def local(at: datetime, zone: str | None) -> str:
    """An instant on the person's own clock, to the minute."""
    from zoneinfo import ZoneInfo

    return f"{at.astimezone(ZoneInfo(zone or DEFAULT_ZONE)):%Y-%m-%d %H:%M %Z}"


def _clock(hours: Sequence[int] | NDArray[Any]) -> str:
    return ", ".join(f"{int(hour)}:00" for hour in hours)
