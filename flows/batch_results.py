"""How a batch ends: "completed with n skipped", a table of counts, who was left out and why, and examples if asked."""

from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.states import Completed

from flows.batches import Batch, Tally


def finished(batch: Batch, tally: Tally) -> Any:
    """The run's last state, with its summary as result; the artifacts are written before."""
    slug = batch.message_type.replace("_", "-")
    result = summary(batch, tally)
    counts: list[dict[str, Any]] = [
        {"what": "people in the audience", "count": tally.people},
        {"what": "would be accepted" if batch.dry_run else "accepted", "count": tally.accepted},
        *({"what": reason, "count": count} for reason, count in tally.left_out.most_common()),
        *({"what": note, "count": count} for note, count in tally.notes.most_common()),
    ]
    create_table_artifact(
        key=f"{slug}-counts",
        table=counts,
        description=_sentence(batch, tally),
    )
    if tally.shown:
        create_table_artifact(
            key=f"{slug}-left-out",
            table=[{"user": each.user_id, "reason": each.reason} for each in tally.shown],
            description=f"The first {len(tally.shown)} of {tally.skipped} who were left out.",
        )
    if batch.dry_run:
        create_markdown_artifact(
            key=f"{slug}-examples", markdown=_examples(batch, tally), description="How they would look"
        )
    return Completed(message=_sentence(batch, tally), data=result)


def summary(batch: Batch, tally: Tally) -> dict[str, Any]:
    """The result of a run as data."""
    result: dict[str, Any] = {
        "message_type": batch.message_type,
        "period": batch.period,
        "dry_run": batch.dry_run,
        "people": tally.people,
        "accepted": tally.accepted,
        "skipped": tally.skipped,
        "reasons": dict(tally.left_out),
    }
    if tally.notes:
        result["notes"] = dict(tally.notes)
    if tally.stopped:
        result["stopped"] = tally.stopped
    if batch.dry_run:
        result |= {"cost_usd": str(tally.cost), "examples": tally.examples}
    return result


def _sentence(batch: Batch, tally: Tally) -> str:
    verb = "would be accepted" if batch.dry_run else "accepted"
    ended = f"stopped ({tally.stopped})" if tally.stopped else "completed"
    price = f" for ${tally.cost:.4f}" if batch.dry_run else ""
    return (
        f"{batch.message_type} {batch.period}: {ended} with {tally.skipped:,} skipped;"
        f" {tally.accepted:,} of {tally.people:,} {verb}{price}"
    )


def _examples(batch: Batch, tally: Tally) -> str:
    told = [f"## {batch.message_type} {batch.period}", "", _sentence(batch, tally), ""]
    for number, each in enumerate(tally.examples, start=1):
        told += [f"### Example {number}: {each['channel']}", "", f"**{each['subject']}**", "", "```text"]
        told += [each["text"].replace("```", "'''"), "```", ""]
    return "\n".join(told)
