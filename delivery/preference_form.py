"""A person's wishes from a form, as a whole: the first field that is wrong, or contradicts another, is named.

The form's names are `zone`, `locale`, `paused_until`, `quiet_from`, `quiet_until`, `<category>.<channel>` for a switch,
and `<category>.<wish>` for `cap`, `minimum`, `digest`, `from`, `until`, which hold on every channel of the category. A wish that
would change nothing for a category (`delivery.preferences.offered`) is no preference that we know.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from core.errors import InvalidRequest
from core.vocabulary import Category
from delivery.policies.places import zone_exists
from delivery.policies.windows import between, outside
from delivery.preferences import CategoryWishes, Wishes, offered, switches, zone_of

LONGEST_PAUSE = timedelta(days=366)
MOST_A_WEEK = 50
LARGEST_MINIMUM = Decimal(1_000_000)


def parse(form: Mapping[str, str], now: datetime) -> Wishes:
    """The wishes of a form; InvalidRequest names the first field that is wrong, or that contradicts another."""
    left = {name: value.strip() for name, value in form.items()}
    zone = left.pop("zone", "")
    if zone and not (len(zone) < 64 and zone_exists(zone) and "/" in zone):
        raise InvalidRequest("zone", "is no time zone: give a name such as America/Chicago")
    wishes = Wishes(
        time_zone=zone,
        locale=_locale(left.pop("locale", "en_US")),
        paused_until=_pause(left.pop("paused_until", ""), zone, now),
        quiet_from=_clock("quiet_from", left.pop("quiet_from", "")),
        quiet_until=_clock("quiet_until", left.pop("quiet_until", "")),
        categories={category: _category(category, left) for category in Category},
    )
    if left:
        raise InvalidRequest(min(left), "is no preference that we know")
    _agree(wishes)
    return wishes


def _category(category: Category, left: dict[str, str]) -> CategoryWishes:
    def said(wish: str, name: str) -> str:
        return left.pop(f"{category}.{name}", "") if wish in offered()[category] else ""

    return CategoryWishes(
        enabled={
            channel: _switch(f"{category}.{channel}", left.pop(f"{category}.{channel}", ""))
            for channel in switches()[category]
        },
        weekly_cap=_cap(f"{category}.cap", said("cap", "cap")),
        minimum_amount=_amount(f"{category}.minimum", said("minimum", "minimum")),
        digest=_switch(f"{category}.digest", said("digest", "digest")),
        preferred_from=_clock(f"{category}.from", said("hours", "from")),
        preferred_until=_clock(f"{category}.until", said("hours", "until")),
    )


def _agree(wishes: Wishes) -> None:
    """Refuse wishes that contradict each other."""
    _both("quiet_from", "quiet_until", wishes.quiet_from, wishes.quiet_until)
    for category, wish in wishes.categories.items():
        first, last = f"{category}.from", f"{category}.until"
        _both(first, last, wish.preferred_from, wish.preferred_until)
        if wish.preferred_from is None or wish.preferred_until is None:
            continue
        if wishes.quiet_from is None or wishes.quiet_until is None:
            continue
        loud = outside(wishes.quiet_from, wishes.quiet_until)
        liked = between(wish.preferred_from, wish.preferred_until)
        if not any(a < d and c < b for a, b in loud for c, d in liked):
            raise InvalidRequest(
                first, "the preferred hours lie within the quiet hours: nothing could ever come"
            )


def _both(first: str, last: str, begins: time | None, ends: time | None) -> None:
    if (begins is None) != (ends is None):
        missing = first if begins is None else last
        raise InvalidRequest(missing, "give both hours, or neither")
    if begins is not None and begins == ends:
        raise InvalidRequest(last, "must differ from the hour at which it begins")


def _switch(name: str, value: str) -> bool:
    if value not in {"", "on"}:
        raise InvalidRequest(name, "is a switch: give it as `on`, or leave it out")
    return value == "on"


def _clock(name: str, value: str) -> time | None:
    if not value:
        return None
    try:
        return time.fromisoformat(value if len(value) == 5 else "")
    except ValueError:
        raise InvalidRequest(name, "is no time of day: give it as 21:30") from None


def _cap(name: str, value: str) -> int | None:
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and 1 <= int(value[:4]) <= MOST_A_WEEK and len(value) < 4):
        raise InvalidRequest(name, f"must be 1 to {MOST_A_WEEK} a week; for none at all, switch it off")
    return int(value)


def _amount(name: str, value: str) -> Decimal | None:
    if not value:
        return None
    try:
        amount = Decimal(value.replace(",", "").removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not (amount.is_finite() and 0 <= amount <= LARGEST_MINIMUM):
        raise InvalidRequest(name, f"must be an amount from 0 to {LARGEST_MINIMUM:,} such as 100.00")
    return amount.quantize(Decimal("0.01")) or None


def _pause(value: str, zone: str, now: datetime) -> date | None:
    if not value:
        return None
    try:
        day = date.fromisoformat(value)
    except ValueError:
        raise InvalidRequest("paused_until", "is no date: give it as 2027-01-31") from None
    today = now.astimezone(zone_of(zone)).date()
    if day <= today:
        raise InvalidRequest("paused_until", "lies in the past: leave it empty to end the pause")
    if day > today + LONGEST_PAUSE:
        raise InvalidRequest("paused_until", "is more than a year away: switch messages off instead")
    return day


def _locale(value: str) -> str:
    from babel import Locale, UnknownLocaleError

    try:
        return str(Locale.parse(value.replace("-", "_")[:20]))
    except (UnknownLocaleError, ValueError):
        raise InvalidRequest("locale", "is no language that we know: give it as en_US") from None
