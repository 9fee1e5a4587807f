"""`mingus export USER`: all that is known of a person, for the person (GDPR 15 and 20)."""

import getpass
from typing import Annotated

import typer


def export(user: Annotated[str, typer.Argument(help="the user's id")]) -> None:
    """Print all that is known of a person as JSON, everything opened. It is personal data: mind where it goes."""
    import orjson

    from delivery import portability

    found = portability.about(user, actor=getpass.getuser())
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
