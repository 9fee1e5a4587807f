from cli.folder import DEFAULT_VAR, Var


def status(var: Var = DEFAULT_VAR) -> None:
    """Show what runs, since when, and where it answers."""
    from rich.console import Console
    from rich.table import Table

    from cli.stack import StackNotRunningError, read_record
    from cli.stack.supervisor import Supervisor

    folder = var.resolve()
    record = read_record(folder)
    if not record.is_alive:
        raise StackNotRunningError(f"The stack in {folder} was killed: `mingus down` clears what it left.")
    table = Table("process", "state", "pid", "")
    for name, state in Supervisor(folder).states().items():
        table.add_row(name, state.name, str(state.pid or ""), state.description)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"{'ready' if record.ready else 'still starting'}; started at {record.started_at}")
    for name, mode in record.modes.items():
        console.print(f"  {name:10} {mode}")
    for name, url in record.urls.items():
        console.print(f"  {name:10} {url}")
