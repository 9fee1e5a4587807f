"""Quiet hours: the law's rows as a table, the recipient's whereabouts, and properties over every zone and date."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.errors import SettingsError
from core.vocabulary import Urgency
from delivery.catalog import catalog
from delivery.policies import hours, quiet_hours
from delivery.policies.base import VerdictKind
from delivery.policies.hours import rules
from delivery.policies.places import place_of
from delivery.policies.reasons import Reason
from delivery.policies.states import STATE_ZONES, ZONES_OF_THE_FIFTY
from tests.policies.people import EMAIL, NOON, SMS, at, facts, message, person

WEEK = timedelta(days=7)


def verdict_for(someone, now, **about):
    about = {"type_name": "payment_reminder", "expires_at": now + WEEK} | about
    (verdict,) = quiet_hours.check([message(someone.user_id, **about)], facts(someone), now)
    return verdict


TABLE = [  # state, local time, its zone, when it may be sent ("" = at once)
    ("NY", "2026-03-04T07:59:59", "America/New_York", "2026-03-04T08:00"),
    ("NY", "2026-03-04T08:00:00", "America/New_York", ""),
    ("NY", "2026-03-04T20:59:59", "America/New_York", ""),
    ("NY", "2026-03-04T21:00:00", "America/New_York", "2026-03-05T08:00"),
    ("FL", "2026-03-04T20:00:00", "America/New_York", "2026-03-05T08:00"),
    ("MD", "2026-03-04T20:30:00", "America/New_York", "2026-03-05T08:00"),
    ("OK", "2026-03-04T20:30:00", "America/Chicago", "2026-03-05T08:00"),
    ("MA", "2026-03-04T20:30:00", "America/New_York", "2026-03-05T08:00"),
    ("WA", "2026-03-04T20:30:00", "America/Los_Angeles", "2026-03-05T08:00"),
    ("CT", "2026-03-04T08:30:00", "America/New_York", "2026-03-04T09:00"),
    ("NV", "2026-03-04T20:00:00", "America/Los_Angeles", "2026-03-05T09:00"),
    ("RI", "2026-03-06T18:00:00", "America/New_York", "2026-03-07T10:00"),  # Friday evening
    (
        "RI",
        "2026-03-07T17:00:00",
        "America/New_York",
        "2026-03-08T10:00",
    ),  # Saturday; the clocks change that night
    ("TX", "2026-03-07T21:00:00", "America/Chicago", "2026-03-08T12:00"),  # to Sunday
    ("TX", "2026-03-09T08:30:00", "America/Chicago", "2026-03-09T09:00"),
    ("AL", "2026-03-07T20:00:00", "America/Chicago", "2026-03-09T08:00"),  # no Sunday
    ("LA", "2026-03-08T12:00:00", "America/Chicago", "2026-03-09T08:00"),
    ("MS", "2026-03-08T12:00:00", "America/Chicago", "2026-03-09T08:00"),
    ("AL", "2026-04-27T12:00:00", "America/Chicago", "2026-04-28T08:00"),  # Confederate Memorial Day
    ("LA", "2026-02-17T12:00:00", "America/Chicago", "2026-02-18T08:00"),  # Mardi Gras
    ("MS", "2026-12-25T12:00:00", "America/Chicago", "2026-12-26T08:00"),
    ("NY", "2026-12-25T12:00:00", "America/New_York", ""),
]


@pytest.mark.parametrize(("state", "local", "zone", "allowed"), TABLE)
def test_the_law_of_each_state(state, local, zone, allowed):
    now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))
    verdict = verdict_for(person("omar", state=state, time_zone=zone), now.astimezone(UTC))
    if allowed:
        assert verdict.reason == Reason.QUIET_HOURS
        assert verdict.until.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == datetime.fromisoformat(
            allowed
        )
    else:
        assert verdict.kind is VerdictKind.ALLOW


NIGHT = at("2026-03-05T03:00-05:00")

BOUND = [  # type, channel, own quiet hours, whether the night holds it up
    ("payment_reminder", SMS, False, True),
    ("weekly_checkin", SMS, False, True),
    ("critical_financial", SMS, True, False),
    ("critical_financial", EMAIL, True, False),
    ("payment_reminder", EMAIL, False, False),
    ("payment_reminder", EMAIL, True, True),
    ("weekly_checkin", EMAIL, False, False),
    ("weekly_checkin", EMAIL, True, True),
    ("monthly_report", EMAIL, True, True),
]


@pytest.mark.parametrize(("type_name", "channel", "own", "held_up"), BOUND)
def test_whom_the_night_binds(type_name, channel, own, held_up):
    wishes = {"quiet_from": time(22), "quiet_until": time(7)} if own else {}
    verdict = verdict_for(person(**wishes), NIGHT, type_name=type_name, channel=channel)
    assert (verdict.kind is VerdictKind.DEFER) == held_up


def test_every_critical_type_is_exempt_by_class():
    for name, row in catalog().items():
        if row.urgency is Urgency.CRITICAL:
            verdict = verdict_for(person(quiet_from=time(0), quiet_until=time(23)), NIGHT, type_name=name)
            assert verdict.kind is VerdictKind.ALLOW


def test_mayas_own_quiet_hours_come_on_top_of_the_law():
    maya = person(quiet_from=time(20), quiet_until=time(10, 30))
    assert verdict_for(maya, NIGHT).until == at("2026-03-05T10:30-05:00")


def test_quiet_hours_that_begin_as_they_end_wish_nothing():
    assert verdict_for(person(quiet_from=time(9), quiet_until=time(9)), NOON).kind is VerdictKind.ALLOW


def test_wishes_that_leave_no_permitted_hour_are_a_skip_that_says_so():
    assert (
        verdict_for(person(quiet_from=time(7), quiet_until=time(22)), NOON).reason
        == Reason.NO_PERMITTED_HOURS
    )


def test_what_expires_in_the_night_is_skipped_at_once():
    verdict = verdict_for(person(), NIGHT, expires_at=NIGHT + timedelta(hours=5))
    assert (verdict.kind, verdict.reason) == (VerdictKind.SKIP, Reason.EXPIRED_BEFORE_WINDOW)


def test_the_morning_is_spread_over_two_hours_and_never_past_expiry():
    def until(jitter, lifetime=WEEK):
        return verdict_for(person(), NIGHT, jitter=jitter, expires_at=NIGHT + lifetime).until

    opens = at("2026-03-05T08:00-05:00")
    assert until(0.0) == opens
    assert until(0.5) == opens + timedelta(hours=1)
    assert opens < until(0.99, timedelta(hours=5, minutes=30)) < opens + timedelta(minutes=30)


PLACES = [  # what is known, the zones that count, what that stands on, a law among those that apply
    ({"time_zone": "Asia/Kolkata", "state": "NY"}, {}, {"Asia/Kolkata"}, "profile", "US"),
    ({"state": "TX"}, {"region": "FL", "zones": ("America/New_York",)}, set(STATE_ZONES["TX"]), "state", "TX"),
    ({}, {"region": "FL", "zones": ("America/New_York",)}, {"America/New_York"}, "area_code", "FL"),
    ({}, {"region": "ID", "zones": ("America/Boise", "America/Los_Angeles")},
     {"America/Boise", "America/Los_Angeles"}, "area_code", "US"),
    ({}, {"region": "HI"}, {"Pacific/Honolulu"}, "area_code", "US"),
    ({}, {}, set(ZONES_OF_THE_FIFTY), "unknown", "RI"),
    ({"time_zone": "Mars/Olympus"}, {"zones": ("Nowhere/Else",)}, set(ZONES_OF_THE_FIFTY), "unknown", "TX"),
    ({"time_zone": "America/Chicago"}, {}, {"America/Chicago"}, "profile", "TX"),
    ({"country": "GB"}, {"zones": ("Europe/London",), "country": "GB"}, {"Europe/London"}, "area_code", "*"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "number", "zones", "basis", "law"), PLACES)
def test_where_a_recipient_may_be(known, number, zones, basis, law):
    place = place_of(message(**number), person(**{"time_zone": None, "state": "", "country": ""} | known))
    assert (set(place.zones), place.basis) == (zones, basis)
    assert law in place.laws


def test_the_address_decides_before_the_area_code():
    """Lee moved from Florida to New York and kept the number."""
    place = place_of(message(region="FL"), person("lee", time_zone=None, state="NY"))
    assert "FL" not in place.laws


def test_of_whom_nothing_is_known_every_zone_of_the_fifty_must_be_awake():
    unknown = person("somebody", time_zone=None, state="", country="")
    hawaii_wakes = datetime(2026, 3, 4, 8, 0, tzinfo=ZoneInfo("Pacific/Honolulu"))
    assert verdict_for(unknown, hawaii_wakes - timedelta(seconds=1)).until == hawaii_wakes
    assert verdict_for(unknown, hawaii_wakes).kind is VerdictKind.ALLOW
    rhode_island_ends = datetime(2026, 3, 4, 18, 0, tzinfo=ZoneInfo("America/New_York"))
    assert verdict_for(unknown, rhode_island_ends).kind is VerdictKind.DEFER


def test_rows_say_where_they_come_from_and_cover_each_day_once():
    for jurisdiction, rows in rules().items():
        assert all(row.source and row.reviewer for row in rows)
        assert jurisdiction in {"US", "*", *STATE_ZONES}
        days = [day for row in rows if row.in_force(date(2026, 11, 1)) for day in row.days]
        assert len(days) == len(set(days)), jurisdiction


def test_a_row_holds_only_between_its_dates(tmp_path):
    file = tmp_path / "hours.csv"
    file.write_text(f"{HEAD}\nXX,mon-sun,09:00,17:00,2026-01-01,2027-01-01,law,counsel\n")
    (row,) = rules(file)["XX"]
    assert [row.in_force(date(year, 1, 1)) for year in (2025, 2026, 2027)] == [False, True, False]


HEAD = "jurisdiction,days,opens,closes,effective_from,effective_until,source,reviewer"
BROKEN = [
    "XX,mon-sun,21:00,08:00,2026-01-01,,law,counsel",
    "XX,mon-sun,8 o'clock,21:00,2026-01-01,,law,counsel",
    "XX,mon-sun,08:00,,2026-01-01,,law,counsel",
    "XX,someday,08:00,21:00,2026-01-01,,law,counsel",
    "XX,sun-mon,08:00,21:00,2026-01-01,,law,counsel",
    "XX,mon-sun,08:00,21:00,yesterday,,law,counsel",
    ",mon-sun,08:00,21:00,2026-01-01,,law,counsel",
    "XX,mon-sun,08:00,21:00,2026-01-01,,law,",
    "XX,mon-sun,08:00,21:00",
    "XX,mon-sun,08:00,21:00,2026-01-01,,law, and a comma,counsel",
]


@pytest.mark.parametrize("row", BROKEN)
def test_a_broken_row_is_refused_by_its_line(tmp_path, row):
    file = tmp_path / "hours.csv"
    file.write_text(f"{HEAD}\n{row}\n")
    with pytest.raises(SettingsError, match=r"hours\.csv line 2"):
        rules(file)


def test_the_version_of_the_rules_changes_with_any_row(tmp_path):
    file = tmp_path / "hours.csv"
    file.write_text(HEAD)
    before = hours.digest(file)
    hours.digest.cache_clear()
    file.write_text(f"{HEAD}\nXX,mon,09:00,17:00,2026-01-01,,law,counsel\n")
    assert hours.digest(file) != before
