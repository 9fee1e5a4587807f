"""Send times for the send path: written by the fit and asked for by batches (`analytics.send_time_story` explains them).

A batch asks `choose_sends` before it accepts (the answer is `deliver_after`) and the reasons are kept with their
probabilities; only so can the uplift be measured.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import Connection

from analytics.bulk import stage
from analytics.send_time import Rhythms, window_scores
from analytics.send_time_choice import Arm, Choice, choose
from core.statements import as_json, execute, insert_rows, rows

EVERYBODY = "*"
"""The field of the Redis hash that holds the population's hours: whoever has no field of their own has these."""
DEFAULT_ZONE = "UTC"
MODEL_PROPENSITY = 0.5
"""Above it, the time drawn is the model's own."""

STAGED = "user_id text, curve smallint[], best_hours smallint[], events float8"
MERGE = """
MERGE INTO send_times AS kept USING staged_times AS found ON kept.user_id = found.user_id AND kept.channel = %s
WHEN MATCHED AND kept.curve IS DISTINCT FROM found.curve THEN UPDATE SET curve = found.curve,
    best_hours = found.best_hours, events = found.events, updated_at = now()
WHEN NOT MATCHED THEN INSERT (user_id, channel, curve, best_hours, events)
    VALUES (found.user_id, %s, found.curve, found.best_hours, found.events)
"""


def redis_key(channel: str) -> str:
    """The Redis hash of a channel: user id → best local hours, best first, e.g. `9,20,12`."""
    return f"mingus:send_times:{channel}"


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learnt of everybody on one channel, and whether a person's own hours may be used."""

    channel: str
    rhythms: Rhythms
    strength: float
    personalise: bool
    uplift: Mapping[str, Any] | None = None


def keep_times(
    connection: Connection,
    channel: str,
    user_ids: pd.Index,
    *,
    curves: NDArray[Any],
    hours: NDArray[Any],
    events: NDArray[Any],
) -> None:
    """Writes a shard's curves (n × 24 ten-thousandths) and best hours; rows that did not change are not touched."""
    table = pa.table(
        {
            "user_id": user_ids.to_numpy(),
            "curve": _arrays(curves),
            "best_hours": _arrays(hours),
            "events": events,
        }
    )
    stage(connection, "staged_times", STAGED, table)
    execute(connection, MERGE, (channel, channel))
    execute(connection, "DROP TABLE staged_times")


def _arrays(values: NDArray[Any]) -> list[str]:
    return ["{" + ",".join(map(str, row)) + "}" for row in values.tolist()]


def keep_fit(connection: Connection, fit: Fit, *, now: datetime) -> None:
    """Adds the fit to the history of fits; the newest one counts."""
    rhythms = {
        "weights": fit.rhythms.weights.tolist(), "shapes": fit.rhythms.shapes.tolist(),
        "log_likelihood": fit.rhythms.log_likelihood, "people": fit.rhythms.people, "rounds": fit.rhythms.rounds,
    }  # fmt: skip
    insert_rows(
        connection,
        "INSERT INTO send_time_fits (channel, fitted_at, people, strength, rhythms, personalise, uplift) VALUES %s"
        " ON CONFLICT (channel, fitted_at) DO UPDATE SET people = EXCLUDED.people, strength = EXCLUDED.strength,"
        " rhythms = EXCLUDED.rhythms, personalise = EXCLUDED.personalise, uplift = EXCLUDED.uplift",
        [
            (fit.channel, now, fit.rhythms.people, fit.strength, as_json(rhythms), fit.personalise,
             as_json(fit.uplift) if fit.uplift is not None else None)
        ],
    )  # fmt: skip


def last_fit(connection: Connection, channel: str) -> Fit | None:
    """The newest fit of a channel; None when nothing was learnt yet."""
    found = rows(
        connection,
        "SELECT rhythms, strength, personalise, uplift FROM send_time_fits WHERE channel = %s"
        " ORDER BY fitted_at DESC LIMIT 1",
        (channel,),
    )
    if not found:
        return None
    [(kept, strength, personalise, uplift)] = found
    rhythms = Rhythms(**kept | {name: np.asarray(kept[name]) for name in ("weights", "shapes")})
    return Fit(channel, rhythms, strength, personalise, uplift)


@dataclass(frozen=True, slots=True)
class Wish:
    """A send that could wait: for whom, under which idempotency key, until when it is worth something, and when it
    would go without us (`earliest`; at once when None).
    """

    user_id: str
    key: str
    deadline: datetime
    earliest: datetime | None = None


def choose_sends(
    connection: Connection,
    wishes: Sequence[Wish],
    *,
    channel: str,
    message_type: str,
    now: datetime,
    allowed: Callable[[datetime], bool] = lambda _: True,
) -> dict[str, Choice]:
    """key → when to send and why, written down with its probability; {} while the channel has learnt nothing.

    Only for deferrable types. `allowed` judges a local time; people without a zone live in UTC. A key that was asked
    for before keeps its row and its time.
    """
    fit = last_fit(connection, channel)
    if fit is None or not wishes:
        return {}
    known = {
        user_id: (zone, curve)
        for user_id, zone, curve in rows(
            connection,
            "SELECT u.id, u.time_zone, t.curve FROM users u LEFT JOIN send_times t ON t.user_id = u.id AND t.channel = %s"
            " WHERE u.id = ANY(%s)",
            (channel, [each.user_id for each in wishes]),
        )
    }
    everybody = fit.rhythms.population
    found = {}
    for wish in wishes:
        zone, curve = known.get(wish.user_id, (None, None))
        own = (
            np.asarray(curve, dtype=np.float32) / 10_000
            if curve is not None and fit.personalise
            else everybody
        )
        found[wish.key] = choose(
            window_scores(np.atleast_2d(own).astype(np.float32))[0], user_id=wish.user_id, notification_id=wish.key,
            now=now, deadline=wish.deadline, time_zone=zone or DEFAULT_ZONE, allowed=allowed, not_before=wish.earliest,
        )  # fmt: skip
    new = _log(connection, wishes, found, channel=channel, message_type=message_type, now=now)
    asked_before = [key for key, choice in found.items() if choice.until is not None and key not in new]
    for key, until in rows(
        connection, "SELECT key, deliver_after FROM send_choices WHERE key = ANY(%s)", (asked_before,)
    ):
        found[key] = replace(found[key], until=until)
    return found


def _log(
    connection: Connection,
    wishes: Sequence[Wish],
    found: Mapping[str, Choice],
    *,
    channel: str,
    message_type: str,
    now: datetime,
) -> set[str]:
    """Writes the choices down; the keys that were not known before."""
    written = insert_rows(
        connection,
        "INSERT INTO send_choices (key, user_id, channel, message_type, arm, reason, propensity, took_model, took_default,"
        " deliver_after, chosen_at) VALUES %s ON CONFLICT (key) DO NOTHING RETURNING key",
        [
            (
                wish.key, wish.user_id, channel, message_type, choice.arm, choice.reason, choice.propensity,
                choice.arm is Arm.MODEL or choice.propensity > MODEL_PROPENSITY, choice.is_default, choice.until, now,
            )
            for wish in wishes
            if (choice := found[wish.key]).until is not None
        ],
    )  # fmt: skip
    return {key for (key,) in written}
