"""What the demo shows of failover, over a real worker and the real sandbox."""

import io
import re

import pytest
from rich.console import Console

from cli.demo.failover import demonstrate
from delivery.catalog import catalog
from tests.delivery.stage import person
from tests.tasks.test_worker import LIMITS, stop, worker

pytestmark = pytest.mark.slow


@pytest.fixture
def alerts(database, redis, provider, configure):
    configure(**LIMITS)
    process = worker("-Q", "sms_critical", "-c", "4")
    yield
    stop(process)


def in_words(table):
    """The table as a person reads it, without its lines."""
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return " ".join(re.sub(r"[^\w\s.':,]", " ", console.file.getvalue()).split())


def test_with_twilio_down_alerts_go_by_mail_at_once_and_with_it_back_by_text_again(alerts, people, provider):
    from tasks import send_critical_financial_alert

    people(*(person(f"Person{n}", n) for n in range(12)))
    example = dict(catalog()["critical_financial"].example)
    assert send_critical_financial_alert.delay("user_person11", example).get(timeout=30)  # the worker is up
    for _ in range(2):  # it leaves nothing behind that a second time would stumble over
        found = demonstrate(f"{provider.url}/", [f"user_person{n}" for n in range(12)])
        assert [(each.what, each.found) for each in found.expectations() if not each.met] == []
        assert found.carried_by == {"resend": found.sent}
        told = in_words(found.table())
        assert f"carried by resend {found.sent}" in told
        assert f"breaker opened after {found.opened_after:.1f} s" in told
        assert f"carrying alerts after {found.closed_after:.1f} s" in told
        assert provider._call("GET", "/_sandbox/faults") in ([], {"faults": []})
