"""`mingus consent show|grant|withdraw`: the consent ledger of a person."""

import getpass
from typing import Annotated

import typer

from core.vocabulary import Channel, ConsentLevel, Purpose

app = typer.Typer(no_args_is_help=True, help="What a person has allowed, and since when.")
User = Annotated[str, typer.Argument(help="the user's id")]


@app.command()
def show(user: User) -> None:
    """Show a person's whole ledger, newest first; what is in force stands first for each channel and purpose."""
    from rich.console import Console
    from rich.table import Table

    from core.database import transaction
    from core.statements import rows

    with transaction() as connection:
        _must_exist(connection, user)
        found = rows(
            connection,
            "SELECT channel, purpose, action, level, confirmed, method, source, actor, left(wording_hash, 12), at,"
            " row_number() OVER (PARTITION BY channel, purpose ORDER BY at DESC, id DESC) = 1"
            " FROM consents WHERE user_id = %s ORDER BY channel, purpose, at DESC, id DESC",
            (user,),
        )
        pending = rows(
            connection,
            "SELECT channel, purpose, method, held_at FROM pending_withdrawals WHERE user_id = %s",
            (user,),
        )
    table = Table(
        "channel", "purpose", "action", "level", "confirmed", "method", "source", "by", "wording", "at"
    )
    for channel, purpose, action, level, confirmed, method, source, actor, wording, at, in_force in found:
        table.add_row(
            channel, purpose, action, level, "yes" if confirmed else "no", method, source, actor, wording,
            f"{at:%Y-%m-%d %H:%M:%S}", style=None if in_force else "dim",
        )  # fmt: skip
    console = Console(highlight=False, markup=False)
    console.print(table)
    for channel, purpose, method, held_at in pending:
        console.print(
            f"withdrawal under way since {held_at:%H:%M:%S}: {channel} {purpose} by {method}; nothing new is sent"
        )


@app.command()
def grant(  # noqa: PLR0917  typer passes them by name
    user: User,
    channel: Channel,
    purpose: Purpose,
    wording: Annotated[
        str, typer.Option(help="the exact words that the person agreed to; only their hash is kept")
    ],
    source: Annotated[str, typer.Option(help="where it can be found: a form, a call, a letter")],
    level: Annotated[ConsentLevel, typer.Option(help="TCPA level, for texts")] = ConsentLevel.EXPRESS,
    wording_version: Annotated[str, typer.Option(help="the version of the wording")] = "",
) -> None:
    """Record that a person has allowed something, with the evidence."""
    from core.database import transaction
    from delivery.consents import ConsentEntry, record

    with transaction() as connection:
        _must_exist(connection, user)
        record(
            connection,
            [
                ConsentEntry(
                    user_id=user, channel=channel, purpose=purpose, granted=True, method="staff", level=level,
                    wording=wording, wording_version=wording_version, source=source, actor=getpass.getuser(),
                )
            ],
        )  # fmt: skip
    typer.echo("It is in the ledger.")


@app.command()
def withdraw(
    user: User,
    channel: Channel,
    purpose: Annotated[Purpose | None, typer.Argument(help="every purpose when left out")] = None,
    source: Annotated[str, typer.Option(help="how the person said so: a call, a letter")] = "",
) -> None:
    """Record that a person has withdrawn; returns when nothing can be sent any more."""
    from core.database import transaction
    from delivery import opt_out
    from delivery.consents import ConsentEntry

    with transaction() as connection:
        _must_exist(connection, user)
    complete = opt_out.withdraw(
        [
            ConsentEntry(
                user_id=user, channel=channel, purpose=each, granted=False, method="staff", source=source,
                actor=getpass.getuser(),
            )
            for each in ([purpose] if purpose else Purpose)
        ]
    )  # fmt: skip
    typer.echo(
        "It is in the ledger."
        if complete
        else "It holds; the ledger follows when the message under way has ended."
    )


def _must_exist(connection: object, user: str) -> None:
    from core.errors import UnknownUser
    from delivery.ledger import known_users

    if not known_users(connection, {user}):  # type: ignore[arg-type]  # sqlalchemy is imported late
        raise UnknownUser("user", f"no user {user!r}")
