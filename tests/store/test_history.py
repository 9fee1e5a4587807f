"""The invented past: it fits our tables, tells one story, and confounds the send hour as real people do."""

from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from analytics.history import write_events, write_history
from analytics.history.scenario import PAST_TYPES
from core.crypto import content_hash
from core.errors import InvalidRequest
from core.sealing import seal, unseal
from delivery.catalog import catalog
from delivery.intake import PAYLOAD_PLACE

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
ZONES = ("America/New_York", "America/Los_Angeles", "Pacific/Honolulu", None)


def payload(notification_id, name):
    return seal(f'{{"of": "{name}"}}', place=PAYLOAD_PLACE, row=notification_id), content_hash(name.encode())


@pytest.fixture
def cursor(database):
    with psycopg2.connect(database) as connection, connection.cursor() as opened:
        yield opened
    connection.close()


@pytest.fixture
def everybody(cursor):
    """120 people in four zones; every tenth has no telephone."""
    for number in range(120):
        cursor.execute(
            "INSERT INTO users (id, time_zone) VALUES (%s, %s)", (f"user_{number}", ZONES[number % 4])
        )
        for channel in ("sms", "email") if number % 10 else ("email",):
            cursor.execute(
                "INSERT INTO contact_points (id, user_id, channel, address_sealed, address_index, domain)"
                " VALUES (gen_random_uuid(), %s, %s, '', convert_to(%s, 'UTF8'), %s)",
                (f"user_{number}", channel, f"{channel}{number}", "gmail.com" if channel == "email" else ""),
            )
    cursor.connection.commit()


def write(database, **changed):
    return write_history(database, **{"days": 14, "until": NOON, "seed": 7, "payload": payload} | changed)


def test_the_past_uses_only_message_types_lanes_and_channels_of_the_catalog():
    for past in PAST_TYPES:
        row = catalog()[past.name]
        assert (past.lane, past.lifetime) == (row.lane, row.lifetime)
        assert row.allows(past.channel)


def test_every_notification_stands_where_its_events_have_led_it(database, cursor, everybody):
    written = write(database)
    assert written.notifications > 800
    assert written.attempts >= written.notifications * 0.95
    cursor.execute(
        "SELECT n.state, bool_or(e.kind = 'sent'), bool_or(e.kind = 'delivered'), bool_or(e.kind = 'complained'),"
        " max(e.recorded_at) FROM notifications n LEFT JOIN delivery_events e ON e.notification_id = n.id GROUP BY n.id, n.state"
    )
    for state, sent, delivered, complained, told in cursor.fetchall():
        assert (sent is None) == (state == "skipped")
        assert bool(delivered) == (state in {"delivered", "complained"})
        assert bool(complained) == (state == "complained")
        assert told is None or told < NOON


def test_a_payload_opens_in_its_row_and_every_attempt_names_a_contact_point_of_its_user(
    database, cursor, everybody
):
    write(database)
    cursor.execute("SELECT id, message_type, payload_sealed FROM notifications LIMIT 5")
    for notification_id, name, sealed in cursor.fetchall():
        assert unseal(bytes(sealed), place=PAYLOAD_PLACE, row=notification_id) == f'{{"of": "{name}"}}'
    cursor.execute(
        "SELECT count(*) FROM attempts a JOIN notifications n ON n.id = a.notification_id"
        " LEFT JOIN contact_points c ON c.id = a.contact_point_id AND c.user_id = n.user_id AND c.channel = a.channel"
        " WHERE c.id IS NULL"
    )
    assert cursor.fetchone() == (0,)


def test_the_same_seed_gives_the_same_past(database, cursor, everybody):
    story = "SELECT kind, user_id, at FROM delivery_events ORDER BY at, kind, user_id"
    write(database)
    cursor.execute(story)
    first = cursor.fetchall()
    cursor.execute("TRUNCATE delivery_events, attempts, notifications CASCADE")
    cursor.connection.commit()
    write(database)
    cursor.execute(story)
    assert cursor.fetchall() == first


def test_nobody_is_texted_at_night_but_for_critical_alerts(database, cursor, everybody):
    write(database)
    cursor.execute(
        "SELECT min(local), max(local) FROM (SELECT extract(hour FROM e.at AT TIME ZONE coalesce(u.time_zone, 'UTC')) AS local"
        "  FROM delivery_events e JOIN users u ON u.id = e.user_id"
        "  WHERE e.kind = 'sent' AND e.channel = 'sms' AND e.message_type <> 'critical_financial') AS hours"
    )
    earliest, latest = cursor.fetchone()
    assert (earliest, latest) >= (8, 17)
    assert latest <= 20


def test_a_past_without_people_or_days_is_refused(database):
    with pytest.raises(InvalidRequest, match="nobody in the database"):
        write(database)


def test_a_span_of_no_days_is_refused(database, everybody):
    with pytest.raises(InvalidRequest, match="days: must be 1 or more"):
        write(database, days=0)


def test_a_history_of_events_has_about_the_size_asked_for(database, cursor):
    written = write_events(database, events=20_000, days=10, until=NOON, seed=3)
    assert 16_000 < written.events < 24_000
    cursor.execute(
        "SELECT count(*), min(at) >= %s, max(recorded_at) < %s FROM delivery_events",
        (NOON - timedelta(days=10.5), NOON),
    )
    assert cursor.fetchone() == (written.events, True, True)
