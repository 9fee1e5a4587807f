import typer

from cli.folder import DEFAULT_VAR, Var


def down(var: Var = DEFAULT_VAR) -> None:
    """Stop the running stack and whatever a killed run has left."""
    import psutil

    from cli.stack import StackNotRunningError, read_record
    from cli.stack.leftovers import sweep
    from cli.stack.record import record_file

    folder = var.resolve()
    try:
        record = read_record(folder)
    except StackNotRunningError:
        record = None
    if record is not None and record.is_alive:
        owner = psutil.Process(record.owner)
        owner.terminate()
        owner.wait(timeout=120)
    swept = sweep(folder)
    record_file(folder).unlink(missing_ok=True)
    if record is None and not swept:
        raise StackNotRunningError(f"Nothing runs in {folder}.")
    typer.echo("Stopped. Nothing is left running.")
