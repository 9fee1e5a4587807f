"""`mingus import-jobs postings.csv` and `mingus import-careers people.csv`: what career insights are made from."""

from pathlib import Path
from typing import Annotated, Any

import typer

Csv = Annotated[Path, typer.Argument(help="a CSV file in UTF-8 with a header", exists=True, dir_okay=False)]


def import_jobs(file: Csv) -> None:
    """Read job postings: id, role, country, posted_on, salary_low, salary_high, currency, skills (a;b;c)."""
    from analytics.job_import import import_postings

    _tell(import_postings(file), "postings")


def import_careers(file: Csv) -> None:
    """Read people's careers: user_id, role, wanted_role, salary, skills (a;b;c)."""
    from analytics.job_import import import_careers as read

    _tell(read(file), "careers")


def _tell(result: Any, what: str) -> None:
    typer.echo(f"{result.written:,} {what} written, {result.refused:,} rows refused")
    for problem in result.problems:
        typer.secho(problem, fg=typer.colors.YELLOW, err=True)
    if result.refused and not result.written:
        raise typer.Exit(1)
