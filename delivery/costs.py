"""What sending costs, in Decimal USD: estimated by the price card before the call; the real price is booked after.

The card is `price_card.csv`: provider × channel × country, per unit, between two dates, with its source. The most
specific row in force decides; `*` stands for any. A change of price is a new row. `delivery.booking` settles.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path

from core.errors import SettingsError
from core.settings import settings
from core.vocabulary import Channel

FILE = Path(__file__).with_name("price_card.csv")
ANY = "*"
UNITS: Mapping[Channel, str] = {Channel.SMS: "segment", Channel.EMAIL: "mail"}
"""What a channel is billed by."""
SMALLEST = Decimal("0.000001")
"""Amounts are kept to the millionth of a USD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRow:
    """USD per unit of a channel at a provider to a country, on the days in [effective_from, effective_until)."""

    provider: str
    channel: Channel
    country: str
    price: Decimal
    effective_from: date
    effective_until: date | None
    source: str

    def in_force(self, day: date) -> bool:
        """Whether the row holds on `day`."""
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)

    def meets(self, other: "PriceRow") -> bool:
        """Whether both speak of the same and of a common day."""
        same = (self.provider, self.channel, self.country) == (other.provider, other.channel, other.country)
        later = self if self.effective_from >= other.effective_from else other
        return same and self.in_force(later.effective_from) and other.in_force(later.effective_from)


@cache
def price_card(file: Path = FILE) -> Sequence[PriceRow]:
    """All rows; SettingsError names a broken line, or two rows that contradict each other."""
    found: list[PriceRow] = []
    with file.open(encoding="utf-8", newline="") as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                found.append(_row(row))
            except (ValueError, KeyError, TypeError, InvalidOperation) as problem:
                raise SettingsError(f"{file.name} line {number}: {problem}") from None
    for first, second in combinations(found, 2):
        if first.meets(second):
            raise SettingsError(f"{file.name}: two prices of {second.provider} to {second.country} at a time")
    return found


def unit_price(channel: Channel, *, on: date, provider: str = "", country: str = "") -> Decimal:
    """USD per unit of `channel` (per SMS segment, per mail) on that day; MINGUS_SMS_PRICE and _EMAIL_PRICE go first."""
    given = settings().sms_price if channel is Channel.SMS else settings().email_price
    return given if given is not None else _listed(channel, provider, country, on)


def estimate(channel: Channel, units: int, *, on: date, provider: str = "", country: str = "") -> Decimal:
    """USD that `units` will cost, exact."""
    return unit_price(channel, on=on, provider=provider, country=country) * units


@lru_cache(maxsize=4096)
def _listed(channel: Channel, provider: str, country: str, on: date) -> Decimal:
    for name, place in ((provider, country), (ANY, country), (provider, ANY), (ANY, ANY)):
        for row in price_card():
            if (row.provider, row.channel, row.country) == (name, channel, place) and row.in_force(on):
                return row.price
    raise SettingsError(
        f"{FILE.name}: no price of {channel} on {on}; a row with provider * and country * is needed"
    )


def _row(row: Mapping[str, str]) -> PriceRow:
    channel = Channel(row["channel"])
    if row["unit"] != UNITS[channel]:
        raise ValueError(f"unit must be {UNITS[channel]}")
    price = Decimal(row["price_usd"])
    if not 0 <= price < 100:
        raise ValueError("price_usd must be from 0 to 100")
    if not row["source"]:
        raise ValueError("a price needs its source")
    return PriceRow(
        provider=row["provider"],
        channel=channel,
        country=row["country"],
        price=price,
        effective_from=date.fromisoformat(row["effective_from"]),
        effective_until=date.fromisoformat(row["effective_until"]) if row["effective_until"] else None,
        source=row["source"],
    )
