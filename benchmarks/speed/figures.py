"""What a row says: figures with their targets, and the table, the JSON and the page that are made of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value; `met` is None where there is no target."""

    id: str
    what: str
    value: float
    unit: str
    naive: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None

    def row(self) -> dict[str, Any]:
        """As it stands in var/bench.json."""
        return asdict(self)


def number(value: float | None) -> str:
    """Three digits that count, with separators for thousands."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; `share` in (0, 1]."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * len(ordered) * 1000) // 1000) - 1)]
