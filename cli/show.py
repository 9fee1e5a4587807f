"""`mingus show NOTIFICATION`: why did, or didn't, this person get this message."""

from typing import Annotated

import typer


def show(
    notification: Annotated[str, typer.Argument(help="its id, or its idempotency key")],
) -> None:
    """Show a notification's state, why, on what evidence, and all that happened to it."""
    from rich.console import Console
    from rich.table import Table

    from delivery.story import story_of

    console = Console(highlight=False, markup=False)
    story = story_of(notification)
    console.print(f"{story.message_type} {story.id} for {story.user_id}", style="bold")
    console.print(" · ".join(filter(None, (story.state, story.reason, story.sentence))))
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    facts.add_row("lane", story.lane)
    facts.add_row("route", " by ".join(filter(None, (story.channel, story.provider))) or "none yet")
    facts.add_row("cost", f"{story.cost} USD")
    facts.add_row("tries counted", str(story.tries))
    facts.add_row("expires", f"{story.expires_at:%Y-%m-%d %H:%M:%S %Z}")
    facts.add_row("rules", story.rules or "not judged yet")
    if story.possible_duplicate:
        facts.add_row("duplicate", "it may have arrived twice: it was sent again without knowing")
    for name, value in story.evidence.items():
        if name not in {"rules", "consent_id"}:
            facts.add_row(name.replace("_", " "), _said(value))
    for name, value in (story.consent or {}).items():
        facts.add_row(f"consent {name}", str(value))
    console.print(facts)
    timeline = Table("when", "what", "details", box=None, padding=(0, 2, 0, 0))
    for each in story.happenings:
        timeline.add_row(f"{each.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], each.what, each.details)
    console.print(timeline)


def _said(value: object) -> str:
    """Evidence as a person reads it: lists and tables without the signs of a programming language."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
