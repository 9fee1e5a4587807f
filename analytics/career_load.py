"""Postings and careers as frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd

from analytics.career import SALARY_DAYS
from analytics.load import read
from core.database import transaction
from core.statements import rows

_POSTINGS = """
SELECT id, role, country, (posted_on - DATE '1970-01-01')::int8 AS day, (salary_low * 100)::float8 AS low,
       (salary_high * 100)::float8 AS high, currency, array_to_string(skills, chr(31)) AS skills
FROM job_postings WHERE posted_on > $1 AND posted_on <= $2
  AND coalesce(salary_low, 0) <> 'NaN' AND coalesce(salary_high, 0) <> 'NaN'
"""
_CAREERS = """
SELECT c.user_id, c.role, c.wanted_role, c.salary, c.skills, u.country FROM careers c JOIN users u ON u.id = c.user_id
WHERE c.user_id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class CareerOf:
    """Where a person stands and what they want."""

    user_id: str
    role: str
    wanted_role: str
    salary: Decimal | None
    skills: Sequence[str]
    country: str


def postings_until(connection: Any, today: date) -> pd.DataFrame:
    """The postings of the year up to `today`; salaries in cents or empty, skills as a list."""
    frame = read(connection, _POSTINGS, (today - timedelta(days=SALARY_DAYS), today))
    skills = [text.split("\x1f") if text else [] for text in frame["skills"].tolist()]
    return frame.assign(skills=pd.Series(skills, index=frame.index, dtype=object))


def careers_of(users: Sequence[str]) -> dict[str, CareerOf]:
    """By user."""
    with transaction() as connection:
        return {row[0]: CareerOf(*row) for row in rows(connection, _CAREERS, (list(users),))}
