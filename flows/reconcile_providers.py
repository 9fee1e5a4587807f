"""reconcile-providers (daily): the providers' own lists against our log, for the day before.

list ─compare▶ lost, extra, different; real prices booked ─show▶ table, findings and verdict in the UI
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from core.clock import utc_now
from core.database import transaction
from core.settings import settings
from delivery import callbacks, counters
from delivery.providers import configured
from delivery.reconciliation import Finding, Reconciliation, reconcile
from flows import artifacts
from flows.window import Hours, PastInstant, Window, window_before

QUIET = timedelta(minutes=10)
"""Messages younger than this are not judged: their answers may still be on the way."""
MOST_SHOWN = 50


@flow(name="reconcile-providers", retries=1, retry_delay_seconds=15 * 60)
def reconcile_providers(end: PastInstant | None = None, hours: Hours = 24) -> Any:
    """Every provider's list of the `hours` hours before `end` (ten minutes ago when empty) against our log."""
    window = window_before(end or utc_now() - QUIET, hours, utc_now())
    names = [name for carriers in configured(settings()).values() for name in carriers]
    found = [compare(name, window) for name in names]
    mend_totals(window)
    forget_payloads()
    show(window, found)
    return Completed(message=finding(found), data={each.provider: summary(each) for each in found})


@task(cache_policy=NO_CACHE, task_run_name="compare-{name}")
def compare(name: str, window: Window) -> Reconciliation:
    """Compares one provider, takes in what it knows better and books its prices."""
    return reconcile(name, window.start, window.end)


@task(cache_policy=NO_CACHE)
def mend_totals(window: Window) -> None:
    """Puts the running totals of the window's days right: late receipts and kills may have left them short."""
    first, last = window.start.date(), window.end.date()
    for number in range((last - first).days + 1):
        with transaction() as connection:
            counters.rebuild(connection, first + timedelta(days=number))


@task(cache_policy=NO_CACHE)
def forget_payloads() -> None:
    """Empties callbacks that were processed long ago: they hold addresses."""
    callbacks.forget(utc_now())


def show(window: Window, found: Sequence[Reconciliation]) -> None:
    """A line per provider, the messages that differ, and a verdict in words."""
    artifacts.table(
        "reconciliation",
        [{"provider": each.provider, **summary(each)} for each in found],
        about=f"Providers' lists against our log, {window}",
        empty="no provider is configured",
    )
    artifacts.table(
        "reconciliation-findings",
        [
            {"provider": each.provider, "what": what, **_row(finding)}
            for each in found
            for what, findings in (("lost", each.lost), ("extra", each.extra), ("different", each.different))
            for finding in findings[:MOST_SHOWN]
        ],
        about=f"Messages on which the lists differ, {window}; at most {MOST_SHOWN} of a kind",
        empty="the lists agree",
    )
    artifacts.verdict("reconciliation-verdict", verdict(window, found), about="Reconciliation in words")


def finding(found: Sequence[Reconciliation]) -> str:
    """The run in one sentence."""
    return " ".join(_sentence(each).replace("**", "") for each in found) or "No provider is configured."


def summary(found: Reconciliation) -> dict[str, Any]:
    """The counts of one provider, plain."""
    if not found.readable:
        return {"list": "can't be read"}
    return {
        "list": "differs" if found.alarming else "agrees",
        "ours": found.ours,
        "theirs": found.theirs,
        "lost": len(found.lost),
        "extra": len(found.extra),
        "different": len(found.different),
        "repriced": found.repriced,
        "correction_usd": str(found.correction),
    }


def verdict(window: Window, found: Sequence[Reconciliation]) -> str:
    """What a person should know, in Markdown."""
    return f"## Providers against our log, {window}\n\n" + "\n".join(f"- {_sentence(each)}" for each in found)


def _sentence(each: Reconciliation) -> str:
    if not each.readable:
        return f"**{each.provider}** keeps no list that can be read: its receipts are all we have."
    prices = (
        f"{each.repriced:,} prices settled, {each.correction:+.6f} USD."
        if each.repriced
        else "No price changed."
    )
    if not (each.lost or each.extra or each.different):
        return f"**{each.provider}**: {each.ours:,} messages, both lists agree. {prices}"
    return (
        f"**{each.provider}**: {each.ours:,} messages here, {each.theirs:,} there;"
        f" {len(each.lost):,} lost, {len(each.extra):,} extra, {len(each.different):,} different"
        f" ({each.share:.2%}{', an alarm' if each.alarming else ''}). {prices}"
    )


def _row(finding: Finding) -> dict[str, str]:
    return {
        "reference": finding.reference,
        "our log": finding.ours or "–",
        "provider": finding.theirs or "–",
        "sent": finding.at.isoformat(timespec="seconds"),
    }
