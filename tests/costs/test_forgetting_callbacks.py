"""What providers told us is not kept for ever: first its words go, then its key."""

from datetime import timedelta

import pytest

from core.clock import utc_now
from core.database import transaction
from core.ids import first_id
from core.statements import execute, rows
from core.vocabulary import EventKind
from delivery import callbacks
from delivery.callbacks import KEYS_KEPT, PAYLOADS_KEPT, forget
from delivery.messages import DeliveryEvent
from delivery.receipts import apply_waiting, receive

pytestmark = pytest.mark.usefixtures("database", "redis")


def told(key):
    return DeliveryEvent(
        "resend", EventKind.UNRECOGNISED, key, utc_now(), address="maya@mail.test", raw={"a": 1}
    )


def heard(key, ago, *, processed=True):
    """A callback that came so long ago."""
    assert receive([told(key)]) == 1
    if processed:
        apply_waiting()
    with transaction() as connection:
        execute(
            connection, "UPDATE callbacks SET id = %s WHERE event_key = %s", (first_id(utc_now() - ago), key)
        )


def kept():
    """key → whether its words are still there."""
    with transaction() as connection:
        return dict(rows(connection, "SELECT event_key, event_sealed <> '' FROM callbacks"))


HOUR = timedelta(hours=1)


def test_words_go_after_a_season_and_keys_after_a_year_and_what_waits_stays():
    heard("fresh", HOUR)
    heard("of the season", PAYLOADS_KEPT - HOUR)
    heard("old", PAYLOADS_KEPT + HOUR)
    heard("of the year", KEYS_KEPT - HOUR)
    heard("ancient", KEYS_KEPT + HOUR)
    heard("ancient and waiting", KEYS_KEPT + 2 * HOUR, processed=False)

    assert forget(utc_now()) == (3, 1)
    assert kept() == {
        "fresh": True, "of the season": True, "old": False, "of the year": False, "ancient and waiting": True,
    }  # fmt: skip
    assert forget(utc_now()) == (0, 0)


def test_a_callback_without_its_words_is_still_known_as_a_repetition():
    heard("old", PAYLOADS_KEPT + HOUR)
    forget(utc_now())

    assert receive([told("old")]) == 0


def test_many_are_forgotten_page_by_page(monkeypatch):
    monkeypatch.setattr(callbacks, "PAGE", 2)
    for number in range(5):
        heard(str(number), PAYLOADS_KEPT + number * HOUR + HOUR)

    assert forget(utc_now()) == (5, 0)
