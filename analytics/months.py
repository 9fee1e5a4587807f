"""Calendar months as values: read from "2025-01", counted, and turned into half-open ranges of dates."""

import re
from dataclasses import dataclass
from datetime import date

from core.errors import InvalidRequest

_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One calendar month; `index` counts months since January 1970, as numpy's datetime64[M] does."""

    index: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month of "2025-01"; InvalidRequest for anything else."""
        found = _MONTH.fullmatch(text)
        if found is None:
            raise InvalidRequest("month", f"must look like 2025-01, not {text[:20]!r}")
        return cls((int(found[1]) - 1970) * 12 + int(found[2]) - 1)

    @classmethod
    def of(cls, day: date) -> "Month":
        """The month that holds `day`."""
        return cls((day.year - 1970) * 12 + day.month - 1)

    def plus(self, months: int) -> "Month":
        """The month that is `months` later (earlier when negative)."""
        return Month(self.index + months)

    @property
    def first(self) -> date:
        """Its first day."""
        return date(1970 + self.index // 12, self.index % 12 + 1, 1)

    @property
    def end(self) -> date:
        """The first day of the next month."""
        return self.plus(1).first

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.first).days

    def __str__(self) -> str:
        return f"{self.first:%Y-%m}"
