"""Postings and careers from CSV files: every row is checked on its own, and a wrong one is told by its line."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, model_validator

from core.database import transaction
from core.errors import InvalidRequest
from core.statements import insert_rows, rows

MOST_PROBLEMS = 20
CHUNK = 5000
Row = TypeVar("Row", bound=BaseModel)


def _listed(value: object) -> object:
    if not isinstance(value, str):
        return value
    return sorted({skill.strip().lower() for skill in value.split(";") if skill.strip()})


Skills = Annotated[list[Annotated[str, Field(max_length=60)]], BeforeValidator(_listed)]
"""Separated by semicolons, compared in lower case."""
Pay = Annotated[
    Decimal | None, BeforeValidator(lambda value: value or None), Field(gt=0, max_digits=14, decimal_places=2)
]
Role = Annotated[str, Field(min_length=1, max_length=80)]


class PostingRow(BaseModel):
    """id, role, country, posted_on, salary_low, salary_high, currency, skills."""

    id: Annotated[str, Field(min_length=1, max_length=120)]
    role: Role
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    posted_on: date
    salary_low: Pay = None
    salary_high: Pay = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "USD"
    skills: Skills = []

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.salary_low and self.salary_high and self.salary_low > self.salary_high:
            raise ValueError("salary_low is above salary_high")
        return self


class CareerRow(BaseModel):
    """user_id, role, wanted_role, salary, skills."""

    user_id: Annotated[str, Field(min_length=1)]
    role: Role
    wanted_role: Role
    salary: Pay = None
    skills: Skills = []


@dataclass(slots=True)
class Imported:
    """How many rows were written, how many were not, and the first problems."""

    written: int = 0
    refused: int = 0
    problems: list[str] = field(default_factory=list)

    def refuse(self, line: int, problem: str) -> None:
        """Counts a row that can't be written."""
        self.refused += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"line {line}: {problem}")


def import_postings(path: Path) -> Imported:
    """Insert or replace the postings of a file; InvalidRequest when it is no such file at all."""
    result = Imported()
    sql = (
        "INSERT INTO job_postings (id, role, country, posted_on, salary_low, salary_high, currency, skills) VALUES %s"
        " ON CONFLICT (id) DO UPDATE SET role = EXCLUDED.role, country = EXCLUDED.country,"
        " posted_on = EXCLUDED.posted_on, salary_low = EXCLUDED.salary_low, salary_high = EXCLUDED.salary_high,"
        " currency = EXCLUDED.currency, skills = EXCLUDED.skills, imported_at = now()"
    )
    found = {
        row.id: (
            row.id,
            row.role,
            row.country,
            row.posted_on,
            row.salary_low,
            row.salary_high,
            row.currency,
            row.skills,
        )
        for _, row in _checked(path, PostingRow, result)
    }
    _write(sql, list(found.values()), "(%s, %s, %s, %s, %s::numeric, %s::numeric, %s, %s::text[])")
    result.written = len(found)
    return result


def import_careers(path: Path) -> Imported:
    """Insert or replace people's careers; a row of an unknown user is refused by its line."""
    result = Imported()
    checked = list(_checked(path, CareerRow, result))
    with transaction() as connection:
        ids = [row.user_id for _, row in checked]
        known = {user for (user,) in rows(connection, "SELECT id FROM users WHERE id = ANY(%s)", (ids,))}
    found = {}
    for line, row in checked:
        if row.user_id in known:
            found[row.user_id] = (row.user_id, row.role, row.wanted_role, row.salary, row.skills)
        else:
            result.refuse(line, f"no user {row.user_id!r}")
    sql = (
        "INSERT INTO careers (user_id, role, wanted_role, salary, skills) VALUES %s ON CONFLICT (user_id) DO UPDATE SET"
        " role = EXCLUDED.role, wanted_role = EXCLUDED.wanted_role, salary = EXCLUDED.salary,"
        " skills = EXCLUDED.skills, updated_at = now()"
    )
    _write(sql, list(found.values()), "(%s, %s, %s, %s::numeric, %s::text[])")
    result.written = len(found)
    return result


def _write(sql: str, values: list[tuple[Any, ...]], template: str) -> None:
    with transaction() as connection:
        for start in range(0, len(values), CHUNK):
            insert_rows(connection, sql, values[start : start + CHUNK], template=template)


def _checked(path: Path, kind: type[Row], result: Imported) -> Iterator[tuple[int, Row]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {name for name, each in kind.model_fields.items() if each.is_required()} - set(
                reader.fieldnames or ()
            )
            if missing:
                raise InvalidRequest(
                    "file", f"lacks the columns {', '.join(sorted(missing))}; {kind.__doc__}"
                )
            for line, row in enumerate(reader, start=2):
                given = {
                    name: value
                    for name, value in row.items()
                    if name in kind.model_fields and value not in {None, ""}
                }
                try:
                    yield line, kind.model_validate(given)
                except ValidationError as error:
                    first = error.errors()[0]
                    result.refuse(line, f"{'.'.join(map(str, first['loc'])) or 'row'}: {first['msg']}")
    except OSError as error:
        raise InvalidRequest("file", f"can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidRequest("file", "is not UTF-8 text: save it as CSV UTF-8") from None
    except csv.Error as error:
        raise InvalidRequest("file", f"is no CSV: {error}") from None
