"""Career insights: by hand on small markets, and silence where there is little to say."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from analytics.career import lacking, market, salary, skills_of, standing
from analytics.job_import import import_careers, import_postings
from core.database import transaction
from core.errors import InvalidRequest
from core.statements import rows
from delivery.catalog import message_type
from delivery.content import validate_payload
from flows.career_insights import payload_of
from tests.delivery.stage import person

TODAY = date(2025, 7, 1)
EPOCH = date(1970, 1, 1)


def postings(*groups: tuple[int, str, int, int | None, list[str]], country: str = "US") -> pd.DataFrame:
    """(how many, role, days ago, salary in thousands, skills)"""
    found = []
    for count, role, ago, thousands, skills in groups:
        day = (TODAY - timedelta(days=ago) - EPOCH).days
        cents = float("nan") if thousands is None else thousands * 100_000.0
        found += [(role, country, day, cents, cents, "USD", skills)] * count
    frame = pd.DataFrame(found, columns=["role", "country", "day", "low", "high", "currency", "skills"])
    return frame.assign(id=[str(number) for number in range(len(frame))])


@pytest.mark.parametrize(
    ("now", "before", "trend"),
    [
        (60, 40, "growing"),  # (60 − 40) / √100 = 2
        (59, 41, "steady"),  # 1.8
        (40, 60, "shrinking"),
        (20, 0, "growing"),
        (10, 10, "steady"),
    ],
)
def test_a_trend_is_told_when_it_is_clear(now: int, before: int, trend: str) -> None:
    found = market(postings((now, "Nurse", 5, None, []), (before, "Nurse", 100, None, [])), "Nurse", TODAY)
    assert found is not None
    assert (found.postings, found.before, found.trend) == (now, before, trend)


def test_where_postings_are_few_nothing_is_said() -> None:
    few = postings((19, "Nurse", 5, 50, ["care"]), (500, "Nurse", 300, None, []))
    assert market(few, "Nurse", TODAY) is None
    assert market(few, "Astronaut", TODAY) is None
    assert skills_of(postings((19, "Nurse", 5, 50, ["care"])), "Nurse") == []
    assert salary(few, "Nurse", "US", TODAY) is None


def test_skills_are_ranked_by_what_sets_the_role_apart() -> None:
    frame = postings(
        (20, "Engineer", 5, None, ["sql", "spark"]), (20, "Engineer", 5, None, ["sql"]),
        (60, "Analyst", 5, None, ["sql", "excel"]), (1, "Engineer", 5, None, ["cobol"]),
    )  # fmt: skip
    found = skills_of(frame, "Engineer")
    # spark: 20 of 41 here, 20 of 101 everywhere: lift 101/41 = 2.46. sql: 40/41 by 100/101: 0.985. cobol is asked once.
    assert [(each.name, round(each.share, 3), round(each.lift, 3)) for each in found] == [
        ("spark", 0.488, 2.463), ("sql", 0.976, 0.985),
    ]  # fmt: skip
    assert [each.name for each in lacking(found, ["SQL "])] == ["spark"]


def test_the_median_salary_comes_with_its_exact_interval() -> None:
    frame = postings(*((1, "Nurse", 5, thousands, []) for thousands in range(41, 61)))  # 41 … 60 thousand
    found = salary(frame, "Nurse", "US", TODAY)
    assert found is not None
    figures, offers = found
    # n = 20: the 6th and 15th of the ordered offers enclose the median with 95.9 %.
    assert (figures.median, figures.low, figures.high) == (Decimal(50500), Decimal(46000), Decimal(55000))
    assert salary(frame, "Nurse", "GB", TODAY) is None
    place = standing(offers, Decimal(46000))
    assert place.percentile == 28  # five below and half of the sixth: 5.5 of 20, to even
    assert place.low < 28 < place.high


def test_the_payload_passes_the_door(database: str) -> None:
    from analytics.career_load import CareerOf

    frame = postings(*((1, "Nurse", 5, thousands, ["care", "triage"]) for thousands in range(41, 61)))
    demand = market(frame, "Nurse", TODAY)
    career = CareerOf("user_maya", "Clerk", "Nurse", Decimal(50000), ["care"], "US")
    payload = payload_of(
        career, demand, lacking(skills_of(frame, "Nurse"), career.skills), salary(frame, "Nurse", "US", TODAY)
    )
    validate_payload(message_type("career_insights"), payload)
    assert payload["gaps"] == [{"name": "triage", "share": 100}]
    assert payload["percentile"] == 48  # nine below and half of the tenth


JOBS = """id,role,country,posted_on,salary_low,salary_high,currency,skills
a,Nurse,US,2025-07-01,40000,50000,USD,Care; triage;care
b,Nurse,USA,2025-07-01,,,,
c,Nurse,US,yesterday,,,,
d,Nurse,US,2025-07-01,60000,50000,,
e,,US,2025-07-01,,,,
f,Nurse,GB,2025-07-01,-5,,,
"""


def test_each_wrong_row_is_told_by_its_line_and_the_others_are_read(database: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text(JOBS)
    result = import_postings(file)
    assert (result.written, result.refused) == (1, 5)
    assert [problem.partition(":")[0] for problem in result.problems] == [
        f"line {n}" for n in (3, 4, 5, 6, 7)
    ]
    assert "salary_low is above salary_high" in result.problems[2]
    with transaction() as connection:
        assert rows(connection, "SELECT id, salary_low, skills FROM job_postings") == [
            ("a", Decimal("40000.00"), ["care", "triage"]),
        ]


def test_importing_again_replaces(database: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_text(JOBS)
    import_postings(file)
    file.write_text(JOBS.replace("40000", "45000"))
    import_postings(file)
    with transaction() as connection:
        assert rows(connection, "SELECT id, salary_low FROM job_postings") == [("a", Decimal("45000.00"))]


def test_a_career_of_nobody_is_refused(people: Any, tmp_path: Path) -> None:
    people(person("Maya", 101))
    file = tmp_path / "careers.csv"
    file.write_text("user_id,role,wanted_role\nuser_maya,Clerk,Nurse\nuser_ghost,Clerk,Nurse\n")
    result = import_careers(file)
    assert (result.written, result.problems) == (1, ["line 3: no user 'user_ghost'"])


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "lacks the columns country, id, posted_on, role"),
        (b"id;role\n1;Nurse\n", "lacks the columns"),
        (b"\x89PNG\r\n\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_list_of_jobs_is_refused(content: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "jobs.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidRequest, match=problem):
        import_postings(file)


def test_the_command_says_what_it_did(database: str, tmp_path: Path) -> None:
    from cli.main import app

    file = tmp_path / "jobs.csv"
    file.write_text(JOBS)
    found = CliRunner().invoke(app, ["import-jobs", str(file)])
    assert (found.exit_code, "1 postings written, 5 rows refused" in found.output) == (0, True)
    assert CliRunner().invoke(app, ["import-jobs", str(tmp_path / "none.csv")]).exit_code == 2
