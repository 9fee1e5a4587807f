"""Quiet hours: the law's rows as a table, the recipient's whereabouts, and properties over every zone and date."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.errors import SettingsError
from core.vocabulary import Urgency
from delivery.catalog import catalog
from delivery.policies import hours, quiet_hours
from delivery.policies.base import VerdictKind
from delivery.policies.hours import permitted, rules
from delivery.policies.places import place_of
from delivery.policies.reasons import Reason
from delivery.policies.states import STATE_ZONES, ZONES_OF_THE_FIFTY
from delivery.policies.windows import LawHours, WallHours, next_opening, outside
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
    ("payment_reminder", EMAIL, True, False),
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


# Properties: the pointwise rule, written down once more without intervals.

ZONES = sorted(zone for zone in available_timezones() if not zone.startswith(("right/", "posix/")))
LAWS = sorted(rules())
ODD_NIGHTS = [  # zone, a day whose clocks do something odd
    ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)), ("Australia/Lord_Howe", date(2026, 10, 4)),  # by half an hour
    ("Asia/Beirut", date(2026, 3, 29)), ("Africa/Cairo", date(2026, 4, 24)),  # midnight does not happen
    ("Africa/Cairo", date(2026, 10, 30)), ("Atlantic/Azores", date(2026, 3, 29)),
    ("America/Santiago", date(2026, 4, 4)), ("Africa/Casablanca", date(2026, 3, 22)),
    ("Pacific/Apia", date(2011, 12, 30)),  # a day that does not happen
    ("Asia/Kathmandu", date(2026, 5, 1)), ("Pacific/Chatham", date(2026, 9, 27)),
    ("America/Nuuk", date(2026, 3, 28)), ("Antarctica/Troll", date(2026, 3, 29)),  # by two hours
]  # fmt: skip


def wall(zone: str, instant: int) -> datetime:
    return datetime.fromtimestamp(instant, ZoneInfo(zone))


def second_of_day(local: datetime) -> int:
    return local.hour * 3600 + local.minute * 60 + local.second


def is_open(layers, instant: int) -> bool:
    for layer in layers:
        if isinstance(layer, WallHours):
            clauses = [(zone, layer.spans) for zone in layer.zones]
        else:
            clauses = [(zone, permitted(law, wall(zone, instant).date())) for zone, law in layer.clauses]
        for zone, spans in clauses:
            second = second_of_day(wall(zone, instant))
            if not any(opens <= second < closes for opens, closes in spans):
                return False
    return True


@cache
def changes(zone: str) -> tuple[date, ...]:
    """The days of 2025 and 2026 whose clocks change."""
    info, day, found = ZoneInfo(zone), datetime(2025, 1, 1, tzinfo=UTC), []
    while day.year < 2027:
        if day.astimezone(info).utcoffset() != (day + timedelta(days=1)).astimezone(info).utcoffset():
            found.append(day.date())
        day += timedelta(days=1)
    return tuple(found)


@st.composite
def moments(draw):
    """A zone and an instant: on a night when its clocks change as often as not."""
    if draw(st.booleans()):
        zone, day = draw(st.sampled_from(ODD_NIGHTS))
    else:
        zone = draw(st.sampled_from(ZONES))
        night = changes(zone)
        day = (
            draw(st.sampled_from(night))
            if night and draw(st.booleans())
            else draw(st.dates(date(2024, 1, 1), date(2035, 12, 31)))
        )
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    return zone, start + draw(st.integers(-86_400, 86_400))


clock_times = st.times().map(lambda one: one.replace(microsecond=0)) | st.builds(
    time, st.integers(0, 3), st.sampled_from([0, 15, 30, 45, 59])
)


@settings(max_examples=300, deadline=None)
@given(
    moment=moments(),
    law=st.sampled_from(LAWS),
    quiet=st.none() | st.tuples(clock_times, clock_times),
    other_zone=st.none() | st.sampled_from(ZONES),
    samples=st.lists(st.floats(0, 1), min_size=20, max_size=20),
)
@example(
    ("America/New_York", 1772951400), "US", (time(22), time(2, 30)), None, [0.5]
)  # quiet until no such time
@example(
    ("America/New_York", 1793508300), "US", (time(22), time(1, 30)), None, [0.5]
)  # quiet until a time twice
def test_no_open_instant_is_quiet_and_no_earlier_one_is_open(moment, law, quiet, other_zone, samples):
    zone, instant = moment
    zones = (zone,) if other_zone is None else (zone, other_zone)
    layers = [LawHours(tuple((one, law) for one in zones))]
    if quiet is not None:
        layers.append(WallHours((zone,), outside(*quiet)))
    opening = next_opening(layers, datetime.fromtimestamp(instant, UTC))
    if opening is None:
        assert not any(is_open(layers, instant + int(one * 6 * 86_400)) for one in samples)
        return
    start, end = opening
    assert end > instant
    first = max(start, instant)
    for one in (first, end - 1, *(first + int((end - 1 - first) * sample) for sample in samples)):
        assert is_open(layers, one)
    if start > instant:
        for one in (
            instant,
            start - 1,
            *(instant + int((start - 1 - instant) * sample) for sample in samples),
        ):
            assert not is_open(layers, one)
    if end - instant < 13 * 86_400:
        assert not is_open(layers, end)


@settings(max_examples=200, deadline=None)
@given(
    moment=moments(),
    state=st.sampled_from(["", *STATE_ZONES]),
    jitter=st.floats(0, 0.999),
    lifetime=st.integers(60, 7 * 86_400),
    profile=st.booleans(),
)
def test_whatever_is_known_a_text_goes_only_in_permitted_hours_and_a_deferral_ends_in_them(
    moment, state, jitter, lifetime, profile
):
    zone, instant = moment
    now = datetime.fromtimestamp(instant, UTC)
    someone = person("somebody", time_zone=zone if profile else None, state=state, country="")
    one = message("somebody", jitter=jitter, expires_at=now + timedelta(seconds=lifetime))
    layers = quiet_hours.layers_for(one, someone)
    (verdict,) = quiet_hours.check([one], facts(someone), now)
    assert (verdict.kind is VerdictKind.ALLOW) == is_open(layers, instant)
    if verdict.kind is VerdictKind.DEFER:
        assert now < verdict.until < one.expires_at
        assert is_open(layers, int(verdict.until.timestamp()))
        (again,) = quiet_hours.check([one], facts(someone), verdict.until)
        assert again.kind is VerdictKind.ALLOW
    elif verdict.kind is VerdictKind.SKIP:
        assert verdict.reason == Reason.EXPIRED_BEFORE_WINDOW
        assert not is_open(layers, int(one.expires_at.timestamp()) - 1)


def test_the_version_of_the_rules_changes_with_any_row(tmp_path):
    file = tmp_path / "hours.csv"
    file.write_text(HEAD)
    before = hours.digest(file)
    hours.digest.cache_clear()
    file.write_text(f"{HEAD}\nXX,mon,09:00,17:00,2026-01-01,,law,counsel\n")
    assert hours.digest(file) != before
