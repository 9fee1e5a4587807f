"""What came of a run, read from the truth: counts per type, latency per lane, cost, and whether expectations held."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from cli.demo.flow_runs import FlowRun
from core.database import transaction
from core.statements import rows
from delivery.catalog import catalog

NO_RESULT = frozenset({"", "crashed"})
"""Reasons of what is accepted and no result of a good run: due and not judged yet, or stopped by an error of ours."""


@dataclass(slots=True)
class TypeOutcome:
    """The counts of one message type in this run."""

    accepted: int = 0
    sent: int = 0
    delivered: int = 0
    bounced: int = 0
    deferred: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    deferred_reasons: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    in_flight: int = 0
    cost_usd: str = "0"


@dataclass(frozen=True, slots=True)
class Expectation:
    """Something that must hold after a run, and whether it did."""

    what: str
    met: bool
    found: str


@dataclass(slots=True)
class Outcome:
    """The whole run as data: what `var/demo.json` holds."""

    started_at: str
    seconds: float
    message_types: dict[str, TypeOutcome]
    latency_ms: dict[str, dict[str, float]]
    flow_runs: list[FlowRun]
    provider_messages: int
    urls: dict[str, str]
    expectations: list[Expectation] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)

    @property
    def unmet(self) -> list[Expectation]:
        """The expectations that did not hold."""
        return [each for each in self.expectations if not each.met]


def read(since: datetime) -> tuple[dict[str, TypeOutcome], dict[str, dict[str, float]]]:
    """(type → counts, lane → latency percentiles in ms) of the notifications accepted since then."""
    with transaction() as connection:
        return _types(connection, since), _latency(connection, since)


def expect(
    outcome: Outcome, *, live_results: Mapping[str, Sequence[bool]], sent_ids: int, doubled: int
) -> list[Expectation]:
    """Every expectation of a run, checked."""
    found = [
        Expectation(
            f"{name}: sent and delivered",
            each.sent > 0 and each.delivered > 0,
            f"{each.sent} / {each.delivered}",
        )
        for name, each in outcome.message_types.items()
    ]
    found += [_answered(name, answers, outcome.message_types[name]) for name, answers in live_results.items()]
    moving = sum(each.in_flight for each in outcome.message_types.values())
    found.append(Expectation("nothing is left in flight", moving == 0, str(moving)))
    found.append(
        Expectation(
            "the provider has each message once",
            doubled == 0 and outcome.provider_messages >= sent_ids,
            f"{sent_ids} sent, {outcome.provider_messages} at the provider, {doubled} doubled",
        )
    )
    found += [
        Expectation(f"flow {run.deployment}", run.state == "Completed", f"{run.state} {run.message}".strip())
        for run in outcome.flow_runs
    ]
    return found


def _answered(name: str, answers: Sequence[bool], counts: TypeOutcome) -> Expectation:
    """`.delay().get()` is True for all but those that will not be sent, whose reason is on record."""
    refused = len(answers) - sum(answers)
    not_sent = sum(counts.skipped.values()) + counts.failed
    return Expectation(
        f"{name}: .delay().get() says what happened",
        any(answers) and refused <= not_sent,
        f"{sum(answers)} of {len(answers)} True, {not_sent} not sent with a reason",
    )


def _types(connection: Connection, since: datetime) -> dict[str, TypeOutcome]:
    outcomes = {name: TypeOutcome() for name in catalog()}
    for name, state, reason, was_sent, count, cost in rows(
        connection,
        "SELECT message_type, state, reason, sent_at IS NOT NULL, count(*), sum(cost) FROM notifications"
        " WHERE created_at >= %s GROUP BY 1, 2, 3, 4",
        (since,),
    ):
        outcome = outcomes[name]
        outcome.accepted += count
        outcome.cost_usd = str(_plain(outcome.cost_usd, cost))
        outcome.sent += count if was_sent else 0
        outcome.delivered += count if state == "delivered" else 0
        if state in {"bounced", "complained"}:
            outcome.bounced += count
        elif state == "skipped":
            outcome.skipped[reason] = outcome.skipped.get(reason, 0) + count
        elif state in {"failed", "dead"}:
            outcome.failed += count
        elif state == "accepted" and reason not in NO_RESULT:
            outcome.deferred += count
            outcome.deferred_reasons[reason] = outcome.deferred_reasons.get(reason, 0) + count
        elif state in {"accepted", "claimed", "unknown", "sent"}:
            outcome.in_flight += count
    return outcomes


def _plain(so_far: str, more: Any) -> Any:
    from decimal import Decimal

    return Decimal(so_far) + Decimal(more)


def _latency(connection: Connection, since: datetime) -> dict[str, dict[str, float]]:
    found = rows(
        connection,
        "SELECT lane, campaign IS NOT NULL AS bulk, count(*), percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP"
        " (ORDER BY extract(epoch FROM a.closed_at - n.created_at) * 1000)"
        " FROM notifications n JOIN LATERAL (SELECT min(closed_at) AS closed_at FROM attempts"
        "   WHERE notification_id = n.id AND outcome = 'accepted') a ON a.closed_at IS NOT NULL"
        " WHERE n.created_at >= %s GROUP BY 1, 2 ORDER BY 1, 2",
        (since,),
    )
    return {
        lane + (" (bulk)" if bulk else ""): {
            "count": count,
            "p50": round(marks[0], 1),
            "p95": round(marks[1], 1),
        }
        for lane, bulk, count, marks in found
    }
