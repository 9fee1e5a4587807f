"""The price card: the specification's numbers, the most specific row, dates, and rows that can't be right."""

from datetime import date
from decimal import Decimal

import pytest

from core.errors import SettingsError
from core.vocabulary import Channel
from delivery import costs

SMS, EMAIL = Channel.SMS, Channel.EMAIL
TODAY = date(2026, 11, 24)
HEAD = "provider,channel,country,unit,price_usd,effective_from,effective_until,source\n"


@pytest.fixture(autouse=True)
def _as_configured(configure):
    configure()


def card(tmp_path, *lines):
    file = tmp_path / "card.csv"
    file.write_text(HEAD + "\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("channel", "units", "usd"),
    [(SMS, 1, "0.0075"), (SMS, 3, "0.0225"), (EMAIL, 1, "0.0001"), (EMAIL, 100, "0.0100")],
)
def test_the_specifications_prices_hold_where_no_row_says_otherwise(channel, units, usd):
    assert costs.estimate(channel, units, on=TODAY, country="US") == Decimal(usd)


def test_a_country_of_its_own_price_costs_it_at_that_provider_only():
    assert costs.unit_price(SMS, on=TODAY, provider="twilio", country="NP") == Decimal("0.3022")
    assert costs.unit_price(SMS, on=TODAY, provider="sns", country="NP") == Decimal("0.0075")


def test_a_price_of_the_settings_goes_before_the_card(configure):
    configure(MINGUS_SMS_PRICE="0.02")
    assert costs.unit_price(SMS, on=TODAY, provider="twilio", country="NP") == Decimal("0.02")
    assert costs.unit_price(EMAIL, on=TODAY) == Decimal("0.0001")


def test_each_row_of_the_card_names_its_source_and_the_card_has_a_price_for_everything():
    assert all(row.source for row in costs.price_card())
    assert {row.channel for row in costs.price_card() if row.provider == row.country == costs.ANY} == set(
        Channel
    )


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["twilio,sms,US,mail,0.01,2025-01-01,,x"], "line 2: unit must be segment"),
        (["twilio,fax,US,segment,0.01,2025-01-01,,x"], "line 2"),
        (["twilio,sms,US,segment,cheap,2025-01-01,,x"], "line 2"),
        (["twilio,sms,US,segment,-0.01,2025-01-01,,x"], "price_usd must be from 0 to 100"),
        (["twilio,sms,US,segment,0.01,soon,,x"], "line 2"),
        (["twilio,sms,US,segment,0.01,2025-01-01,,"], "needs its source"),
        (["twilio,sms,US"], "line 2"),
        (
            ["twilio,sms,US,segment,0.01,2025-01-01,,x", "twilio,sms,US,segment,0.02,2026-01-01,,x"],
            "two prices of twilio to US at a time",
        ),
    ],
)
def test_a_card_that_cant_be_right_is_refused_with_its_place(tmp_path, lines, complaint):
    with pytest.raises(SettingsError, match=complaint):
        costs.price_card(card(tmp_path, *lines))


def test_a_price_that_ends_as_the_next_begins_is_a_change_of_price(tmp_path):
    old, new = costs.price_card(
        card(
            tmp_path,
            "twilio,sms,US,segment,0.01,2025-01-01,2026-01-01,x",
            "twilio,sms,US,segment,0.02,2026-01-01,,x",
        )
    )
    assert [old.in_force(day) for day in (date(2025, 12, 31), date(2026, 1, 1))] == [True, False]
    assert [new.in_force(day) for day in (date(2025, 12, 31), date(2026, 1, 1))] == [False, True]


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("MINGUS_BUDGETS", "day=ten", "day=50"),
        ("MINGUS_BUDGETS", "hour=10", "day, month"),
        ("MINGUS_BUDGETS", "day", "day=50"),
        ("MINGUS_BUDGETS", "day=-5", "day=50"),
        ("MINGUS_SMS_COUNTRIES", "USA", "two-letter"),
        ("MINGUS_SMS_COUNTRIES", "us", "two-letter"),
        ("MINGUS_SMS_PRICE", "-1", "MINGUS_SMS_PRICE"),
        ("MINGUS_SMS_BLOCK_HOURLY", "-1", "MINGUS_SMS_BLOCK_HOURLY"),
    ],
)
def test_a_wrong_setting_is_told_with_its_name_and_the_mend(monkeypatch, variable, value, complaint):
    from core.settings import load_settings

    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=complaint) as raised:
        load_settings()
    assert variable in str(raised.value)
