import shlex

import typer

from cli.folder import DEFAULT_VAR, Var


def env(var: Var = DEFAULT_VAR) -> None:
    """Print shell exports that let a program talk to the running stack: eval "$(mingus env)"."""
    from cli.stack import StackNotRunningError, read_record

    record = read_record(var.resolve())
    if not record.is_alive:
        raise StackNotRunningError(f"The stack in {var} was killed: start it again with `mingus up`.")
    for name, value in sorted(record.env.items()):
        typer.echo(f"export {name}={shlex.quote(value)}")
