"""Job postings and people's wishes as files, read in by the commands' own importer: what career insights speak about."""

import csv
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from analytics.job_import import Imported, import_careers, import_postings
from cli.demo.population import SEED

DAYS = 180
ASPIRING = 0.4
"""The share of people who have told a wish."""
COUNTRIES = {"US": (70, "USD", 1.0), "GB": (18, "GBP", 0.62), "DE": (12, "EUR", 0.72)}
"""weight, currency, pay against the US."""
EVERYWHERE = {"communication": 0.5, "excel": 0.4, "english": 0.3}


@dataclass(frozen=True, slots=True)
class Role:
    """A role's market: how many postings, how much more in the newer half, the middle of its pay, who asks for what."""

    name: str
    postings: int
    growth: float
    pay: int
    skills: Mapping[str, float]


ROLES: Sequence[Role] = (
    Role("Data Analyst", 220, 1.5, 84_000, {"sql": 0.85, "python": 0.6, "power bi": 0.35, "statistics": 0.4, "dbt": 0.15}),
    Role("Registered Nurse", 260, 1.0, 88_000, {"patient care": 0.8, "bls": 0.6, "icu": 0.25, "epic": 0.3}),
    Role("Software Engineer", 200, 0.6, 128_000, {"python": 0.5, "git": 0.7, "kubernetes": 0.35, "aws": 0.45, "go": 0.2}),
    Role("Project Manager", 160, 1.1, 98_000, {"scrum": 0.55, "budgeting": 0.4, "pmp": 0.3, "jira": 0.5}),
    Role("Electrician", 120, 1.2, 63_000, {"wiring": 0.8, "blueprints": 0.45, "solar": 0.25, "plc": 0.15}),
    Role("Beekeeper", 6, 1.0, 41_000, {"hives": 0.9}),
)  # fmt: skip
"""Of beekeepers there is too little to say anything."""


def load(folder: Path, ids: Sequence[str], *, now: datetime) -> tuple[Imported, Imported]:
    """Write both files and import them: (postings, careers)."""
    dice = random.Random(SEED)
    folder.mkdir(parents=True, exist_ok=True)
    jobs, people = folder / "jobs.csv", folder / "careers.csv"
    _write(
        jobs, "id,role,country,posted_on,salary_low,salary_high,currency,skills",
        (row for role in ROLES for row in _postings(role, dice, now.date())),
    )  # fmt: skip
    _write(
        people, "user_id,role,wanted_role,salary,skills",
        (_career(user, dice) for user in ids if dice.random() < ASPIRING),
    )  # fmt: skip
    return import_postings(jobs), import_careers(people)


def _postings(role: Role, dice: random.Random, today: date) -> Iterable[Sequence[object]]:
    for number in range(role.postings):
        country = dice.choices(list(COUNTRIES), [weight for weight, _, _ in COUNTRIES.values()])[0]
        _, currency, against = COUNTRIES[country]
        is_new = dice.random() < role.growth / (1 + role.growth)
        age = dice.randrange(DAYS // 2) + (0 if is_new else DAYS // 2)
        middle = round(role.pay * against * dice.lognormvariate(0, 0.16), -2)
        pay = (round(middle * 0.92), round(middle * 1.08)) if dice.random() < 0.8 else ("", "")
        skills = [name for name, share in {**role.skills, **EVERYWHERE}.items() if dice.random() < share]
        name = f"{role.name.lower().replace(' ', '-')}-{number:04d}"
        yield name, role.name, country, today - timedelta(days=age), *pay, currency, ";".join(skills)


def _career(user: str, dice: random.Random) -> Sequence[object]:
    wanted = dice.choices(ROLES, [3, 2, 3, 2, 1, 1])[0]
    skills = [name for name, share in {**wanted.skills, **EVERYWHERE}.items() if dice.random() < share * 0.7]
    return (
        user,
        dice.choice(ROLES).name,
        wanted.name,
        round(wanted.pay * dice.uniform(0.7, 1.1), -2),
        ";".join(skills),
    )


def _write(path: Path, header: str, lines: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(lines)
