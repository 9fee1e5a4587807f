"""The figures of a month, against numbers worked out by hand."""

from datetime import date
from decimal import Decimal

import pytest

from analytics.advice import advice
from analytics.finance import MonthFigures, month_figures
from analytics.months import Month
from analytics.report import payload_of
from analytics.wellness import wellness
from core.errors import InvalidRequest
from tests.batches.money import JULY, day, mayas_months, money, transactions

CAR = ("maya", "Car", 500_000, 100_000, day("2025-12-31"), day("2025-01-01"))
D = Decimal


@pytest.fixture
def maya() -> MonthFigures:
    frames = money(transactions(*mayas_months()), (("maya", "dining", 30_000),), (CAR,))
    return month_figures(JULY, ["maya"], frames).figures["maya"]


def test_income_and_spending_leave_out_what_moves_between_own_accounts(maya: MonthFigures) -> None:
    assert maya.income == D("3000.00")
    assert maya.spending == D("1910.99")  # 1200 + 10.99 + 700
    assert maya.net == D("1089.01")


def test_usual_is_the_median_of_the_six_months_before(maya: MonthFigures) -> None:
    # January to June spent 1309.99, 1409.99 … 1809.99: the median lies between the third and the fourth.
    assert maya.usual_spending == D("1559.99")
    assert maya.usual_net == D("1440.01")
    dining = maya.categories[1]
    assert (dining.name, dining.spent, dining.before, dining.usual) == (
        "dining", D("700.00"), D("600.00"), D("350.00"),
    )  # fmt: skip


def test_the_month_before_is_told_where_something_is_known_of_it(maya: MonthFigures) -> None:
    assert (maya.income_before, maya.spending_before) == (D("3000.00"), D("1809.99"))  # 1200 + 9.99 + 600
    assert maya.usual_income == D("3000.00")
    rows = [("ines", "2025-07-05", -5000, "fun", "Bar")]
    ines = month_figures(JULY, ["ines"], money(transactions(*rows))).figures["ines"]
    assert (ines.spending_before, ines.categories[0].before) == (None, None)
    rows.append(("ines", "2025-05-05", -7000, "fun", "Bar"))
    ines = month_figures(JULY, ["ines"], money(transactions(*rows))).figures["ines"]
    assert (ines.spending_before, ines.categories[0].before) == (D(0), D(0))


def test_the_payload_tells_changes_week_ends_and_why_each_part_of_the_score_is_what_it_is(
    maya: MonthFigures,
) -> None:
    payload = payload_of(maya)
    assert payload["categories"][1] == {
        "name": "Dining", "amount": "700.00", "usual": "350.00", "change": "100.00", "moved": "up",
        "usual_change": "350.00", "usual_moved": "up",
    }  # fmt: skip
    assert payload["cash_flow"] == [
        {"day": "2025-07-07", "amount": "1800.00"}, {"day": "2025-07-14", "amount": "939.01"},
        {"day": "2025-07-21", "amount": "939.01"}, {"day": "2025-07-28", "amount": "939.01"},
        {"day": "2025-07-31", "amount": "939.01"},
    ]  # fmt: skip
    # 1089.01 of 3000 is 36 %; dining is 400 over; 1910.99 is 122.5003 % of the usual 1559.99; the car is behind.
    assert {part["kind"]: part["value"] for part in payload["score_parts"]} == {
        "saved": "36", "within_budget": "400.00", "steady": "123", "on_time": "0", "goals": "1",
    }  # fmt: skip


def test_categories_stand_largest_first_whatever_their_spelling(maya: MonthFigures) -> None:
    assert [row.name for row in maya.categories] == ["housing", "dining", "subscriptions"]
    assert [row.budget for row in maya.categories] == [None, D("300.00"), None]


def test_the_cash_flow_is_the_running_sum_at_the_end_of_each_day(maya: MonthFigures) -> None:
    assert len(maya.cash_flow) == 31
    found = {number: maya.cash_flow[number - 1] for number in (1, 2, 3, 9, 11, 31)}
    assert found == {
        1: D(3000), 2: D(3000), 3: D(1800), 9: D("1789.01"), 11: D("1089.01"), 31: D("939.01"),
    }  # fmt: skip


def test_the_largest_movements_are_told_with_their_day(maya: MonthFigures) -> None:
    assert [(each.day, each.name, each.amount) for each in maya.largest] == [
        (1, "Payroll", D(3000)), (3, "Rent", D(-1200)), (11, "Bistro", D(-700)),
    ]  # fmt: skip


def test_recurring_charges_are_steady_and_monthly_and_a_rise_is_noticed(maya: MonthFigures) -> None:
    assert [(each.name, each.amount, each.rose_by) for each in maya.recurring] == [
        ("Rent", D("1200.00"), D(0)), ("Netflix", D("10.99"), D("1.00")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("charges", "why"),
    [
        ([("2025-06-05", -999), ("2025-07-05", -999)], "twice is no habit"),
        ([("2025-05-05", -999), ("2025-06-05", -999)], "not charged in July"),
        ([("2025-05-05", -999), ("2025-06-05", -2500), ("2025-07-05", -999)], "the amount jumps"),
        ([("2025-05-05", -999), ("2025-06-05", -999), ("2025-07-05", -999), ("2025-07-09", -999)], "twice in July"),
        ([("2025-01-05", -999), ("2025-04-05", -999), ("2025-07-05", -999)], "every third month"),
    ],
)  # fmt: skip
def test_other_charges_are_not_called_recurring(charges: list[tuple[str, int]], why: str) -> None:
    rows = [("noor", booked, cents, "fun", "Gym") for booked, cents in charges]
    frames = money(transactions(*rows, ("noor", "2025-07-20", -500, "fun", "")))
    assert month_figures(JULY, ["noor"], frames).figures["noor"].recurring == (), why


def test_a_goal_with_its_own_pace_is_projected_from_it(maya: MonthFigures) -> None:
    car = maya.goals[0]
    # 212 days from 1 January to 31 July are 6.96 months: 1000 / 6.9645 = 143.58; 4000 / 143.58 = 27.9 months.
    assert (car.pace, car.pace_is_own, car.expected) == (D("143.58"), True, Month.parse("2027-11"))
    assert car.needed == D("800.00")  # 4000 in the five months up to December
    assert car.is_late
    assert car.percent == 20


def test_a_young_goal_is_projected_from_what_is_usually_left_over() -> None:
    young = ("maya", "Bike", 288_002, 0, None, day("2025-07-15"))
    frames = money(transactions(*mayas_months()), goals=(young,))
    bike = month_figures(JULY, ["maya"], frames).figures["maya"].goals[0]
    assert (bike.pace, bike.pace_is_own, bike.expected) == (D("1440.01"), False, Month.parse("2025-09"))


def test_without_anything_left_over_a_young_goal_has_no_projection() -> None:
    rows = [("dan", f"2025-{month:02d}-05", -5000, "fun", "Bar") for month in range(1, 8)]
    young = ("dan", "Boat", 100_000, 0, None, day("2025-07-15"))
    boat = month_figures(JULY, ["dan"], money(transactions(*rows), goals=(young,))).figures["dan"].goals[0]
    assert (boat.pace, boat.expected) == (None, None)


def test_with_two_months_of_history_nothing_is_called_usual() -> None:
    rows = [("ines", f"2025-{month:02d}-05", -5000, "fun", "Bar") for month in (5, 6, 7)]
    ines = month_figures(JULY, ["ines"], money(transactions(*rows))).figures["ines"]
    assert (ines.usual_spending, ines.categories[0].usual) == (None, None)


def test_the_score_is_the_sum_of_its_parts(maya: MonthFigures) -> None:
    score = wellness(maya)
    assert score is not None
    # Left over: 36 % of the income, more than a fifth: 30. Dining 400 over a budget of 300: 0 of 25. Spending is 1.225
    # of the usual: (1.5 − 1.225) × 2 = 0.55 of 15 = 8.25. No bill overdue: 15. The car is late at 20 %: 3 of 15.
    assert {part.name: part.points for part in score.parts} == {
        "saved": 30, "within_budget": 0, "steady": 8, "on_time": 15, "goals": 3,
    }  # fmt: skip
    assert score.value == 56


def test_what_cannot_be_known_is_left_out_of_the_score() -> None:
    rows = [("ines", "2025-07-05", 100_000, "income", "Pay"), ("ines", "2025-07-06", -90_000, "fun", "Bar")]
    ines = month_figures(JULY, ["ines"], money(transactions(*rows))).figures["ines"]
    # Only saved (30: a tenth of the income is half of a fifth) and on_time (15) are known: 45 of 100 is too little.
    assert wellness(ines) is None
    budgeted = money(transactions(*rows), (("ines", "fun", 100_000),))
    score = wellness(month_figures(JULY, ["ines"], budgeted).figures["ines"])
    assert score is not None
    assert score.value == round((15 + 25 + 15) * 100 / 70)


def test_overdue_bills_take_half_of_their_part_each() -> None:
    frames = money(transactions(*mayas_months()), overdue=(("maya", 1),))
    score = wellness(month_figures(JULY, ["maya"], frames).figures["maya"])
    assert score is not None
    assert {part.name: part.points for part in score.parts}["on_time"] == 8  # 7.5, to even


def test_two_recommendations_with_most_at_stake_each_on_its_own_subject(maya: MonthFigures) -> None:
    # The car lacks 800 − 143.58 a month; dining is 400 over its budget (and 350 above usual: the same subject).
    assert [(each.kind, each.name, each.amount, each.than) for each in advice(maya)] == [
        ("goal_late", "Car", D("656.42"), D("800.00")), ("over_budget", "dining", D("400.00"), D("300.00")),
    ]  # fmt: skip


def test_a_good_month_is_praised_for_what_it_shows_and_nothing_is_invented() -> None:
    rows = [("leila", "2025-07-01", 100_000, "income", "Pay"), ("leila", "2025-07-06", -90_000, "fun", "Bar")]
    leila = month_figures(JULY, ["leila"], money(transactions(*rows))).figures["leila"]
    assert [(each.kind, each.amount) for each in advice(leila)] == [("kept", D("100.00"))]


def test_one_corrupt_transaction_spoils_its_owner_and_nobody_else() -> None:
    rows = [
        *mayas_months(),
        ("omar", "2025-07-02", None, "fun", "Bar"),
        ("omar", "2025-07-03", -100, "fun", "Bar"),
    ]
    result = month_figures(JULY, ["maya", "omar", "tom"], money(transactions(*rows)))
    assert set(result.figures) == {"maya"}
    assert result.skipped == {
        "omar": "a transaction has no readable amount", "tom": "no transactions in 2025-07",
    }  # fmt: skip


def test_people_in_one_frame_do_not_touch_each_other(maya: MonthFigures) -> None:
    others = [
        ("noor", booked, cents, category, merchant) for _, booked, cents, category, merchant in mayas_months()
    ]
    halved = [
        (user, booked, (cents or 0) // 2, category, merchant)
        for user, booked, cents, category, merchant in others
    ]
    frames = money(transactions(*halved, *mayas_months()), (("maya", "dining", 30_000),), (CAR,))
    assert month_figures(JULY, ["maya", "noor"], frames).figures["maya"] == maya


@pytest.mark.parametrize("text", ["2025-13", "2025-1", "January", "", "2025-01-01"])
def test_a_month_is_written_as_year_and_month(text: str) -> None:
    with pytest.raises(InvalidRequest, match="month: must look like 2025-01"):
        Month.parse(text)


def test_months_know_their_days() -> None:
    assert (Month.parse("2024-02").days, str(Month.parse("2025-12").plus(1))) == (29, "2026-01")
    assert Month.of(date(2025, 1, 31)).plus(-1).first == date(2024, 12, 1)
