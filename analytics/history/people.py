"""The people of the past: where they live, when they are there, how they answer, and what reads their mail for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.vocabulary import Channel

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Texts = NDArray[np.object_]

ZONES = {
    "America/New_York": 0.40, "America/Chicago": 0.25, "America/Denver": 0.08, "America/Los_Angeles": 0.20,
    "America/Phoenix": 0.03, "Pacific/Honolulu": 0.02, "Europe/London": 0.02,
}  # fmt: skip
DOMAINS = {
    "gmail.com": 0.50,
    "icloud.com": 0.15,
    "yahoo.com": 0.14,
    "outlook.com": 0.13,
    "corp.example": 0.08,
}

# peaks of a day: (hour, hours wide, weight)
RHYTHMS: Sequence[tuple[float, Sequence[tuple[float, float, float]]]] = (
    (0.30, ((8, 1.5, 0.5), (19, 2.5, 0.5))),  # before and after work
    (0.25, ((12.5, 1.2, 0.5), (21, 2.0, 0.5))),  # at lunch and at night
    (0.20, ((6.5, 1.2, 0.8), (17, 3.0, 0.2))),  # early birds
    (0.15, ((23, 2.0, 0.7), (14, 3.0, 0.3))),  # night owls
    (0.10, ((10, 3.5, 0.5), (15, 3.5, 0.5))),  # the whole day
)


@dataclass(frozen=True, slots=True)
class People:
    """One entry per person in each array; `curves` (n × 24) is when they are there, local time, rows sum to 1.

    `best` is each person's highest share in three hours; `engagement` scales their answers (mean 1); `proxied` mail
    is opened by a privacy proxy, `scanned` mail has all its links followed by a filter.
    """

    user_ids: Texts
    zones: Texts
    domains: Texts
    contact_points: dict[Channel, Texts]
    reachable: dict[Channel, Flags]
    curves: Floats
    best: Floats
    engagement: Floats
    proxied: Flags
    scanned: Flags
    unsubscribed: Flags

    def __len__(self) -> int:
        return len(self.user_ids)


def invent_people(count: int, *, seed: int = 0, prefix: str = "person_") -> People:
    """People who are in no database, for histories of events only."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"{prefix}{number:07d}" for number in range(count)], dtype=object)
    zones = rng.choice(np.array(list(ZONES), dtype=object), count, p=_shares(ZONES))
    domains = rng.choice(np.array(list(DOMAINS), dtype=object), count, p=_shares(DOMAINS))
    points = dict.fromkeys(Channel, np.full(count, "nowhere", dtype=object))
    return give_habits(ids, zones=zones, domains=domains, points=points, rng=rng)


def people_of(rows: Sequence[tuple[Any, ...]], rng: np.random.Generator) -> People:
    """People of the database: rows (user id, zone or None, {channel: [contact point id, domain]})."""
    ids = np.array([row[0] for row in rows], dtype=object)
    zones = np.array([row[1] or "UTC" for row in rows], dtype=object)
    points = {
        channel: np.array([str((row[2].get(channel) or ("",))[0]) for row in rows], dtype=object)
        for channel in Channel
    }
    domains = np.array([(row[2].get(Channel.EMAIL) or ("", ""))[1] for row in rows], dtype=object)
    return give_habits(ids, zones=zones, domains=domains, points=points, rng=rng)


def give_habits(
    ids: Texts, *, zones: Texts, domains: Texts, points: dict[Channel, Texts], rng: np.random.Generator
) -> People:
    """The same people with a rhythm each, a liking for answering, and what stands between them and their mail."""
    count = len(ids)
    curves = _curves(count, rng)
    ahead = curves + np.roll(curves, -1, axis=1) + np.roll(curves, -2, axis=1)
    return People(
        user_ids=ids,
        zones=zones,
        domains=domains,
        contact_points=points,
        reachable={channel: ids_there != "" for channel, ids_there in points.items()},
        curves=curves,
        best=ahead.max(axis=1),
        engagement=rng.gamma(2.0, 0.5, count),
        proxied=(domains == "icloud.com") | (rng.random(count) < 0.25),
        scanned=(domains == "corp.example") & (rng.random(count) < 0.6),
        unsubscribed=np.zeros(count, dtype=bool),
    )


def _curves(count: int, rng: np.random.Generator) -> Floats:
    kinds = rng.choice(len(RHYTHMS), count, p=[share for share, _ in RHYTHMS])
    shift = rng.normal(0, 1.0, count)
    hours = np.arange(24)
    curves = np.full((count, 24), 0.008)
    for kind, (_, peaks) in enumerate(RHYTHMS):
        mine = np.flatnonzero(kinds == kind)
        for hour, width, weight in peaks:
            away = (hours[None, :] - hour - shift[mine, None] + 12) % 24 - 12
            curves[mine] += weight / width * np.exp(-0.5 * (away / width) ** 2)
    return np.asarray(curves / curves.sum(axis=1, keepdims=True))


def _shares(table: dict[str, float]) -> Floats:
    shares = np.array(list(table.values()))
    return np.asarray(shares / shares.sum())
