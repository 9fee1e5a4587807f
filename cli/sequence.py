"""`mingus sequence show USER`: where a person stands in each sequence, and what comes next."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Sequences of onboarding steps.")


@app.callback()
def _sequence() -> None:
    """Keeps `show` a sub-command."""


@app.command()
def show(user: Annotated[str, typer.Argument(help="the person's id")]) -> None:
    """The person's enrolments, their steps, and what is decided for them now."""
    from rich.console import Console
    from rich.table import Table

    from analytics.enrolments import enrolments_of, facts_of
    from analytics.local_days import zone_of
    from analytics.sequences import Leave, Send, decide, plans
    from core.clock import utc_now
    from core.database import transaction
    from core.errors import UnknownUser

    now = utc_now()
    table = Table(
        "sequence", "run", "state", "steps behind", "next step", "next at (their time)", "decided now"
    )
    with transaction() as connection:
        facts = facts_of(connection, [user]).get(user)
        if facts is None:
            raise UnknownUser("user", f"no user {user!r}")
        for plan in plans().values():
            found = enrolments_of(connection, plan, [user]).get(user)
            if found is None:
                table.add_row(plan.name, "–", "not enrolled", "–", "–", "–", "–")
                continue
            is_active = found.state == "active"
            match decide(plan, found, facts, now):
                case Send(step):
                    told = f"sends {plan.steps[step].name}"
                case Leave(because):
                    told = f"leaves: {because}"
                case _:
                    told = "waits"
            table.add_row(
                plan.name,
                str(found.run),
                found.state if is_active else f"{found.state}: {found.left_because}",
                f"{found.step} of {len(plan.steps)}",
                plan.steps[found.step].name if is_active else "–",
                f"{found.next_at.astimezone(zone_of(facts.time_zone)):%a %d %b %H:%M}" if is_active else "–",
                told if is_active else "–",
            )
    Console().print(table)
