"""The `mingus` command: each sub-command has its own file and imports what is heavy when it runs."""

from typing import Any

import typer
from typer.core import TyperGroup

from cli import (
    campaign,
    consent,
    costs,
    dead_letters,
    down,
    env,
    import_jobs,
    inbound,
    sequence,
    settings_table,
    status,
    suppress,
    up,
)
from cli.demo.command import demo
from cli.erase import erase
from cli.export import export
from cli.preview import preview
from cli.send_time import send_time
from cli.show import show
from core.errors import MingusError


class OneClearLine(TyperGroup):
    """Errors that we raise on purpose are told as text, without a traceback, and exit with 1."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the sub-command."""
        try:
            return super().invoke(ctx)
        except MingusError as error:
            typer.secho(str(error), fg=typer.colors.RED, err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=OneClearLine,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="MINGUS Notifications: run the stack on this machine and look into it.",
)
app.command()(up.up)
app.command()(demo)
app.command()(down.down)
app.command()(status.status)
app.command()(env.env)
app.command()(preview)
app.command()(costs.costs)
app.add_typer(costs.counters_app, name="counters")
app.command("settings")(settings_table.settings_table)
app.command()(show)
app.command("send-time")(send_time)
app.command()(erase)
app.command()(export)
app.command("audit")(dead_letters.audit)
app.command("import-jobs")(import_jobs.import_jobs)
app.command("import-careers")(import_jobs.import_careers)
for name, group in {
    "consent": consent,
    "suppress": suppress,
    "inbound": inbound,
    "dead-letters": dead_letters,
    "sequence": sequence,
    "campaign": campaign,
}.items():
    app.add_typer(group.app, name=name)


@app.callback()
def _main() -> None:
    """Keeps the names of sub-commands even if only one is registered."""
