"""process-failed-messages (every 15 minutes): what failed, why, which causes explain most of it, and one more chance.

failures ─triage▶ class and act for each ─clusters▶ "explains 62 % …" ─act▶ replays, alarms ─show▶ tables, verdict
What may be sent again, and what stays for a person, is decided by `delivery.triage`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed
from pydantic import Field

from core.clock import utc_now
from flows import artifacts
from flows.links import web
from flows.window import Hours, Window, WindowEnd, window_before

if TYPE_CHECKING:
    from delivery.triage import Triaged

BY = "process-failed-messages"
REPORT = "failures"
ALARM = "failure_cause"
NEEDS_A_PERSON = {"page_and_open_breaker", "quarantine_template_and_sender", "mend_our_bug_then_replay"}
"""Acts that no repetition replaces: they raise an alarm from five failures on."""
LEAST_FOR_ALARM = 5

MostReplays = Annotated[int, Field(ge=0, le=10_000)]


@flow(name="process-failed-messages", retries=2, retry_delay_seconds=5 * 60)
def process_failed_messages(
    end: WindowEnd | None = None, hours: Hours = 24, most_replays: MostReplays = 500
) -> Any:
    """Triage of the failures of the `hours` hours before `end`; replays happen only for now.

    Args:
        end: a past instant at whole five minutes; now when empty
        hours: length of the window
        most_replays: dead letters that get one more chance, at most

    """
    window = window_before(end, hours, utc_now())
    triaged, causes = judge(window)
    acted = act(triaged, most_replays) if end is None else None
    keep(window, triaged, causes)
    show(window, triaged, causes, acted)
    found = {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "failures": sum(row["failures"] for row in triaged),
        "causes": [each.sentence() for each in causes],
        "replayed": sum(acted.replayed.values()) if acted else 0,
        "staying": sum(acted.staying.values()) if acted else 0,
    }
    return Completed(message=finding(triaged, causes, acted), data=found)


@task(cache_policy=NO_CACHE, persist_result=False)
def judge(window: Window) -> tuple[list[dict[str, Any]], list[Any]]:
    """The triage table (one row per provider, class and code) and the clusters (`failures.Cluster`)."""
    from analytics.failure_load import BASELINE_DAYS, baseline, failures
    from analytics.failures import act_on, clusters
    from analytics.load import reader
    from core.vocabulary import ErrorClass

    with reader() as connection:
        found, usual = failures(connection, window.start, window.end), baseline(connection, window.start)
    windows = timedelta(days=BASELINE_DAYS) / (window.end - window.start)
    by = ["channel", "provider", "error_class", "error_code"]
    counted = (
        found.groupby(by).size().rename("failures").reset_index().sort_values("failures", ascending=False)
    )
    triaged = [
        {
            "channel": row["channel"], "provider": row["provider"], "class": row["error_class"],
            "code": row["error_code"] or "–", "failures": int(row["failures"]),
            "act": str(act_on(ErrorClass(row["error_class"]))),
        }
        for row in counted.to_dict("records")
    ]  # fmt: skip
    return triaged, clusters(found, usual, windows=windows) if len(found) else []


@task(cache_policy=NO_CACHE, persist_result=False)
def act(triaged: Sequence[dict[str, Any]], most: int) -> "Triaged":
    """Gives another life to what a repetition may mend, and raises alarms for what needs a person."""
    from analytics.alarm_store import Raised, settle_alarms
    from core.database import transaction
    from delivery.triage import triage

    now = utc_now()
    with transaction() as connection:
        settle_alarms(
            connection,
            ALARM,
            [
                Raised(
                    f"{row['provider']}/{row['class']}/{row['code']}",
                    f"{row['provider']} {row['code']} ({row['class']}): {row['failures']} failures; {row['act']}.",
                    {"failures": row["failures"], "act": row["act"]},
                )
                for row in triaged
                if row["act"] in NEEDS_A_PERSON and row["failures"] >= LEAST_FOR_ALARM
            ],
            now=now,
        )
    return triage(actor=BY, most=most, now=now)


@task(cache_policy=NO_CACHE, persist_result=False)
def keep(window: Window, triaged: Sequence[dict[str, Any]], causes: Sequence[Any]) -> None:
    """Replaces the window's report in Postgres."""
    from analytics.failure_classes import TABLE_VERSION
    from analytics.store import replace_report
    from core.database import transaction

    body = {
        "table_version": TABLE_VERSION,
        "triage": list(triaged),
        "causes": [
            {
                "keys": each.keys,
                "count": each.count,
                "expected": each.expected,
                "share": each.share,
                "text": each.sentence(),
            }
            for each in causes
        ],
    }
    with transaction() as connection:
        replace_report(connection, REPORT, window.start, window.end, body)


def show(
    window: Window, triaged: Sequence[dict[str, Any]], causes: Sequence[Any], acted: "Triaged | None"
) -> None:
    """The triage table, the causes, and a verdict in words."""
    artifacts.table(
        "failure-triage", triaged, about=f"Failures of {window}", empty=f"nothing failed in {window}"
    )
    artifacts.table(
        "failure-causes",
        [
            {
                **each.keys,
                "failures": each.count,
                "expected": round(each.expected, 1),
                "explains": f"{each.share:.0%}",
            }
            for each in causes
        ],
        about="Causes above the usual of the last 7 days (scan statistic)",
        empty="nothing unusual",
    )
    artifacts.verdict("failure-verdict", verdict(window, triaged, causes, acted), about="Failures in words")


def verdict(
    window: Window, triaged: Sequence[dict[str, Any]], causes: Sequence[Any], acted: "Triaged | None" = None
) -> str:
    """What a person should know about the failures, in Markdown."""
    total = sum(row["failures"] for row in triaged)
    lines = [
        f"## Failures, {window}\n",
        f"**{total:,} failures.**" if total else "Nothing failed.",
        "",
        *([f"- {each.sentence()}" for each in causes] or ["Nothing is above the usual of the last 7 days."]),
        "",
        *_in_words(acted),
        f"\n[Failures]({web('failures')})",
    ]
    return "\n".join(lines)


def _in_words(acted: "Triaged | None") -> list[str]:
    if acted is None:
        return []
    return [
        *(
            f"- {count:,} dead letters ({name}) have one more chance."
            for name, count in acted.replayed.items()
        ),
        *(
            f"- **{count:,} dead letters wait for a person**: {reason} ({error_class or 'no class'})."
            for (error_class, reason), count in acted.staying.items()
        ),
    ]


def finding(triaged: Sequence[dict[str, Any]], causes: Sequence[Any], acted: "Triaged | None" = None) -> str:
    """The run in one sentence."""
    total = sum(row["failures"] for row in triaged)
    again, staying = (sum(each.values()) for each in (acted.replayed, acted.staying)) if acted else (0, 0)
    letters = f"{again:,} dead letters have one more chance, {staying:,} wait for a person."
    if not total:
        return f"Nothing failed; {letters}"
    cause = causes[0].sentence() if causes else "Nothing is above the usual."
    return f"{total:,} failures of {len(triaged)} kinds; {letters} {cause}"
