"""`mingus costs` and `mingus counters rebuild`, as an operator types them."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from cli.main import app
from core.database import transaction
from delivery import counters, ledger
from delivery.ledger import Fact

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def run(*arguments):
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "140"})


@pytest.fixture
def spent(database, redis):
    """Two texts to Maya, one of them dearer than estimated, and a mail to Noor the day before."""
    facts = [
        ("sent", "sms", "twilio", "user_maya", "payment_reminder", "0.0075", NOON),
        ("sent", "sms", "twilio", "user_maya", "critical_financial", "0.0075", NOON),
        ("price_settled", "sms", "twilio", "user_maya", "critical_financial", "0.0100", NOON),
        ("sent", "email", "resend", "user_noor", "monthly_report", "0.0001", NOON.replace(day=23)),
    ]
    with transaction() as connection:
        ledger.record_facts(
            connection,
            [
                Fact(kind=kind, channel=channel, provider=provider, user_id=user, message_type=name,
                     price=Decimal(price), at=at)
                for kind, channel, provider, user, name, price, at in facts
            ],
        )  # fmt: skip


def lines(text):
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if "│" in line]


@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("--day", "2026-11-24"),
            [
                ["critical_financial", "1", "0.0175", "70.0%", "+0.0100"],
                ["payment_reminder", "1", "0.0075", "30.0%", "+0.0000"],
                ["all", "2", "0.0250", "", ""],
            ],
        ),
        (
            ("--month", "2026-11", "--by", "provider"),
            [
                ["twilio", "2", "0.0250", "99.6%", "+0.0100"],
                ["resend", "1", "0.0001", "0.4%", "+0.0000"],
                ["all", "3", "0.0251", "", ""],
            ],
        ),
        (
            ("--month", "2026-11", "--by", "user", "--top", "1"),
            [["user_maya", "2", "0.0250", "99.6%", "+0.0100"], ["all", "3", "0.0251", "", ""]],
        ),
        (("--day", "2026-10-01"), [["all", "0", "0.0000", "", ""]]),
    ],
)
def test_costs_are_shown_by_type_person_and_provider(arguments, expected):
    result = run("costs", *arguments)
    assert result.exit_code == 0, result.output
    assert lines(result.output) == expected


@pytest.mark.usefixtures("spent")
def test_budgets_stand_below_the_costs(configure):
    configure(MINGUS_BUDGETS="day=10")
    told = run("costs").output.splitlines()[-1]
    assert re.fullmatch(r"budget day: 0\.0\d+ of 10 USD \(0 %\), until \d{4}-\d\d-\d\d 00:00 UTC", told)


@pytest.mark.usefixtures("spent")
def test_a_rebuild_makes_a_day_whole(redis):
    redis.flushdb()
    result = run("counters", "rebuild", "--day", "2026-11-24")
    assert (result.exit_code, result.output) == (0, "2026-11-24: 3 events, 0.025000 USD\n")
    assert counters.totals(NOON.date()).cost == Decimal("0.025")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("costs", "--day", "yesterday"), "--day: must look like 2026-11-24"),
        (("costs", "--month", "11/2026"), "--month: must look like 2026-11"),
        (("costs", "--day", "2026-11-24", "--month", "2026-11"), "give one of them"),
        (("counters", "rebuild", "--day", "2026-13-01"), "--day: must look like 2026-11-24"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(arguments, complaint):
    result = run(*arguments)
    assert result.exit_code == 1
    assert complaint in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("arguments", [("costs", "--by", "planet"), ("costs", "--top", "0")])
def test_an_option_that_typer_knows_to_be_wrong_is_a_usage_error(arguments):
    assert run(*arguments).exit_code == 2
