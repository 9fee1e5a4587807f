"""`mingus inbound list|resolve`: what people wrote that a person must decide."""

import getpass
from typing import Annotated
from uuid import UUID

import typer

app = typer.Typer(no_args_is_help=True, help="The review list of messages from people.")


@app.command("list")
def show() -> None:
    """Show what waits for a decision, oldest first."""
    from rich.console import Console
    from rich.table import Table

    from delivery import review

    table = Table("id", "at", "channel", "from", "users", "what they wrote", "because of")
    for each in review.waiting():
        table.add_row(
            str(each.id), f"{each.at:%Y-%m-%d %H:%M}", each.channel, each.address, ", ".join(each.users), _printable(each.text),
            each.matched,
        )  # fmt: skip
    Console(highlight=False, markup=False).print(table)


@app.command()
def resolve(
    message: UUID,
    intent: Annotated[str, typer.Argument(help="opt_out, opt_in or nothing")],
) -> None:
    """Decide what a message meant; an opt-out is obeyed at once."""
    from core.errors import InvalidRequest
    from delivery import review
    from delivery.keywords import Intent

    if intent not in {Intent.OPT_OUT, Intent.OPT_IN, Intent.NOTHING}:
        raise InvalidRequest("intent", "must be opt_out, opt_in or nothing")
    typer.echo(review.resolve(message, Intent(intent), by=getpass.getuser()))


def _printable(text: str) -> str:
    """What a stranger wrote must not steer a terminal."""
    return "".join(character if character.isprintable() else "·" for character in text)
