"""`mingus suppress add|remove|sync|list`: addresses that nobody may send to."""

import getpass
from typing import Annotated

import typer

from core.vocabulary import Channel

app = typer.Typer(no_args_is_help=True, help="Addresses that are not written to.")
Address = Annotated[str, typer.Argument(help="a phone number or mail address")]


@app.command()
def add(
    channel: Channel,
    address: Address,
    reason: Annotated[
        str, typer.Option(help="manual, hard_bounce, complaint, opted_out or invalid_address")
    ] = "manual",
    note: Annotated[str, typer.Option(help="why, for whoever reads it later; no personal data")] = "",
) -> None:
    """Put an address on the list: from now on nothing is sent to it."""
    from core.database import transaction
    from core.errors import InvalidRequest
    from delivery.policies.suppression import CODES
    from delivery.suppressions import SuppressionRequest, suppress

    if reason not in CODES:
        raise InvalidRequest("reason", f"must be one of {', '.join(CODES)}")
    request = SuppressionRequest(
        channel=channel,
        address_index=_index(channel, address),
        reason=reason,
        source=f"cli:{getpass.getuser()}",
        note=note,
    )
    with transaction() as connection:
        suppress(connection, [request])
    typer.echo("It is on the list.")


@app.command()
def remove(
    channel: Channel,
    address: Address,
    reason: Annotated[str, typer.Option(help="why, for the audit chain; no personal data")],
) -> None:
    """Take an address off the list and the provider's, whatever brought it there."""
    from core.errors import InvalidRequest
    from delivery.suppression_sync import lift_everywhere

    index = _index(channel, address)
    if not lift_everywhere(channel, address, index, actor=getpass.getuser(), reason=reason):
        raise InvalidRequest("address", "is not on the list")
    typer.echo("It is off the list.")


@app.command()
def sync() -> None:
    """Bring our list of mail addresses and Resend's together, both ways."""
    from delivery.suppression_sync import sync as bring_together

    done = bring_together()
    typer.echo(
        f"{done.pulled} came to us, {done.pushed} went to Resend, {done.lifted} were lifted there and here."
    )


@app.command("list")
def show(limit: Annotated[int, typer.Option(help="at most so many, newest first")] = 50) -> None:
    """Show the list: whose address it is where we know a user, never the address itself."""
    from rich.console import Console
    from rich.table import Table

    from core.database import transaction
    from core.statements import rows

    with transaction() as connection:
        found = rows(
            connection,
            "SELECT s.channel, s.reason, s.source, s.provider, s.note, round(s.score::numeric, 2), s.at, s.until,"
            " (SELECT string_agg(user_id, ', ') FROM contact_points c WHERE c.channel = s.channel"
            "  AND c.address_index = s.address_index) FROM suppressions s ORDER BY s.at DESC LIMIT %s",
            (limit,),
        )
    table = Table("channel", "reason", "source", "provider", "note", "score", "since", "until", "users")
    for *texts, score, since, until, users in found:
        table.add_row(
            *texts, str(score), f"{since:%Y-%m-%d %H:%M}", f"{until:%Y-%m-%d}" if until else "", users or ""
        )
    Console(highlight=False, markup=False).print(table)


def _index(channel: Channel, address: str) -> bytes:
    from core.errors import InvalidAddress
    from delivery.suppressions import index_of

    index = index_of(channel, address)
    if index is None:
        raise InvalidAddress(
            "address", f"is no address for {channel}: give it as +15125550101 or maya@example.com"
        )
    return index
