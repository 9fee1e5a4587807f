"""`mingus dead-letters list|show|replay|discard`: what was given up, and the ways back."""

import getpass
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from delivery.dead_letters import Decision, Filter

app = typer.Typer(no_args_is_help=True, help="Messages that were given up: why, and what to do about them.")

Reason = Annotated[str | None, typer.Option(help="only reasons that begin so, e.g. render_failed")]
Class = Annotated[
    str | None, typer.Option("--class", help="only this error class, e.g. transient_network or ours")
]
Type = Annotated[str | None, typer.Option("--type", help="only this message type")]
Since = Annotated[str | None, typer.Option(help="only those of the last e.g. 90m, 24h or 7d")]
Limit = Annotated[int, typer.Option(min=1, help="at most so many, newest first")]
Ids = Annotated[list[UUID] | None, typer.Argument(help="letters by id; filters choose when none is given")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="say what would be done and do nothing")]

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MOST_DIGITS = 5


@app.command("list")
def show_all(
    reason: Reason = None,
    error_class: Class = None,
    message_type: Type = None,
    since: Since = None,
    limit: Limit = 50,
) -> None:
    """List open letters."""
    from rich.console import Console
    from rich.table import Table

    from delivery.dead_letters import open_letters

    table = Table("id", "at", "message type", "reason", "class", "tries", "expires")
    for each in open_letters(_filter(reason, error_class, message_type, since), limit=limit):
        table.add_row(
            str(each.id), f"{each.at:%Y-%m-%d %H:%M}", each.message_type, each.reason, each.error_class,
            str(each.attempts), f"{each.expires_at:%Y-%m-%d %H:%M}",
        )  # fmt: skip
    Console(highlight=False, markup=False).print(table)


@app.command()
def show(letter: UUID) -> None:
    """Show one letter and what was tried; no address and no content."""
    from core.errors import InvalidRequest
    from delivery.dead_letters import Filter, attempts_of, open_letters

    found = open_letters(Filter(ids=[letter]), limit=1)
    if not found:
        raise InvalidRequest("letter", f"no open letter {letter}: `mingus dead-letters list` shows them")
    (one,) = found
    for name in ("id", "notification_id", "message_type", "reason", "error_class", "at", "expires_at"):
        typer.echo(f"{name:16} {getattr(one, name)}")
    if one.trace_reference:
        typer.echo(f"{'trace':16} look for trace_reference {one.trace_reference} in the workers' logs")
    for attempt in attempts_of(one.notification_id):
        typer.echo("tried            " + "  ".join(str(value) for value in attempt.values() if value))


@app.command()
def replay(
    ids: Ids = None,
    *,
    reason: Reason = None,
    error_class: Class = None,
    message_type: Type = None,
    since: Since = None,
    limit: Limit = 500,
    per_minute: Annotated[int, typer.Option(min=1, help="how many begin in a minute")] = 120,
    dry_run: DryRun = False,
) -> None:
    """Send letters again: each is judged anew, and refused with a reason where it must not be sent."""
    from delivery import dead_letters

    chosen = _chosen(ids, reason, error_class, message_type, since, limit)
    decisions = dead_letters.replay(chosen, actor=_me(), per_minute=per_minute, dry_run=dry_run)
    _tell(decisions, "would be sent again" if dry_run else "will be sent again")


@app.command()
def discard(
    ids: Ids = None,
    *,
    reason: Reason = None,
    error_class: Class = None,
    message_type: Type = None,
    since: Since = None,
    limit: Limit = 500,
    why: Annotated[str, typer.Option(help="for whoever reads the audit chain; no personal data")] = "",
    dry_run: DryRun = False,
) -> None:
    """Close letters for good: nobody will send them."""
    from delivery import dead_letters

    chosen = _chosen(ids, reason, error_class, message_type, since, limit)
    decisions = dead_letters.discard(chosen, actor=_me(), why=why, dry_run=dry_run)
    _tell(decisions, "would be discarded" if dry_run else "discarded")


def audit() -> None:
    """Check the audit chain: exits with 1 and names the first entry that does not fit."""
    from core.database import transaction
    from core.errors import MingusError
    from delivery.audit import verify

    with transaction() as connection:
        found = verify(connection)
    if found.broken_at is not None:
        raise MingusError(
            f"The audit chain is broken at entry {found.broken_at}, after {found.entries} good ones."
        )
    typer.echo(f"{found.entries} entries, unbroken; the last hash is {found.last_hash.hex()}")


def _filter(
    reason: str | None, error_class: str | None, message_type: str | None, since: str | None
) -> "Filter":
    from core.clock import utc_now
    from core.errors import InvalidRequest
    from core.vocabulary import ErrorClass
    from delivery.catalog import message_type as known_type
    from delivery.dead_letters import Filter

    if error_class is not None and error_class not in set(ErrorClass):
        raise InvalidRequest("--class", f"{error_class!r} is none of {', '.join(ErrorClass)}")
    if message_type is not None:
        known_type(message_type)
    after = None
    if since is not None:
        number, unit = since[:-1], since[-1:]
        if unit not in UNITS or not number.isdecimal() or len(number) > MOST_DIGITS:
            raise InvalidRequest("--since", "must look like 90m, 24h or 7d")
        after = utc_now() - timedelta(**{UNITS[unit]: int(number)})
    return Filter(reason=reason, error_class=error_class, message_type=message_type, since=after)


def _chosen(  # noqa: PLR0917  the options in their order
    ids: list[UUID] | None,
    reason: str | None,
    error_class: str | None,
    message_type: str | None,
    since: str | None,
    limit: int,
) -> list[UUID]:
    """The letters by id, or those that the filters find; everything at once must be asked for by a filter."""
    from core.errors import InvalidRequest
    from delivery.dead_letters import open_letters

    if ids:
        return ids
    if not any((reason, error_class, message_type, since)):
        raise InvalidRequest("letters", "name them, or choose with --reason, --class, --type or --since")
    return [each.id for each in open_letters(_filter(reason, error_class, message_type, since), limit=limit)]


def _tell(decisions: "Sequence[Decision]", done: str) -> None:
    found = Counter(each.refused for each in decisions)
    typer.echo(f"{found.pop('', 0)} {done}.")
    for why, count in sorted(found.items()):
        typer.echo(f"{count} refused: {why}")


def _me() -> str:
    return f"cli:{getpass.getuser()}"
