"""A believable population, the same for the same seed: people around the world with consents, wishes, bills and money."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from core.ids import new_id
from core.statements import insert_rows, rows
from core.vocabulary import Category, Channel, ConsentLevel, LawfulBasis, Purpose
from delivery.consents import ConsentEntry
from delivery.people import NewPerson, add_people

PEOPLE = 1200
SEED = 20250101


@dataclass(frozen=True, slots=True)
class Place:
    """Where people live; the Ns of `number` stand for the digits that differ, in a range of examples."""

    zone: str
    country: str
    state: str
    locale: str
    number: str
    weight: int


PLACES: Sequence[Place] = (
    Place("America/New_York", "US", "NY", "en_US", "+1212555NNNN", 22),
    Place("America/Chicago", "US", "IL", "en_US", "+1312555NNNN", 18),
    Place("America/Denver", "US", "CO", "en_US", "+1303555NNNN", 9),
    Place("America/Los_Angeles", "US", "CA", "en_US", "+1213555NNNN", 16),
    Place("America/Phoenix", "US", "AZ", "en_US", "+1602555NNNN", 4),
    Place("America/Anchorage", "US", "AK", "en_US", "+1907555NNNN", 2),
    Place("Pacific/Honolulu", "US", "HI", "en_US", "+1808555NNNN", 4),
    Place("Europe/London", "GB", "", "en_GB", "+447400123NNN", 7),
    Place("Europe/Berlin", "DE", "", "de_DE", "+4917139200NN", 4),
    Place("Asia/Dubai", "AE", "", "en_US", "+97150123NNNN", 3),
    Place("Asia/Kolkata", "IN", "", "en_IN", "+91981234NNNN", 4),
    Place("Asia/Tokyo", "JP", "", "ja_JP", "+81901234NNNN", 3),
    Place("Australia/Sydney", "AU", "", "en_AU", "+61491570NNN", 4),
)
"""The bounds of some ranges are narrow: numbers repeat there, as they do in families."""

FIRST_NAMES = (
    "Maya", "Noor", "Dan", "Aiko", "Luis", "Grace", "Omar", "Ines", "Ben", "Priya", "Tom", "Zoë", "Kofi", "Elena",
    "Sam", "Yuki", "Amara", "Jonas", "Leila", "Marcus", "Ana", "Viktor", "Chloe", "Diego", "Fatima", "Hugo",
)  # fmt: skip
LAST_NAMES = (
    "Johnson", "Okafor", "Garcia", "Nguyen", "Schmidt", "Patel", "Rossi", "Kim", "Silva", "Haddad", "Novak", "Moreau",
)  # fmt: skip
WORDING = "Yes, send me account alerts and updates from MINGUS. Message and data rates may apply. Reply STOP to end."
SPENDING = {  # category: (mean per month in USD, transactions per month)
    "housing": (1400, 1), "groceries": (420, 9), "transport": (160, 7), "dining": (210, 8), "utilities": (180, 3),
    "shopping": (190, 4), "health": (90, 1),
}  # fmt: skip
MERCHANTS = {
    "housing": ("Rent",), "groceries": ("Fresh Market", "Corner Shop", "Green Grocer"), "transport": ("Metro", "Fuel Stop"),
    "dining": ("Noodle Bar", "Bistro 21", "Café Luna"), "utilities": ("City Power", "Water Works"),
    "shopping": ("Homeware", "Book Shop", "Sports Depot"), "health": ("Pharmacy",),
}  # fmt: skip
MEMBERSHIPS = (("Streamly", "12.99", 9), ("City Gym", "34.00", 3))
"""Paid on the same day of each month; (name, amount, day)."""
MONTHS = 7


def load(connection: Connection, *, now: datetime, people: int = PEOPLE, seed: int = SEED) -> list[str]:
    """Write a population beside those of earlier runs; the ids of its people in order."""
    earlier = int(rows(connection, "SELECT count(*) FROM users")[0][0])
    dice = random.Random(seed + earlier)
    persons = [
        person(
            earlier + number,
            dice,
            dice.choices(PLACES, [each.weight for each in PLACES])[0],
            joined=now - timedelta(days=dice.uniform(20, 900)),
        )
        for number in range(people)
    ]
    add_people(connection, persons, known=True)
    ids = [each.id for each in persons]
    _preferences(connection, ids, dice, now)
    _money(connection, ids, dice, now.date())
    return ids


def daytime_people(ids: Sequence[str], zones: dict[str, str], now: datetime) -> list[str]:
    """Those for whom it is a time between 11 and 16 o'clock: within the permitted hours everywhere."""
    return [each for each in ids if time(11) <= now.astimezone(ZoneInfo(zones[each])).time() <= time(16)]


def person(number: int, dice: random.Random, place: Place, *, joined: datetime) -> NewPerson:
    """The person of that number, with what they agreed to when they joined."""
    name = f"{dice.choice(FIRST_NAMES)} {dice.choice(LAST_NAMES)}"
    user_id = f"user_{number + 1:04d}"
    return NewPerson(
        id=user_id,
        name=name,
        phone=_phone(place.number, number),
        email=_mail(number, dice),
        locale=place.locale,
        time_zone=place.zone,
        country=place.country,
        state=place.state,
        birthday=date(dice.randint(1955, 2005), dice.randint(1, 12), dice.randint(1, 28)),
        joined_at=joined,
        consents=tuple(_consents(user_id, dice, joined)),
    )


def _phone(pattern: str, number: int) -> str:
    room = pattern.count("N")
    return pattern.rstrip("N") + str(number % 10**room).zfill(room)


def _mail(number: int, dice: random.Random) -> str:
    """Mostly ordinary addresses; a few are the simulator's, which bounce or complain as the vendor documents it."""
    fate = dice.random()
    if fate < 0.008:
        return f"bounced+{number}@resend.dev"
    if fate < 0.011:
        return f"complained+{number}@resend.dev"
    return f"person{number}@{dice.choice(('mail', 'post', 'inbox'))}.example"


def _consents(user_id: str, dice: random.Random, joined: datetime) -> Iterator[ConsentEntry]:
    keen = dice.random()
    for channel in Channel:
        for purpose in Purpose:
            if purpose in {Purpose.MARKETING, Purpose.WELLNESS} and keen > 0.93:
                continue
            yield ConsentEntry(
                user_id=user_id, channel=channel, purpose=purpose, granted=True, method="sign_up_form",
                level=ConsentLevel.EXPRESS_WRITTEN, lawful_basis=LawfulBasis.CONSENT, wording=WORDING,
                wording_version="2025-01", source="app/sign-up", at=joined,
            )  # fmt: skip
    if keen < 0.03:
        yield ConsentEntry(
            user_id=user_id, channel=Channel.EMAIL, purpose=Purpose.MARKETING, granted=False, method="unsubscribe_link",
            source="email", at=joined + timedelta(days=10),
        )  # fmt: skip


def _preferences(connection: Connection, ids: Sequence[str], dice: random.Random, now: datetime) -> None:
    values: list[tuple[object, ...]] = []
    for user_id in ids:
        luck = dice.random()
        if luck < 0.04:
            values.append((user_id, Category.EDUCATION, Channel.EMAIL, False, None, None, False))
        elif luck < 0.06:
            values.append(
                (user_id, Category.EDUCATION, Channel.EMAIL, True, None, now + timedelta(days=2), False)
            )
        elif luck < 0.12:
            values.append((user_id, Category.PAYMENTS, Channel.SMS, True, Decimal(100), None, False))
        elif luck < 0.15:
            values.append((user_id, Category.EDUCATION, Channel.EMAIL, True, None, None, True))
    insert_rows(
        connection,
        "INSERT INTO preferences (user_id, category, channel, enabled, minimum_amount, paused_until, digest) VALUES %s"
        " ON CONFLICT DO NOTHING",
        values,
        template="(%s, %s, %s, %s, %s::numeric, %s::timestamptz, %s)",
    )


def _money(connection: Connection, ids: Sequence[str], dice: random.Random, today: date) -> None:
    bills: list[tuple[object, ...]] = []
    goals: list[tuple[object, ...]] = []
    budgets: list[tuple[object, ...]] = []
    moved: list[tuple[object, ...]] = []
    first = (today.replace(day=1) - timedelta(days=31 * (MONTHS - 1))).replace(day=1)
    for user_id in ids:
        income = Decimal(dice.randint(2400, 6800))
        bills.append(
            (new_id(), user_id, "Rent", income * 3 / 10, today + timedelta(days=dice.randint(0, 14)), False)
        )
        bills.append(
            (
                new_id(),
                user_id,
                "Electricity",
                Decimal(dice.randint(40, 160)),
                today + timedelta(days=3),
                dice.random() < 0.5,
            )
        )
        target = Decimal(dice.randint(10, 90) * 100)
        goals.append(
            (
                new_id(),
                user_id,
                dice.choice(("Emergency fund", "Holiday", "New laptop")),
                target,
                target * dice.randint(10, 100) / 100,
            )
        )
        budgets += [
            (user_id, category, Decimal(round(mean * 1.1))) for category, (mean, _) in SPENDING.items()
        ]
        moved += transactions(user_id, income, dice, first, today)
    insert_rows(connection, "INSERT INTO bills (id, user_id, name, amount, due_on, autopay) VALUES %s", bills)
    insert_rows(connection, "INSERT INTO goals (id, user_id, name, target, saved) VALUES %s", goals)
    insert_rows(
        connection,
        "INSERT INTO budgets (user_id, category, monthly) VALUES %s ON CONFLICT DO NOTHING",
        budgets,
    )
    insert_rows(
        connection,
        "INSERT INTO transactions (id, user_id, booked_on, amount, category, merchant) VALUES %s",
        moved,
    )


def transactions(
    user_id: str, income: float | Decimal, dice: random.Random, first: date, today: date
) -> Iterator[tuple[object, ...]]:
    """Pay and spending of each month from `first` (its first day) until today."""
    day = first
    while day <= today:
        yield (new_id(), user_id, day, income, "income", "Payroll")
        for category, (mean, count) in SPENDING.items():
            for _ in range(max(1, round(count * dice.uniform(0.5, 1.1) / 2))):
                amount = -Decimal(round(mean / max(1, count / 2) * dice.lognormvariate(0, 0.25), 2))
                booked = day + timedelta(days=dice.randint(0, 27))
                if booked <= today:
                    yield (new_id(), user_id, booked, amount, category, dice.choice(MERCHANTS[category]))
        for name, price, on in MEMBERSHIPS:
            if day.replace(day=on) <= today:
                yield (new_id(), user_id, day.replace(day=on), -Decimal(price), "subscriptions", name)
        day = (day + timedelta(days=31)).replace(day=1)
