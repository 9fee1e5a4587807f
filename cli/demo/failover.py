"""Failover, shown: Twilio refuses every text, critical alerts arrive by another carrier, the breaker opens and closes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from rich.table import Table

from cli.demo.outcome import Expectation
from core.database import transaction
from core.statements import rows
from core.vocabulary import Channel
from delivery import health, validate_user_preferences
from delivery.catalog import catalog

BROKEN = "twilio"
ALERT = "critical_financial"
ALERTS_AT_ONCE = 10
WITHIN_SECONDS = 5.0
"""By when a critical alert must be with another carrier."""
OPENS_WITHIN = 8.0
CLOSES_WITHIN = 14.0


@dataclass(frozen=True, slots=True)
class Failover:
    """What was seen: alerts sent, alerts carried by others, the slowest of them (s), the breaker (s until it moved)."""

    sent: int
    carried_by: Mapping[str, int]
    slowest: float
    opened_after: float | None
    closed_after: float | None

    def expectations(self) -> list[Expectation]:
        """What must hold of it."""
        carried = sum(number for name, number in self.carried_by.items() if name != BROKEN)
        by = ", ".join(f"{number} by {name}" for name, number in self.carried_by.items())
        return [
            Expectation(
                f"{BROKEN} down: critical alerts are carried by others within {WITHIN_SECONDS:.0f} s",
                0 < self.sent == carried and self.slowest <= WITHIN_SECONDS,
                f"{self.sent} sent, {by or 'none carried'}, slowest {self.slowest:.2f} s",
            ),
            Expectation(
                f"{BROKEN} down: its breaker opens", self.opened_after is not None, _after(self.opened_after)
            ),
            Expectation(
                f"{BROKEN} back: its breaker closes and it carries alerts again",
                self.closed_after is not None,
                _after(self.closed_after),
            ),
        ]

    def table(self) -> Table:
        """What was seen, for a person: the story of the outage line by line."""
        table = Table(title=f"Failover: {BROKEN} refused every text for a while", title_justify="left")
        table.add_column("what happened")
        table.add_column("how", justify="right")
        table.add_row("critical alerts sent meanwhile", str(self.sent))
        for name, number in self.carried_by.items():
            table.add_row(f"  carried by {name}", str(number))
        table.add_row("slowest, from accepted to taken", f"{self.slowest:.2f} s")
        table.add_row(f"{BROKEN}'s breaker opened", _after(self.opened_after))
        table.add_row(f"closed again, {BROKEN} mended and carrying alerts", _after(self.closed_after))
        return table


def demonstrate(sandbox: str, ids: Sequence[str]) -> Failover:
    """Break Twilio, send critical alerts, mend it; at most half a minute."""
    people = _reachable(ids, ALERTS_AT_ONCE)
    sent: list[str] = []
    health.reset(
        BROKEN
    )  # the batches before have sent so much that half of all calls would take long to fail
    began = time.monotonic()
    with _every_text_refused(sandbox):
        opened_after = None
        while opened_after is None and time.monotonic() - began < OPENS_WITHIN:
            sent += _send(people)
            opened_after = _waited(lambda: health.is_open(BROKEN), began, 1.0)
        sent += _send(people)  # past the open breaker, without asking Twilio
        carried_by, slowest = _carried(sent)
    mended = time.monotonic()
    closed_after = None
    turns = cycle(people)  # a number abroad may have used up its block's pace: then it gets mails
    while closed_after is None and time.monotonic() - mended < CLOSES_WITHIN:
        carriers, _ = _carried(_send([next(turns)]))
        if BROKEN in carriers and not health.is_open(BROKEN):
            closed_after = time.monotonic() - mended
        else:
            time.sleep(0.5)
    return Failover(len(sent), carried_by, slowest, opened_after, closed_after)


@contextmanager
def _every_text_refused(sandbox: str) -> Iterator[None]:
    import httpx

    with httpx.Client(base_url=sandbox, timeout=10, trust_env=False) as control:
        fault = {"provider": BROKEN, "kind": "429", "params": {"retry_after": 1}}
        number = control.post("_sandbox/faults", json=fault).raise_for_status().json()["id"]
        try:
            yield
        finally:
            control.delete(f"_sandbox/faults/{number}").raise_for_status()


def _reachable(ids: Sequence[str], wanted: int) -> list[str]:
    """People who may get a critical alert by text and by mail, at addresses that take it."""
    with transaction() as connection:
        spoilt = {
            row[0]
            for row in rows(
                connection,
                "SELECT user_id FROM contact_points WHERE user_id = ANY(%s) AND domain = 'resend.dev'",
                (list(ids),),
            )
        }
    found: list[str] = []
    for each in ids:
        if len(found) == wanted:
            break
        if each not in spoilt and all(
            validate_user_preferences(each, channel, ALERT)[0] for channel in (Channel.SMS, Channel.EMAIL)
        ):
            found.append(each)
    return found


def _send(people: Sequence[str]) -> list[str]:
    """Send each an alert and wait for the answers; the notifications' ids."""
    import tasks

    payload = dict(catalog()[ALERT].example)
    results = [tasks.send_critical_financial_alert.delay(user_id=each, alert_data=payload) for each in people]
    for each in results:
        each.get(timeout=20)
    return [each.id for each in results]


def _carried(ids: Sequence[str]) -> tuple[dict[str, int], float]:
    """(provider → how many it took, seconds from accepted to taken of the slowest)."""
    with transaction() as connection:
        found: list[tuple[Any, ...]] = rows(
            connection,
            "SELECT a.provider, count(*), max(extract(epoch FROM a.closed_at - n.created_at)) FROM attempts a"
            " JOIN notifications n ON n.id = a.notification_id"
            " WHERE n.id = ANY(%s::uuid[]) AND a.outcome = 'accepted' GROUP BY 1",
            (list(ids),),
        )
    return {name: number for name, number, _ in found}, max((float(row[2]) for row in found), default=0.0)


def _waited(condition: Callable[[], bool], began: float, longest: float) -> float | None:
    """Seconds since `began` when the condition held, None if it did not within `longest` seconds from now."""
    until = time.monotonic() + longest
    while time.monotonic() < until:
        if condition():
            return time.monotonic() - began
        time.sleep(0.05)
    return None


def _after(seconds: float | None) -> str:
    return f"after {seconds:.1f} s" if seconds is not None else "not in time"
