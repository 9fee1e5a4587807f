"""`mingus send-time USER`: when this person's messages leave, and why."""

from typing import Annotated

import typer


def send_time(
    user: Annotated[str, typer.Argument(help="a user's id, e.g. user_123")],
    channel: Annotated[str, typer.Option(help="sms or email; both when empty")] = "",
) -> None:
    """Explain a person's send times: what was learnt of them, and the last choices with their reasons."""
    from rich.console import Console
    from rich.table import Table

    from analytics.send_time_story import explain, last_choices, local
    from core.database import transaction
    from core.errors import InvalidRequest
    from core.statements import rows
    from core.vocabulary import Channel

    if channel and channel not in set(Channel):
        raise InvalidRequest("--channel", f"{channel!r} is none of {', '.join(Channel)}")
    with transaction() as connection:
        told = {each: explain(connection, user, each) for each in Channel if channel in {"", each}}
        choices = [each for each in last_choices(connection, user) if channel in {"", each["channel"]}]
        [(zone,)] = rows(connection, "SELECT time_zone FROM users WHERE id = %s", (user,))
    console = Console(highlight=False, markup=False)
    for lines in told.values():
        console.print(lines[0], style="bold")
        for line in lines[1:]:
            console.print(f"  {line}")
    table = Table("leaves at", "type", "by", "why", "chance", box=None, padding=(0, 2, 0, 0))
    for each in choices:
        table.add_row(
            local(each["leaves_at"], zone), f"{each['message_type']} ({each['channel']})", each["arm"], each["why"],
            f"{each['propensity']:.1%}",
        )  # fmt: skip
    console.print(table if choices else "No message of theirs has waited for an hour yet.")
