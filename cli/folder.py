from pathlib import Path
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parent.parent

Var = Annotated[
    Path, typer.Option("--var", envvar="MINGUS_VAR", help="Folder of all local state.", show_default="var/")
]
DEFAULT_VAR = ROOT / "var"
