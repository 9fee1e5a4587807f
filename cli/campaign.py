"""`mingus campaign`: what becomes of a campaign, and the hand that pauses, resumes or cancels it at once."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Campaigns: live counts; pause, resume, cancel.")
Name = Annotated[str, typer.Argument(help="the campaign's name")]


@app.command()
def show(name: Annotated[str, typer.Argument(help="one of them; all when left out")] = "") -> None:
    """State and live counts."""
    from rich.console import Console
    from rich.table import Table

    from delivery import campaigns

    table = Table("campaign", "message type", "state")
    found = [campaigns.campaign_of(name)] if name else campaigns.campaigns()
    counted = [campaigns.counts_of(each) for each in found]
    for what in counted[0] if counted else ():
        table.add_column(what, justify="right")
    for each, counts in zip(found, counted, strict=True):
        state = f"{each.state}: {each.because}" if each.because else each.state
        table.add_row(each.name, each.message_type, state, *map(str, counts.values()))
    Console().print(table)


@app.command()
def pause(name: Name) -> None:
    """Nothing of it leaves until it is resumed."""
    _turn(name, "paused", "messages are held")


@app.command()
def resume(name: Name) -> None:
    """What waits has its times again; who is missing is served by running its flow again."""
    _turn(name, "running", "messages have their times again")


@app.command()
def cancel(name: Name) -> None:
    """What waits is never sent; a cancelled campaign stays so."""
    _turn(name, "cancelled", "messages are withdrawn")


def _turn(name: str, state: str, what: str) -> None:
    from delivery import campaigns

    moved = campaigns.set_state(name, state, "by hand")
    typer.echo(f"{name} is {state}: {moved:,} {what}")
