"""`mingus costs`: what was spent, from the truth; `mingus counters rebuild`: the running totals made whole."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from core.clock import utc_now
from core.errors import InvalidRequest


class By(StrEnum):
    """What the costs are grouped by."""

    TYPE = "type"
    USER = "user"
    PROVIDER = "provider"


_COLUMNS: Mapping[By, str] = {By.TYPE: "message_type", By.USER: "user_id", By.PROVIDER: "provider"}
_SUMS = (
    "SELECT COALESCE({column}, ''), count(*) FILTER (WHERE kind = 'sent'), sum(price),"
    " COALESCE(sum(price) FILTER (WHERE kind = 'price_settled'), 0) FROM delivery_events"
    " WHERE at >= %s AND at < %s AND price IS NOT NULL GROUP BY 1 ORDER BY 3 DESC, 1 LIMIT %s"
)

counters_app = typer.Typer(help="The running totals in Redis.", no_args_is_help=True)


def costs(
    day: Annotated[str, typer.Option(help="a UTC day, 2026-11-24; today when neither is given")] = "",
    month: Annotated[str, typer.Option(help="a UTC month, 2026-11")] = "",
    by: Annotated[By, typer.Option(help="what to group by")] = By.TYPE,
    top: Annotated[int, typer.Option(min=1, help="how many lines")] = 50,
) -> None:
    """Show what was spent in a day or month: estimates where the provider has not told its price yet."""
    from rich.console import Console
    from rich.table import Table

    from core.database import transaction
    from core.statements import rows

    first, after, name = _period(day, month)
    bounds = (_midnight(first), _midnight(after))
    with transaction() as connection:
        found = rows(connection, _SUMS.format(column=_COLUMNS[by]), (*bounds, top))
        total, messages = rows(
            connection,
            "SELECT COALESCE(sum(price), 0), count(*) FILTER (WHERE kind = 'sent') FROM delivery_events"
            " WHERE at >= %s AND at < %s AND price IS NOT NULL",
            bounds,
        )[0]
    table = Table(title=f"Costs of {name} (UTC) by {by}", title_justify="left")
    table.add_column(str(by))
    for heading in ("messages", "USD", "share", "settled by"):
        table.add_column(heading, justify="right")
    for group, number, spent, settled in found:
        share = f"{spent / total:.1%}" if total else "–"
        table.add_row(group or "–", f"{number:,}", f"{spent:,.4f}", share, f"{settled:+,.4f}")
    table.add_section()
    table.add_row("all", f"{messages:,}", f"{total:,.4f}", "", "")
    console = Console(highlight=False)
    console.print(table)
    _show_budgets(console.print)


@counters_app.command()
def rebuild(
    day: Annotated[str, typer.Option(help="a UTC day, 2026-11-24; today when empty")] = "",
) -> None:
    """Replace a day's running totals by SQL's sums; safe while messages are sent."""
    from core.database import transaction
    from delivery import counters

    chosen = _day(day) if day else utc_now().date()
    with transaction() as connection:
        whole = counters.rebuild(connection, chosen)
    found = counters.totals(chosen)
    if not whole or found is None:
        raise InvalidRequest("REDIS_URL", "Redis was lost while the totals were rebuilt: run it again")
    print(f"{chosen}: {sum(found.events.values()):,} events, {found.cost:,.6f} USD")


@counters_app.callback()
def _counters() -> None:
    """Keeps the sub-command's name although there is only one."""


def _show_budgets(tell: Callable[[str], None]) -> None:
    from delivery import budgets

    for each in budgets.standings(utc_now()):
        tell(
            f"budget {each.name}: {each.spent:,.4f} of {each.limit} USD ({each.percent:.0f} %),"
            f" until {each.until:%Y-%m-%d %H:%M} UTC"
        )


def _period(day: str, month: str) -> tuple[date, date, str]:
    """(first day, day after the last, name)."""
    if day and month:
        raise InvalidRequest("--day / --month", "give one of them")
    if month:
        first = _day(f"{month}-01", option="--month", example="2026-11")
        return first, (first + timedelta(days=32)).replace(day=1), month
    first = _day(day) if day else utc_now().date()
    return first, first + timedelta(days=1), str(first)


def _day(text: str, *, option: str = "--day", example: str = "2026-11-24") -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(option, f"must look like {example}") from None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
