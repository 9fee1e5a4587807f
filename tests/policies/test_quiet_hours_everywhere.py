"""Quiet hours over every zone and date: the rule written down once more, instant by instant, against the intervals."""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.policies import quiet_hours
from delivery.policies.base import VerdictKind
from delivery.policies.hours import permitted, rules
from delivery.policies.reasons import Reason
from delivery.policies.states import STATE_ZONES
from delivery.policies.windows import LawHours, WallHours, next_opening, outside
from tests.policies.people import facts, message, person

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
