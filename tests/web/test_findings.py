"""The pages that artifacts link to: what the flows have kept, behind a signed address."""

from datetime import timedelta

import pytest

from analytics.alarm_store import Raised, settle_alarms
from analytics.delivery_figures import Figures
from analytics.findings import PAGES, path_of
from analytics.lanes import Waiting, assess, keep_samples
from analytics.store import replace_delivery_rates
from core.clock import utc_now
from core.database import transaction
from core.vocabulary import Lane
from tests.web.conftest import Web


@pytest.mark.parametrize("name", PAGES)
def test_every_page_says_so_when_nothing_is_known(web: Web, name: str, database: str) -> None:
    answer = web.get(path_of(name))
    assert answer.status == 200
    assert "Nothing." in answer.data.decode()


@pytest.mark.parametrize(
    "path",
    ["/findings/delivery/" + "a" * 22, path_of("queues").replace("queues", "delivery")],
    ids=["garbage", "another page's signature"],  # keys, and so signatures, differ among the workers of a run
)
def test_an_address_that_we_have_not_signed_is_refused(web: Web, path: str, database: str) -> None:
    assert web.get(path).status == 403


def test_a_page_that_does_not_exist_is_refused_even_when_it_is_signed(web: Web, database: str) -> None:
    assert web.get(path_of("users")).status == 403


def test_lanes_are_told_as_the_monitor_has_kept_them(web: Web, database: str) -> None:
    waiting = Waiting(due=7, later=1, claimed=2, oldest_seconds=31, arrived=9, served=0, service_seconds=None)
    now = utc_now()
    with transaction() as connection:
        keep_samples(
            connection,
            [assess(lane, waiting, (), now=now, queued=1, unacknowledged=0, concurrency=4) for lane in Lane],
        )
        settle_alarms(
            connection, "queue_depth", [Raised("sms_critical", "sms_critical: <b>late</b>")], now=now
        )
    page = web.get(path_of("queues")).data.decode()
    for lane in Lane:
        assert f"<td>{lane}</td>" in page
    assert "<td>31 s</td>" in page
    assert "sms_critical: &lt;b&gt;late&lt;/b&gt;" in page


def test_figures_are_told_with_their_intervals(web: Web, database: str) -> None:
    end = utc_now().replace(minute=0, second=0, microsecond=0)
    rate = {"hits": 95, "total": 100, "value": 0.95, "low": 0.888, "high": 0.978, "shown": True}
    values = {"counts": {"sent": 1200}, "cost": 9.0, "rates": {"delivery": rate}, "latency_ms": {}}
    replace_delivery_rates(end - timedelta(days=1), end, [Figures("all", "everything", values)])
    page = web.get(path_of("delivery")).data.decode()
    assert "<td>1,200</td><td>95.0 % [88.8–97.8]</td>" in page
    assert "<td>$9.0000</td>" in page
