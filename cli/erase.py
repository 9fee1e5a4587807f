"""`mingus erase USER`: a person's data, gone for good (GDPR 17)."""

import getpass
from typing import Annotated

import typer


def erase(
    user: Annotated[str, typer.Argument(help="the user's id")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """Erase all that names a person or was said to them; nothing is ever sent to them again. There is no way back."""
    from delivery import erasure

    if not yes:
        typer.confirm(f"Erase {user} for good?", abort=True)
    done = erasure.erase(user, actor=getpass.getuser())
    typer.echo(
        f"{done.rows} rows and {done.payloads} messages' words are gone, {done.withdrawn} messages withdrawn,"
        f" {done.marks} addresses marked."
    )
    typer.echo(
        "The archive did not answer: its pages go with the next tend-archive."
        if done.pages is None
        else f"{done.pages} archived reports deleted."
    )
