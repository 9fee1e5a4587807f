"""The newest results as tables, for the pages that the artifacts link to: what is kept in Postgres, read as it is.

The addresses are signed: they are meant for whoever can see the Prefect UI, not for everybody who finds the web app.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from analytics.delivery_figures import shown
from core.crypto import keyring
from core.errors import InvalidSignature
from core.statements import rows

PURPOSE = "findings"


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, the names of the columns, and rows of text; no rows when nothing is known."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def path_of(name: str) -> str:
    """The path of a page of findings, with our signature."""
    return f"/findings/{name}/{keyring().sign(name, purpose=PURPOSE)}"


def tables_of(connection: Connection, name: str, signature: str) -> list[Table]:
    """The tables of the page `name`; InvalidSignature for a name or a signature that is not ours."""
    if name not in PAGES or not keyring().signed(name, signature, purpose=PURPOSE):
        raise InvalidSignature("this link was not made by us, or was changed")
    return PAGES[name](connection)


def _alarms(connection: Connection) -> Table:
    found = rows(
        connection, "SELECT raised_at, sentence FROM alarms WHERE ended_at IS NULL ORDER BY raised_at DESC"
    )
    return Table("Open alarms", ("since", "what"), [(f"{at:%Y-%m-%d %H:%M}", text) for at, text in found])


def _delivery(connection: Connection) -> list[Table]:
    found = rows(
        connection,
        "SELECT grouping, name, figures, window_start, window_end FROM delivery_rates WHERE (window_start, window_end) ="
        " (SELECT window_start, window_end FROM delivery_rates ORDER BY window_end DESC, computed_at DESC LIMIT 1)"
        " ORDER BY grouping, (figures -> 'counts' ->> 'sent')::bigint DESC",
    )
    title = f"{found[0][3]:%Y-%m-%d %H:%M} to {found[0][4]:%Y-%m-%d %H:%M} UTC" if found else "No window yet"
    lines = [
        (
            grouping, name, f"{figures['counts']['sent']:,}",
            *(shown(figures["rates"].get(rate)) for rate in ("delivery", "timely_delivery", "bounce", "human_open", "click")),
            f"${figures['cost']:,.4f}",
        )
        for grouping, name, figures, *_ in found
    ]  # fmt: skip
    columns = (
        "by", "group", "sent", "delivered", "within 10 minutes", "hard bounces", "human opens", "clicks", "cost",
    )  # fmt: skip
    return [_alarms(connection), Table(title, columns, lines)]


def _timeline(connection: Connection) -> list[Table]:
    found = rows(
        connection,
        "SELECT date_bin('1 hour', slot, 'epoch') AS hour, channel, sum(sent), sum(delivered), sum(timely), sum(bounced_hard)"
        " FROM try_slots WHERE slot > now() - interval '48 hours' GROUP BY 1, 2 ORDER BY 1 DESC, 2",
    )
    lines = [
        (f"{hour:%Y-%m-%d %H:%M}", channel, *(f"{n:,}" for n in counts)) for hour, channel, *counts in found
    ]
    columns = ("hour (UTC)", "channel", "sent", "delivered", "within 10 minutes", "hard bounces")
    return [Table("The last 48 hours", columns, lines)]


def _queues(connection: Connection) -> list[Table]:
    found = rows(
        connection,
        "SELECT DISTINCT ON (lane) lane, at, due, claimed, later, oldest_seconds, drain_seconds, concurrency, wanted"
        " FROM queue_samples ORDER BY lane, at DESC",
    )
    lines = [
        (
            lane, f"{at:%Y-%m-%d %H:%M}", f"{due:,}", f"{claimed:,}", f"{later:,}", f"{oldest:,.0f} s",
            "–" if drain is None else f"{drain:,.0f} s", str(hands), str(wanted),
        )
        for lane, at, due, claimed, later, oldest, drain, hands, wanted in found
    ]  # fmt: skip
    columns = ("lane", "at (UTC)", "due", "claimed", "later", "oldest", "gone in", "hands", "wanted")
    return [_alarms(connection), Table("The lanes", columns, lines)]


def _engagement(connection: Connection) -> list[Table]:
    title, body = _report(connection, "engagement")
    scored = body.get("scores", {})
    tiers = [(tier, f"{count:,}") for tier, count in sorted(scored.get("tiers", {}).items())]
    advice = [(each["sentence"], each["rule"]) for each in body.get("advice", ())]
    return [
        Table(f"Tiers, {title}", ("tier", "people"), tiers),
        Table("Advice", ("what", "rule"), advice),
    ]


def _failures(connection: Connection) -> list[Table]:
    title, body = _report(connection, "failures")
    names = ("channel", "provider", "class", "code", "failures", "act")
    return [
        Table(f"Causes, {title}", ("what",), [(each["text"],) for each in body.get("causes", ())]),
        Table("Triage", names, [[str(row[name]) for name in names] for row in body.get("triage", ())]),
    ]


def _send_times(connection: Connection) -> list[Table]:
    title, body = _report(connection, "send_times")
    names = ("people", "active", "own_hours", "strength", "personalise", "uplift")
    lines = [
        (channel, *("–" if told.get(name) is None else str(told[name]) for name in names))
        for channel, told in sorted(body.items())
    ]
    return [Table(f"Send times, {title}", ("channel", *names), lines)]


def _report(connection: Connection, name: str) -> tuple[str, dict[str, Any]]:
    found = rows(
        connection,
        "SELECT window_start, window_end, body FROM reports WHERE name = %s"
        " ORDER BY window_end DESC, computed_at DESC LIMIT 1",
        (name,),
    )
    if not found:
        return "nothing yet", {}
    start, end, body = found[0]
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC", dict(body)


PAGES: Mapping[str, Callable[[Connection], list[Table]]] = {
    "delivery": _delivery,
    "timeline": _timeline,
    "queues": _queues,
    "engagement": _engagement,
    "failures": _failures,
    "send-times": _send_times,
}
